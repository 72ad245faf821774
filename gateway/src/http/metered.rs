//! Answers are paid for in tokens by whoever asked, whatever route they came by: once when the answer is there, and for one that was
//! given up halfway by an estimate, so that hanging up is no way to read for nothing. What is only counted was read as well.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures::{Stream, StreamExt};

use super::{limits::Shares, state::Answering};
use crate::{
    answer::{AnswerError, AnswerEvent, AnswerEvents, AnswerOutcome, AnswerRequest, Rewritten, SearchOutcome, SearchRequest},
    traits::{generator::Usage, search::Principal},
};

/// Bytes of English that make a token, about.
const BYTES_OF_A_TOKEN: u64 = 4;

/// Answers and charges.
#[derive(Debug)]
pub(super) struct Metered {
    inner: Arc<dyn Answering>,
    shares: Shares,
}

impl Metered {
    pub(super) fn new(inner: Arc<dyn Answering>, shares: Shares) -> Self {
        Self { inner, shares }
    }
}

#[async_trait]
impl Answering for Metered {
    async fn search(&self, principal: &Principal, request: SearchRequest) -> Result<SearchOutcome, AnswerError> {
        let outcome = self.inner.search(principal, request).await?;
        self.shares.charge(principal, total(outcome.expansion));
        Ok(outcome)
    }

    async fn answer(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
        let outcome = self.inner.answer(principal, request).await?;
        self.shares.charge(principal, total(outcome.usage));
        Ok(outcome)
    }

    async fn stream(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerEvents, AnswerError> {
        let events = self.inner.stream(principal, request).await?;
        let metered = MeteredEvents { events, principal: principal.clone(), shares: self.shares.clone(), unpaid_bytes: 0 };
        Ok(metered.boxed())
    }

    async fn count(&self, principal: &Principal, request: AnswerRequest) -> Result<u64, AnswerError> {
        let tokens = self.inner.count(principal, request).await?;
        self.shares.charge(principal, tokens);
        Ok(tokens)
    }

    async fn rewrite(&self, principal: &Principal, question: &str) -> Rewritten {
        let rewritten = self.inner.rewrite(principal, question).await;
        self.shares.charge(principal, total(rewritten.expense.usage));
        rewritten
    }

    fn model_name(&self) -> Option<&str> {
        self.inner.model_name()
    }
}

fn total(usage: Usage) -> u64 {
    usage.prompt_tokens.saturating_add(usage.completion_tokens)
}

/// Events that charge at their end.
struct MeteredEvents {
    events: AnswerEvents,
    principal: Principal,
    shares: Shares,
    /// What passed and was not paid for: passages that were read, text that was written.
    unpaid_bytes: u64,
}

impl MeteredEvents {
    fn note(&mut self, event: &AnswerEvent) {
        match event {
            AnswerEvent::Found { sources, .. } => {
                self.unpaid_bytes += sources.iter().map(|citation| citation.source.text.len() as u64).sum::<u64>();
            }
            AnswerEvent::Text { text, marks: _ } => self.unpaid_bytes += text.len() as u64,
            AnswerEvent::End(outcome) => {
                self.unpaid_bytes = 0;
                self.shares.charge(&self.principal, total(outcome.usage));
            }
        }
    }
}

impl Stream for MeteredEvents {
    type Item = Result<AnswerEvent, AnswerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.events.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(event))) = &next {
            self.note(event);
        }
        next
    }
}

impl Drop for MeteredEvents {
    fn drop(&mut self) {
        // Outside of the runtime the process ends, and nobody counts any more.
        if self.unpaid_bytes > 0 && tokio::runtime::Handle::try_current().is_ok() {
            self.shares.charge(&self.principal, self.unpaid_bytes.div_ceil(BYTES_OF_A_TOKEN));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::stream;
    use ragline_config::Rate;
    use uuid::Uuid;

    use super::*;
    use crate::traits::{
        limiter::{Budget, Limiter, Verdict},
        search::{KeyPrint, WorkspaceId},
    };

    /// Remembers what was charged.
    #[derive(Debug, Default)]
    struct Till(Mutex<Vec<(usize, u64)>>);

    #[async_trait]
    impl Limiter for Till {
        async fn admit(&self, budgets: &[Budget]) -> Verdict {
            Verdict { admitted: true, debts: vec![0; budgets.len()] }
        }

        async fn charge(&self, budgets: &[Budget], amount: u64) {
            self.0.lock().unwrap().push((budgets.len(), amount));
        }
    }

    /// Writes 40 bytes of an answer and has not come to an end.
    #[derive(Debug)]
    struct Writer;

    #[async_trait]
    impl Answering for Writer {
        async fn search(&self, _: &Principal, _: SearchRequest) -> Result<SearchOutcome, AnswerError> {
            Err(AnswerError::EmptyQuestion)
        }

        async fn answer(&self, _: &Principal, _: AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
            Err(AnswerError::EmptyQuestion)
        }

        async fn stream(&self, _: &Principal, _: AnswerRequest) -> Result<AnswerEvents, AnswerError> {
            let found = AnswerEvent::Found { query_id: Uuid::nil(), model: "m".into(), confidence: 1.0, sources: Vec::new() };
            let text = AnswerEvent::Text { text: "x".repeat(40), marks: Vec::new() };
            Ok(stream::iter([found, text].map(Ok)).chain(stream::pending()).boxed())
        }

        async fn count(&self, _: &Principal, _: AnswerRequest) -> Result<u64, AnswerError> {
            Err(AnswerError::EmptyQuestion)
        }

        async fn rewrite(&self, _: &Principal, _: &str) -> Rewritten {
            Rewritten::default()
        }

        fn model_name(&self) -> Option<&str> {
            None
        }
    }

    #[tokio::test]
    async fn an_answer_given_up_halfway_is_charged_by_what_was_written() {
        let till = Arc::<Till>::default();
        let metered = Metered::new(Arc::new(Writer), Shares::new(Rate::default(), Arc::clone(&till) as _));
        let principal =
            Principal { workspace: WorkspaceId(1), workspace_name: "w".into(), admin: false, key: KeyPrint::default() };
        for events in [0, 1, 2] {
            let mut stream = metered.stream(&principal, AnswerRequest::default()).await.unwrap();
            for _ in 0..events {
                stream.next().await.unwrap().unwrap();
            }
        }
        tokio::task::yield_now().await;
        assert_eq!(*till.0.lock().unwrap(), [(2, 10)], "of the key and of the workspace, for the one that wrote");
    }
}
