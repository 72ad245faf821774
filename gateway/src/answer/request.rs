//! What the answering trip takes and gives: plain values, no wire format.

use std::sync::Arc;

use futures::stream::BoxStream;
use ragline_config::SearchMode;
use uuid::Uuid;

use super::matches::Matches;
use crate::traits::{
    embedder::EmbedError,
    filter::Filter,
    generator::{Finish, GenerateError, Turn, Usage},
    search::{CollectionId, Match, SearchPlan, StoreError},
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
    /// Only passages of these; empty: of the whole workspace.
    pub collections: Vec<CollectionId>,
    pub preference: Preference,
}

/// How passages are to be ordered, where a request says so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Preference {
    /// The order of the search stays, also where a reranking model is there.
    pub without_reranker: bool,
    /// What the search by vector and that by words count in a hybrid search, each 0 to 1; `None`: as search.fusion says.
    pub weights: Option<[f32; 2]>,
}

/// What a search found, best first.
#[derive(Clone, Debug)]
pub struct SearchOutcome {
    pub matches: Matches,
    pub cache_hit: bool,
    /// How they were found: the mode that was asked for, unless one of its legs failed.
    pub mode: SearchMode,
    pub plan: SearchPlan,
    pub took_ms: f64,
    /// What a language model read and wrote to search for more than the question; nothing where another search did it.
    pub expansion: Usage,
}

/// A question.
#[derive(Clone, Debug, Default)]
pub struct AnswerRequest {
    pub question: String,
    /// The conversation before the question, oldest first.
    pub history: Vec<Turn>,
    /// What the caller wants of the answer's form; comes after our own instructions.
    pub instructions: Option<String>,
    /// Passages to answer from, 1 to 20; `None`: search.answerLimit.
    pub limit: Option<u32>,
    /// `None`: search.mode.
    pub mode: Option<SearchMode>,
    pub filter: Option<Filter>,
    pub threshold: Option<f32>,
    pub temperature: Option<f32>,
    pub max_tokens: Option<u32>,
    pub top_p: Option<f32>,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// Only passages of these; empty: of the whole workspace.
    pub collections: Vec<CollectionId>,
    pub preference: Preference,
    /// Refuse a conversation of which a part finds no room.
    pub whole_history: bool,
}

/// A passage that the answer cites.
#[derive(Clone, Debug)]
pub struct Citation {
    /// The number in the answer's markers `[n]`.
    pub number: u32,
    pub source: Match,
}

/// A marker `[n]` in an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// Of the citation.
    pub number: u32,
    /// Characters of the answer before the marker.
    pub at: usize,
}

/// A part of an answer that is being written.
#[derive(Clone, Debug)]
pub enum AnswerEvent {
    /// First: the passages that the answer may cite, before a word is written.
    Found { query_id: Uuid, model: String, confidence: f32, sources: Vec<Citation> },
    /// The next characters, which will not change any more: their markers have been checked.
    Text { text: String, marks: Vec<Mark> },
    /// Last: the whole.
    End(Box<AnswerOutcome>),
}

/// An answer that is being written. Dropping it gives the question up.
pub type AnswerEvents = BoxStream<'static, Result<AnswerEvent, AnswerError>>;

/// An answer.
#[derive(Clone, Debug)]
pub struct AnswerOutcome {
    pub query_id: Uuid,
    pub answer: String,
    /// The passages that the answer names, by number.
    pub citations: Vec<Citation>,
    /// Where the answer names them, in the order of the text.
    pub marks: Vec<Mark>,
    /// Whether the answer rests on passages; `false` for "I don't know".
    pub grounded: bool,
    /// 0 to 1: how sure it is that the passages carry an answer.
    pub confidence: f32,
    pub model: String,
    pub usage: Usage,
    /// In US dollars; `None` where the model has no price.
    pub cost_usd: Option<f64>,
    pub finish: Finish,
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
    #[error("the conversation has more than the {room} tokens that it may have")]
    TooLong { room: usize },
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
