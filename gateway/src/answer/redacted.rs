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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        answer::{
            AnswerRequest, SearchRequest,
            retrieve_fixture::{Bench, Model, Shelf},
        },
        traits::generator::{Speaker, Turn},
    };

    const CARD: &str = "4111 1111 1111 1111";

    #[test]
    fn neither_the_question_nor_what_was_said_before_names_a_card() {
        let retriever = Bench::new(Model::default(), Shelf::default()).retriever;
        let request = AnswerRequest {
            question: format!("Who has {CARD}?"),
            history: vec![Turn { speaker: Speaker::User, text: format!("I have {CARD}.") }],
            instructions: Some(format!("Never say {CARD}.")),
            ..AnswerRequest::default()
        };
        let redacted = retriever.redacted_request(&request);
        assert_eq!(redacted.question, "Who has [CARD]?");
        assert_eq!(redacted.history[0].text, "I have [CARD].");
        assert_eq!(redacted.instructions.as_deref(), Some("Never say [CARD]."));
        assert_eq!(retriever.redacted(&format!("Ada has {CARD} [1].")), "Ada has [CARD] [1].");
        assert_eq!(retriever.metrics.redacted.with_label_values(&["card"]).get(), 4);
    }

    #[tokio::test]
    async fn a_search_looks_for_what_is_stored() {
        let shelf = Shelf::default();
        let searched = Arc::clone(&shelf.searched);
        let request = SearchRequest { query: format!("paid with {CARD}"), ..SearchRequest::default() };
        Bench::new(Model::default(), shelf).search(&request).await.unwrap();
        assert_eq!(*searched.lock().unwrap(), ["paid with [CARD]"]);
    }
}
