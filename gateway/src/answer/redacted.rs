//! Questions and answers without what redaction takes out. Providers, logs and caches see no more than this.

use super::{request::AnswerRequest, retrieve::Retriever};

impl Retriever {
    /// A text that people or models wrote, without what is switched on; what was taken out is counted.
    pub(super) fn redacted(&self, text: &str) -> String {
        let redacted = self.redactor.redact(text);
        self.metrics.count_redacted(&redacted.counts);
        redacted.text.into_owned()
    }

    /// A question with all that was said before it. Its filter is not touched: it names metadata, which stay as they were given.
    pub(super) fn redacted_request(&self, request: &AnswerRequest) -> AnswerRequest {
        let mut request = request.clone();
        request.question = self.redacted(&request.question);
        for turn in &mut request.history {
            turn.text = self.redacted(&turn.text);
        }
        request.instructions = request.instructions.map(|instructions| self.redacted(&instructions));
        request
    }
}
