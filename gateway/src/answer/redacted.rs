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
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use ragline_config::{Generation, Logging, Search};

    use crate::{
        answer::{
            AnswerRequest, Answerer, SearchRequest,
            retrieve_fixture::{Bench, Model, Shelf, somebody},
        },
        traits::generator::{Ending, GenerateError, Generated, GenerationRequest, Generator, Pieces, Speaker, Turn},
    };

    const CARD: &str = "4111 1111 1111 1111";

    /// Tells what it should not, and remembers what it was told.
    #[derive(Debug, Default)]
    struct Gossip(Mutex<Vec<GenerationRequest>>);

    #[async_trait]
    impl Generator for Gossip {
        async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
            self.0.lock().unwrap().push(request.clone());
            Ok(Generated { text: format!("Ada pays with {CARD} [1]."), ending: Ending::default() }.into_pieces())
        }

        fn model_name(&self) -> &str {
            "gossip"
        }

        async fn health(&self) -> Result<(), GenerateError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn neither_the_model_nor_the_reader_sees_a_card() {
        let gossip = Arc::new(Gossip::default());
        let answerer = Answerer {
            retriever: Bench::new(Model::default(), Shelf::default()).retriever,
            generator: Arc::clone(&gossip) as _,
            search: Search::default(),
            generation: Generation::default(),
            logging: Logging::default(),
        };
        let request = AnswerRequest {
            question: format!("Which text 1 has {CARD}?"),
            history: vec![Turn { speaker: Speaker::User, text: format!("I have {CARD}.") }],
            ..AnswerRequest::default()
        };
        let outcome = answerer.answer(&somebody(), &request).await.unwrap();
        assert_eq!(outcome.answer, "Ada pays with [CARD] [1].");
        let told = format!("{:?}", gossip.0.lock().unwrap());
        assert!(told.contains("Which text 1 has [CARD]?") && !told.contains(CARD), "{told}");
        assert_eq!(answerer.retriever.metrics.redacted.with_label_values(&["card"]).get(), 3);
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
