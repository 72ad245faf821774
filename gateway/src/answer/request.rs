//! What the answering trip takes and gives: plain values, no wire format.

use std::sync::Arc;

use ragline_config::SearchMode;
use uuid::Uuid;

use crate::traits::{
    embedder::EmbedError,
    filter::Filter,
    generator::{GenerateError, Usage},
    search::{Match, SearchPlan, StoreError},
};

/// A search.
#[derive(Clone, Debug, Default)]
pub struct SearchRequest {
    pub query: String,
    /// Chunks wanted, 1 to 100; `None`: search.limit.
    pub limit: Option<u32>,
    /// `None`: search.mode.
    pub mode: Option<SearchMode>,
    pub filter: Option<Filter>,
    /// Chunks whose score is below are left out.
    pub threshold: Option<f32>,
}

/// What a search found, best first.
#[derive(Clone, Debug)]
pub struct SearchOutcome {
    pub matches: Vec<Match>,
    pub cache_hit: bool,
    /// How they were found: the mode that was asked for, unless one of its legs failed.
    pub mode: SearchMode,
    pub plan: SearchPlan,
    pub took_ms: f64,
}

/// A question.
#[derive(Clone, Debug, Default)]
pub struct AnswerRequest {
    pub question: String,
    /// Passages to answer from, 1 to 20; `None`: search.answerLimit.
    pub limit: Option<u32>,
    /// `None`: search.mode.
    pub mode: Option<SearchMode>,
    pub filter: Option<Filter>,
    pub threshold: Option<f32>,
    pub temperature: Option<f32>,
    pub max_tokens: Option<u32>,
    pub top_p: Option<f32>,
}

/// A passage that the answer cites.
#[derive(Clone, Debug)]
pub struct Citation {
    /// The number in the answer's markers `[n]`.
    pub number: u32,
    pub source: Match,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct AnswerOutcome {
    pub query_id: Uuid,
    pub answer: String,
    /// The passages that the answer names, by number.
    pub citations: Vec<Citation>,
    /// Whether the answer rests on passages; `false` for "I don't know".
    pub grounded: bool,
    /// 0 to 1: how sure it is that the passages carry an answer.
    pub confidence: f32,
    pub model: String,
    pub usage: Usage,
    pub cache_hit: bool,
    /// How the passages were found: the mode that was asked for, unless one of its legs failed.
    pub mode: SearchMode,
    pub retrieval_time_ms: f64,
    pub llm_time_ms: f64,
    pub total_time_ms: f64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the question is empty")]
    EmptyQuestion,
    #[error("the text could not be embedded")]
    Embed(#[source] EmbedError),
    #[error("the search failed")]
    Search(#[source] StoreError),
    #[error("the answer could not be generated")]
    Generate(#[source] GenerateError),
    /// Of a search that several callers waited for.
    #[error(transparent)]
    Shared(Arc<AnswerError>),
}
