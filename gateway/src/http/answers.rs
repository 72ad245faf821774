//! `POST /v1/answers`: a question answered from the stored passages, with citations, or "I don't know".

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::JsonBody,
    error::{ApiError, ErrorBody},
    filter::{self, FilterView},
    params::Caller,
    search::{check_limit, check_question, check_threshold, checked_mode},
    state::ApiState,
    views::{PassageView, SourceView},
};
use crate::{
    answer::{AnswerOutcome, AnswerRequest, Citation},
    traits::ingest::Metadata,
};

/// Passages that one answer may be made of.
pub(super) const MOST_PASSAGES: u32 = 20;
/// Tokens that one answer may ask for.
pub(super) const MOST_TOKENS: u32 = 100_000;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"question": "How long is the notice period?"}))]
pub(super) struct AnswerBody {
    /// At most 10,000 characters.
    question: String,
    /// Passages to answer from, 1 to 20; the pipeline's `search.answerLimit` when absent.
    #[schema(minimum = 1, maximum = 20)]
    limit: Option<u32>,
    /// How to find the passages: `vector`, `lexical` or `hybrid`; the pipeline's `search.mode` when absent.
    #[schema(example = "hybrid")]
    mode: Option<String>,
    /// Only passages that pass.
    #[schema(value_type = Option<FilterView>)]
    filter: Option<Metadata>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    threshold: Option<f32>,
    /// 0 to 2; the pipeline's `generation.temperature` when absent.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f32>,
    /// Tokens of the answer; the pipeline's `generation.maxTokens` when absent.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// 0 to 1; the pipeline's `generation.topP` when absent.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
}

/// An answer.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct AnswerView {
    /// The `query_id` of the log line.
    #[schema(example = "0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10")]
    pub id: String,
    #[schema(example = "answer")]
    pub object: String,
    /// The answer; `[n]` names a citation.
    #[schema(example = "The notice period is three months [1].")]
    pub answer: String,
    pub citations: Vec<CitationView>,
    /// Whether the answer rests on passages; false for "I don't know".
    pub grounded: bool,
    /// 0 to 1: how sure it is that the passages carry an answer.
    pub confidence: f32,
    pub model: String,
    pub usage: UsageView,
    /// Whether the passages came from the cache.
    pub cache_hit: bool,
    /// How the passages were found: the mode that was asked for, unless one half of a hybrid search failed.
    #[schema(example = "hybrid")]
    pub mode: String,
    pub timing: TimingView,
}

/// A passage that the answer cites.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct CitationView {
    /// The number in the answer's `[n]`.
    pub number: u32,
    pub score: f32,
    pub text: String,
    #[serde(flatten)]
    pub source: SourceView,
    #[schema(value_type = Object)]
    pub metadata: Metadata,
}

/// Tokens read and written.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct UsageView {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
}

/// Milliseconds of each stage.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct TimingView {
    pub retrieval_ms: f64,
    pub generation_ms: f64,
    pub total_ms: f64,
}

/// Answers a question.
#[utoipa::path(post, path = "/v1/answers", tag = "search", request_body = AnswerBody,
    responses((status = 200, body = AnswerView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn answer(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<AnswerBody>,
) -> Result<Json<AnswerView>, ApiError> {
    let outcome = state.parts.answering.answer(&principal, checked(body)?).await?;
    Ok(Json(outcome.into()))
}

pub(super) fn checked(body: AnswerBody) -> Result<AnswerRequest, ApiError> {
    let AnswerBody { question, limit, mode, filter, threshold, temperature, max_tokens, top_p } = body;
    let mode = checked_mode(mode.as_deref())?;
    check_question("question", &question)?;
    check_limit(limit, MOST_PASSAGES)?;
    check_threshold(threshold)?;
    check_range("temperature", temperature, 2.0)?;
    check_range("top_p", top_p, 1.0)?;
    if let Some(tokens) = max_tokens.filter(|tokens| !(1..=MOST_TOKENS).contains(tokens)) {
        return Err(ApiError::invalid("max_tokens", format!("max_tokens is {tokens}; it must be 1 to {MOST_TOKENS}")));
    }
    Ok(AnswerRequest {
        question,
        limit,
        mode,
        filter: filter::parse("filter", filter)?,
        threshold,
        temperature,
        max_tokens,
        top_p,
        ..AnswerRequest::default()
    })
}

pub(super) fn check_range(param: &str, value: Option<f32>, most: f32) -> Result<(), ApiError> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            Err(ApiError::invalid(param, format!("{param} is {value}; it must be 0 to {most}")))
        }
        Some(_) | None => Ok(()),
    }
}

impl From<AnswerOutcome> for AnswerView {
    fn from(outcome: AnswerOutcome) -> Self {
        let AnswerOutcome {
            query_id,
            answer,
            citations,
            marks: _,
            grounded,
            confidence,
            model,
            usage,
            finish: _,
            cache_hit,
            mode,
            retrieval_time_ms,
            llm_time_ms,
            total_time_ms,
        } = outcome;
        Self {
            id: query_id.to_string(),
            object: "answer".into(),
            answer,
            citations: citations.into_iter().map(Into::into).collect(),
            grounded,
            confidence,
            model,
            usage: UsageView {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                total_tokens: usage.prompt_tokens + usage.completion_tokens,
            },
            cache_hit,
            mode: mode.label().into(),
            timing: TimingView { retrieval_ms: retrieval_time_ms, generation_ms: llm_time_ms, total_ms: total_time_ms },
        }
    }
}

impl From<Citation> for CitationView {
    fn from(citation: Citation) -> Self {
        let PassageView { score, text, source, metadata, calibrated: _, scores: _ } = citation.source.into();
        Self { number: citation.number, score, text, source, metadata }
    }
}
