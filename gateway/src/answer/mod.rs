//! Trip three: a question becomes an answer. The trip reads as its steps; each step has a file. No I/O but through the traits.

pub mod citations;
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
mod redacted;
mod relevance;
mod request;
mod rerank;
mod retrieve;
#[cfg(test)]
mod retrieve_fixture;
#[cfg(test)]
mod retrieve_tests;
mod score;
mod similar;
pub(crate) mod terms;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use ragline_config::{Generation, Logging, Search};
use tracing::Instrument;
use uuid::Uuid;

pub use flight::Flights;
pub use relevance::{RankError, RankRequest, Ranked, RankedBy, Ranker};
pub use request::{
    AnswerError, AnswerEvent, AnswerEvents, AnswerOutcome, AnswerRequest, Citation, Mark, SearchOutcome, SearchRequest,
};
pub use retrieve::Retriever;

use self::{
    context::Context,
    event::QueryEvent,
    retrieve::{Query, elapsed_ms, mean_similarity},
};
use crate::traits::{
    filter::Filter,
    generator::{Ending, GenerationRequest, Generator},
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

/// An answer before it is told who asked and how long it took.
struct Reply {
    text: String,
    citations: Vec<Citation>,
    ending: Ending,
}

impl Answerer {
    /// The passages that are nearest to a text.
    ///
    /// # Errors
    /// An empty text, no vector, or no search.
    pub async fn search(&self, principal: &Principal, request: &SearchRequest) -> Result<SearchOutcome, AnswerError> {
        self.retriever.search(principal, request, request.limit.unwrap_or(self.search.limit)).await
    }

    /// context → (don't know | prompt → generate → cite) → log.
    ///
    /// # Errors
    /// An empty question, no vector, no search, or no generation.
    pub async fn answer(&self, principal: &Principal, request: &AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
        let begin = Instant::now();
        let query_id = Uuid::now_v7();
        let request = &self.retriever.redacted_request(request);
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
        let retrieval_time_ms = elapsed_ms(begin);

        let generation_begin = Instant::now();
        let reply =
            if context.assessment.carries_answer { self.write(text, &context, request).await? } else { Reply::dont_know() };
        let llm_time_ms = elapsed_ms(generation_begin);
        let Reply { text: answer, citations, ending } = reply;

        let outcome = AnswerOutcome {
            query_id,
            answer,
            grounded: !citations.is_empty(),
            citations,
            marks: Vec::new(),
            confidence: context.assessment.confidence,
            model: self.generator.model_name().to_owned(),
            usage: ending.usage,
            finish: ending.finish,
            cache_hit: context.cache_hit,
            mode: context.mode,
            retrieval_time_ms,
            llm_time_ms,
            total_time_ms: elapsed_ms(begin),
        };
        self.report(principal, text, &context, &outcome);
        Ok(outcome)
    }

    /// As [`Answerer::answer`], as it is written.
    ///
    /// # Errors
    /// As [`Answerer::answer`].
    pub async fn stream(&self, principal: &Principal, request: &AnswerRequest) -> Result<AnswerEvents, AnswerError> {
        let outcome = self.answer(principal, request).await?;
        let found = AnswerEvent::Found {
            query_id: outcome.query_id,
            model: outcome.model.clone(),
            confidence: outcome.confidence,
            sources: outcome.citations.clone(),
        };
        let text = AnswerEvent::Text { text: outcome.answer.clone(), marks: outcome.marks.clone() };
        Ok(stream::iter([found, text, AnswerEvent::End(Box::new(outcome))].map(Ok)).boxed())
    }

    /// Has the answer written, and checks what it cites.
    async fn write(&self, question: &str, context: &Context, request: &AnswerRequest) -> Result<Reply, AnswerError> {
        let settings = &self.generation;
        let tokenizer = self.retriever.embedder.tokenizer();
        let budget = usize::try_from(settings.context_tokens).unwrap_or(usize::MAX);
        let filled = prompt::assemble(&settings.prompt_template, question, &context.matches, budget, tokenizer);
        let known: BTreeSet<u32> = filled.passages.iter().map(|p| p.number).collect();
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
        let span = tracing::debug_span!("generate", stage = "generate");
        let generated = self.generator.generate(&generation).instrument(span).await.map_err(AnswerError::Generate)?;
        let text = self.retriever.redacted(generated.text.trim());
        let checked = citations::check(&text, &known);
        let citations = checked
            .numbers
            .iter()
            .filter_map(|&number| {
                let source = context.matches.get(number as usize - 1)?;
                Some(Citation { number, source: source.clone() })
            })
            .collect();
        Ok(Reply { text: checked.text, citations, ending: generated.ending })
    }

    fn report(&self, principal: &Principal, question: &str, context: &Context, outcome: &AnswerOutcome) {
        let metrics = &self.retriever.metrics;
        metrics.rag_total_latency.observe(outcome.total_time_ms / 1_000.0);
        metrics.rag_llm_generation_time.observe(outcome.llm_time_ms / 1_000.0);
        metrics.count_tokens(outcome.usage);
        if !self.logging.queries {
            return;
        }
        let event = QueryEvent {
            query_id: outcome.query_id,
            query: self.logging.query_text.then_some(question),
            cache_hit: outcome.cache_hit,
            retrieval_time_ms: outcome.retrieval_time_ms,
            num_results: context.matches.len(),
            avg_similarity: mean_similarity(&context.matches).unwrap_or_default(),
            llm_time_ms: outcome.llm_time_ms,
            total_time_ms: outcome.total_time_ms,
            tokens_used: outcome.usage.prompt_tokens + outcome.usage.completion_tokens,
            workspace_id: principal.workspace.0,
        };
        event.log();
    }
}

impl Reply {
    fn dont_know() -> Self {
        Self { text: DONT_KNOW.to_owned(), citations: Vec::new(), ending: Ending::default() }
    }
}
