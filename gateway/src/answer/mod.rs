//! Trip three: a question becomes an answer. The trip reads as its steps; each step has a file. No I/O but through the traits.

mod citations;
pub mod confidence;
mod context;
mod event;
pub mod evidence;
mod expand;
#[cfg(test)]
pub(crate) mod fixtures;
mod flight;
mod fuse;
mod legs;
pub mod prompt;
mod request;
mod rerank;
mod retrieve;
#[cfg(test)]
mod retrieve_fixture;
#[cfg(test)]
mod retrieve_tests;
mod score;
mod sentence;
mod similar;
mod support;
mod tally;
pub(crate) mod terms;
mod writing;
#[cfg(test)]
mod writing_tests;

use std::{sync::Arc, time::Instant};

use futures::StreamExt;
use ragline_config::{Generation, Logging, Search};
use tracing::{Instrument, Span};
use uuid::Uuid;

pub use flight::Flights;
pub use request::{
    AnswerError, AnswerEvent, AnswerEvents, AnswerOutcome, AnswerRequest, Citation, Mark, SearchOutcome, SearchRequest,
};
pub use retrieve::Retriever;

use self::{
    context::Context,
    retrieve::{Query, elapsed_ms, mean_similarity},
    support::Ground,
    tally::{Ended, Tally},
    writing::{Writing, Written},
};
use crate::traits::{
    filter::Filter,
    generator::{Ending, GenerateError, Generated, GenerationRequest, Generator, Usage},
    search::Principal,
};

/// What is said when the context carries no answer.
pub const DONT_KNOW: &str = "I don't know. The documents that were found do not answer this question.";

/// Answers questions of any workspace.
#[derive(Clone, Debug)]
pub struct Answerer {
    pub retriever: Retriever,
    pub generator: Arc<dyn Generator>,
    pub search: Search,
    pub generation: Generation,
    pub logging: Logging,
}

impl Answerer {
    /// The passages that are nearest to a text.
    ///
    /// # Errors
    /// An empty text, no vector, or no search.
    pub async fn search(&self, principal: &Principal, request: &SearchRequest) -> Result<SearchOutcome, AnswerError> {
        self.retriever.search(principal, request, request.limit.unwrap_or(self.search.limit)).await
    }

    /// The whole answer: what [`Answerer::stream`] comes to.
    ///
    /// # Errors
    /// As [`Answerer::stream`].
    pub async fn answer(&self, principal: &Principal, request: &AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
        let mut events = self.stream(principal, request).await?;
        while let Some(event) = events.next().await {
            if let AnswerEvent::End(outcome) = event? {
                return Ok(*outcome);
            }
        }
        let (host, what) = (self.generator.model_name().to_owned(), "it ended before the answer did".to_owned());
        Err(AnswerError::Generate(GenerateError::Malformed { host, what }))
    }

    /// context → (don't know | prompt → generate), then as it is written: sentence → cite; at its end, log. What fails before a word
    /// is written fails here; what fails later is the stream's last event.
    ///
    /// # Errors
    /// An empty question, no vector, no search, or no generation.
    pub async fn stream(&self, principal: &Principal, request: &AnswerRequest) -> Result<AnswerEvents, AnswerError> {
        let begun = Instant::now();
        let text = request.question.trim();
        if text.is_empty() {
            return Err(AnswerError::EmptyQuestion);
        }
        let limit = request.limit.unwrap_or(self.search.answer_limit);
        let query = Query {
            text: text.to_owned(),
            limit,
            mode: request.mode.unwrap_or(self.search.mode),
            filter: Filter::within(&request.collections, request.filter.clone()),
            threshold: request.threshold,
        };
        let span = tracing::debug_span!("retrieve", stage = "retrieve");
        let context = context::of(&self.retriever, principal, &query).instrument(span).await?;
        let tally = self.tally(principal, text, &context, begun);
        let writing = if context.assessment.carries_answer {
            self.write(text, context, request, tally).await?
        } else {
            self.dont_know(tally)
        };
        Ok(writing.events())
    }

    /// Has the answer written from the passages that find room in the prompt.
    async fn write(
        &self,
        question: &str,
        context: Context,
        request: &AnswerRequest,
        mut tally: Tally,
    ) -> Result<Writing, AnswerError> {
        let settings = &self.generation;
        let tokenizer = self.retriever.embedder.tokenizer();
        let budget = usize::try_from(settings.context_tokens).unwrap_or(usize::MAX);
        let filled = prompt::assemble(&settings.prompt_template, question, &context.matches, budget, tokenizer);
        tally.prompt_tokens = Some(filled.tokens as u64);
        let generation = GenerationRequest {
            system: filled.system,
            history: request.history.clone(),
            prompt: filled.text,
            question: question.to_owned(),
            passages: filled.passages,
            temperature: request.temperature.unwrap_or(settings.temperature),
            max_tokens: request.max_tokens.unwrap_or(settings.max_tokens),
            top_p: request.top_p.unwrap_or(settings.top_p),
        };
        tally.asked = Some(Instant::now());
        let span = tracing::debug_span!("generate", stage = "generate");
        let pieces = match self.generator.write(&generation).instrument(span).await {
            Ok(pieces) => pieces,
            Err(error) => {
                tally.tell(Ended::Failed, Usage::default());
                return Err(AnswerError::Generate(error));
            }
        };
        let numbered = (1..).zip(context.matches).take(generation.passages.len());
        Ok(Writing {
            tally,
            embedder: Arc::clone(&self.retriever.embedder),
            sources: numbered.map(|(number, source)| Citation { number, source }).collect(),
            grounds: generation.passages.iter().map(Ground::new).collect(),
            pieces,
            written: Written::default(),
        })
    }

    /// The same way without asking the generator.
    fn dont_know(&self, tally: Tally) -> Writing {
        Writing {
            tally,
            embedder: Arc::clone(&self.retriever.embedder),
            sources: Vec::new(),
            grounds: Vec::new(),
            pieces: Generated { text: DONT_KNOW.to_owned(), ending: Ending::default() }.into_pieces(),
            written: Written::default(),
        }
    }

    fn tally(&self, principal: &Principal, question: &str, context: &Context, begun: Instant) -> Tally {
        Tally {
            query_id: Uuid::now_v7(),
            workspace: principal.workspace,
            query: self.logging.query_text.then(|| question.to_owned()),
            logged: self.logging.queries,
            model: self.generator.model_name().to_owned(),
            confidence: context.assessment.confidence,
            cache_hit: context.cache_hit,
            mode: context.mode,
            num_results: context.matches.len(),
            avg_similarity: mean_similarity(&context.matches).unwrap_or_default(),
            begun,
            retrieval_time_ms: elapsed_ms(begun),
            asked: None,
            prompt_tokens: None,
            told: false,
            metrics: self.retriever.metrics.clone(),
            span: Span::current(),
        }
    }
}
