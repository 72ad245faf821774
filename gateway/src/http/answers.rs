//! `POST /v1/answers`: a question answered from the stored passages, with citations, or "I don't know"; whole, or as it is written.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answers_stream::{self, AnswerEventView},
    body::JsonBody,
    error::{ApiError, ErrorBody},
    filter::{self, FilterView},
    params::Caller,
    search::{check_limit, check_question, check_threshold, checked_mode},
    state::ApiState,
    views::{PassageView, SourceView},
};
use crate::{
    answer::{AnswerOutcome, AnswerRequest, Citation, Mark},
    traits::{
        generator::{Finish, Speaker, Turn},
        ingest::Metadata,
    },
};

/// Passages that one answer may be made of.
pub(super) const MOST_PASSAGES: u32 = 20;
/// Tokens that one answer may ask for.
pub(super) const MOST_TOKENS: u32 = 100_000;
/// Turns of a conversation before the question.
const MOST_TURNS: usize = 200;
/// Characters of a turn, and of the instructions.
const MOST_CHARS: usize = 10_000;

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
    /// What was said before the question, oldest first, at most 200 turns. The search is made for the question as the conversation
    /// explains it.
    #[serde(default)]
    #[schema(max_items = 200)]
    history: Vec<TurnBody>,
    /// How the answer is to be written, at most 10,000 characters. What it rests on stays the passages. Language models only.
    instructions: Option<String>,
    /// Whether the answer comes as server-sent events while it is written: `found`, then `text` for each sentence or more, then
    /// `end`; or `error`, which is the last.
    #[serde(default)]
    stream: bool,
}

/// Something that was said before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TurnBody {
    role: RoleBody,
    /// At most 10,000 characters.
    content: String,
}

/// Who said it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleBody {
    User,
    Assistant,
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
    /// Where the answer names them, in the order of the text.
    #[serde(default)]
    pub marks: Vec<MarkView>,
    /// Whether the answer rests on passages; false for "I don't know".
    pub grounded: bool,
    /// 0 to 1: the estimated share of such questions whose passages carry an answer.
    pub confidence: f32,
    /// The model that wrote.
    pub model: String,
    /// `stop`, or `length` for an answer that was cut off at its most tokens.
    #[serde(default)]
    #[schema(example = "stop")]
    pub finish_reason: String,
    pub usage: UsageView,
    /// What the answer cost in US dollars by `generation.prices`; null where the model has no price.
    #[serde(default)]
    pub cost_usd: Option<f64>,
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

/// A `[n]` in an answer.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct MarkView {
    /// Of the citation.
    pub number: u32,
    /// Characters of the answer before the `[`.
    pub at: usize,
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
    responses((status = 200, content((AnswerView = "application/json"), (AnswerEventView = "text/event-stream"))), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn answer(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<AnswerBody>,
) -> Result<Response, ApiError> {
    let (stream, request) = (body.stream, checked(body)?);
    if stream {
        let events = state.parts.answering.stream(&principal, request).await?;
        let limit = state.request_timeout();
        return Ok(answers_stream::response(events, limit).into_response());
    }
    let outcome = state.parts.answering.answer(&principal, request).await?;
    Ok(Json(AnswerView::from(outcome)).into_response())
}

pub(super) fn checked(body: AnswerBody) -> Result<AnswerRequest, ApiError> {
    let AnswerBody { question, limit, mode, filter, threshold, temperature, max_tokens, top_p, history, instructions, stream: _ } =
        body;
    let mode = checked_mode(mode.as_deref())?;
    check_question("question", &question)?;
    check_limit(limit, MOST_PASSAGES)?;
    check_threshold(threshold)?;
    check_range("temperature", temperature, 2.0)?;
    check_range("top_p", top_p, 1.0)?;
    if let Some(tokens) = max_tokens.filter(|tokens| !(1..=MOST_TOKENS).contains(tokens)) {
        return Err(ApiError::invalid("max_tokens", format!("max_tokens is {tokens}; it must be 1 to {MOST_TOKENS}")));
    }
    if history.len() > MOST_TURNS {
        return Err(ApiError::invalid("history", format!("history has {} turns; it may have {MOST_TURNS}", history.len())));
    }
    let history = history.into_iter().map(turn).collect::<Result<_, _>>()?;
    if let Some(instructions) = &instructions {
        check_chars("instructions", instructions)?;
    }
    Ok(AnswerRequest {
        question,
        history,
        instructions,
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

fn turn(TurnBody { role, content }: TurnBody) -> Result<Turn, ApiError> {
    check_chars("history", &content)?;
    let speaker = match role {
        RoleBody::User => Speaker::User,
        RoleBody::Assistant => Speaker::Assistant,
    };
    Ok(Turn { speaker, text: content })
}

fn check_chars(param: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().nth(MOST_CHARS).is_some() {
        return Err(ApiError::invalid(param, format!("{param} holds a text of more than {MOST_CHARS} characters")));
    }
    Ok(())
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
            marks,
            grounded,
            confidence,
            model,
            usage,
            cost_usd,
            finish,
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
            marks: marks.into_iter().map(Into::into).collect(),
            grounded,
            confidence,
            model,
            finish_reason: match finish {
                Finish::Stop => "stop".into(),
                Finish::Length => "length".into(),
            },
            usage: UsageView {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                total_tokens: usage.prompt_tokens + usage.completion_tokens,
            },
            cost_usd,
            cache_hit,
            mode: mode.label().into(),
            timing: TimingView { retrieval_ms: retrieval_time_ms, generation_ms: llm_time_ms, total_ms: total_time_ms },
        }
    }
}

impl From<Mark> for MarkView {
    fn from(mark: Mark) -> Self {
        let Mark { number, at } = mark;
        Self { number, at }
    }
}

impl From<Citation> for CitationView {
    fn from(citation: Citation) -> Self {
        let PassageView { score, text, source, metadata, calibrated: _, scores: _ } = citation.source.into();
        Self { number: citation.number, score, text, source, metadata }
    }
}
