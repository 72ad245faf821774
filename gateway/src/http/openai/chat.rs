//! `POST /v1/chat/completions`: the last message of the user is answered from the workspace's passages, within the conversation before
//! it, whole or while it is written.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    Table,
    chat_view::{ChunkView, ChunkWriter, CompletionView},
    messages::{self, Conversation, Said, check_number, conversation},
    models,
    parameters::{Known, Refused, check_sampling, empty, free_choice, never, off, one, plain_text, unsupported, zero},
    retrieval::{RetrievalBody, Retrieving},
    stream,
};
use crate::{
    answer::AnswerRequest,
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody},
        guard::Deadline,
        params::Caller,
        state::ApiState,
    },
};

/// The route.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(complete))
}

/// Parameters that are not read.
const KNOWN: Known = Known {
    ignored: &[
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "user",
        "verbosity",
    ],
    refused: &[
        Refused { name: "audio", idle: never, why: "answers are text" },
        Refused { name: "frequency_penalty", idle: zero, why: "answers keep to the passages" },
        Refused { name: "function_call", idle: free_choice, why: "functions are not called" },
        Refused { name: "functions", idle: empty, why: "functions are not called" },
        Refused { name: "logit_bias", idle: empty, why: "the model is not steered by token" },
        Refused { name: "logprobs", idle: off, why: "probabilities of tokens are not known" },
        Refused { name: "modalities", idle: only_text, why: "answers are text" },
        Refused { name: "moderation", idle: never, why: "nothing is moderated" },
        Refused { name: "n", idle: one, why: "one answer is written" },
        Refused { name: "presence_penalty", idle: zero, why: "answers keep to the passages" },
        Refused { name: "response_format", idle: plain_text, why: "answers are text with citations, not JSON" },
        Refused { name: "tool_choice", idle: free_choice, why: "functions are not called" },
        Refused { name: "tools", idle: empty, why: "functions are not called; passages are looked for in any case" },
        Refused { name: "top_logprobs", idle: zero, why: "probabilities of tokens are not known" },
        Refused { name: "web_search_options", idle: never, why: "answers come from the workspace, not from the web" },
    ],
};

fn only_text(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(|one| one == "text"))
}

/// A conversation whose last message of the user is answered. OpenAI's other parameters are accepted where ignoring them is harmless
/// (`user`, `seed`, `store`, `metadata`, …) and refused with `unsupported_parameter` where it would not be (functions, `n` above 1,
/// `logprobs`, JSON as `response_format`, …).
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"model": "ragline", "messages": [{"role": "user", "content": "How long is the notice period?"}]}))]
pub(crate) struct CompletionBody {
    /// The pipeline's generation model, or `ragline`; `GET /v1/models` lists them.
    model: String,
    /// 1 to 1,000 messages of `system`, `developer`, `user` and `assistant`, the last turn the user's, at most 10,000 characters. The
    /// passages are looked for with it. Contents are a text or parts of type `text`.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Map<String, Value>>,
    /// Server-sent events while the answer is written.
    stream: Option<bool>,
    stream_options: Option<StreamOptionsBody>,
    /// 0 to 2; the pipeline's `generation.temperature` when absent.
    temperature: Option<f32>,
    /// 0 to 1; the pipeline's `generation.topP` when absent.
    top_p: Option<f32>,
    /// Tokens of the answer; the pipeline's `generation.maxTokens` when absent.
    max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`.
    max_tokens: Option<u32>,
    /// The answer ends before the first of these: one text, or up to four of at most 256 characters.
    stop: Option<StopBody>,
    /// Beyond OpenAI's API: which passages to answer from. In OpenAI's clients, `extra_body={"retrieval": {…}}`.
    retrieval: Option<RetrievalBody>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Map<String, Value>,
}

/// Where an answer is to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum StopBody {
    One(String),
    Several(Vec<String>),
}

/// Texts that an answer ends before, and characters of each.
const MOST_STOPS: usize = 4;
const MOST_STOP_CHARS: usize = 256;

impl StopBody {
    fn checked(self) -> Result<Vec<String>, ApiError> {
        let texts = match self {
            Self::One(text) => Some(text).filter(|text| !text.is_empty()).into_iter().collect(),
            Self::Several(texts) => texts,
        };
        let fits = |text: &String| !text.is_empty() && text.chars().nth(MOST_STOP_CHARS).is_none();
        if texts.len() <= MOST_STOPS && texts.iter().all(fits) {
            return Ok(texts);
        }
        let message = format!("stop takes up to {MOST_STOPS} texts of 1 to {MOST_STOP_CHARS} characters");
        Err(ApiError::invalid("stop", message))
    }
}

/// What a stream contains.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamOptionsBody {
    /// A last event with the tokens of the whole.
    include_usage: Option<bool>,
    /// Accepted and ignored: events are not padded.
    #[expect(dead_code, reason = "a field of OpenAI's request that means nothing here")]
    include_obfuscation: Option<bool>,
}

/// Answers the last message of a conversation.
///
/// The workspace of the key is searched with the last message of the user, and the answer is written from what was found, with markers
/// `[n]`. `annotations` say where each marker stands and what it names; `ragline` has the passages themselves. What the workspace does
/// not carry is answered "I don't know". With `stream`, each event is a chunk, the first with `ragline.sources`, the last but the usage
/// with `ragline` and, in it, `annotations`; then `[DONE]`. A failure while it is written comes as an event with `error`.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", request_body = CompletionBody,
    responses((status = 200, content((CompletionView = "application/json"), (ChunkView = "text/event-stream"))),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn complete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    deadline: Deadline,
    JsonBody(body): JsonBody<CompletionBody>,
) -> Result<Response, ApiError> {
    models::generator(&state, &body.model)?;
    let (streams, options) = (body.stream == Some(true), body.stream_options);
    if options.is_some() && !streams {
        return Err(ApiError::invalid("stream_options", "stream_options is only for stream: true"));
    }
    let (request, retrieval) = checked(body)?;
    let request = retrieval.apply(&state, &principal, request).await?;
    let id = format!("chatcmpl-{}", Uuid::now_v7());
    let created = chrono::Utc::now().timestamp();
    if !streams {
        let outcome = state.parts.answering.answer(&principal, request).await?;
        return Ok(Json(CompletionView::of(id, created, &outcome)).into_response());
    }
    let parts = state.parts.answering.stream(&principal, request).await?;
    let includes_usage = options.and_then(|options| options.include_usage) == Some(true);
    Ok(stream::respond(&state, deadline, parts, ChunkWriter::new(id, created, includes_usage)))
}

fn checked(body: CompletionBody) -> Result<(AnswerRequest, Retrieving), ApiError> {
    let CompletionBody {
        model: _,
        messages,
        stream: _,
        stream_options: _,
        temperature,
        top_p,
        max_completion_tokens,
        max_tokens,
        stop,
        retrieval,
        rest,
    } = body;
    KNOWN.check(&rest)?;
    let tokens = match max_completion_tokens {
        Some(tokens) => ("max_completion_tokens", Some(tokens)),
        None => ("max_tokens", max_tokens),
    };
    check_sampling(temperature, top_p, tokens)?;
    check_number("messages", messages.len())?;
    let said: Result<Vec<_>, _> =
        messages.iter().enumerate().map(|(place, message)| said(&format!("messages[{place}]"), message)).collect();
    let Conversation { question, history, instructions } = conversation("messages", None, said?)?;
    let (_, max_tokens) = tokens;
    let stop = stop.map(StopBody::checked).transpose()?.unwrap_or_default();
    let request =
        AnswerRequest { question, history, instructions, temperature, top_p, max_tokens, stop, ..AnswerRequest::default() };
    Ok((request, retrieval.unwrap_or_default().checked()?))
}

fn said(path: &str, message: &Map<String, Value>) -> Result<Said, ApiError> {
    let role = messages::role(path, message)?;
    for field in ["tool_calls", "function_call", "audio"] {
        if message.get(field).is_some_and(|value| !value.is_null() && !empty(value)) {
            return Err(unsupported(&format!("{path}.{field}"), "functions are not called and nothing is spoken"));
        }
    }
    Ok(Said { role, text: messages::text(&format!("{path}.content"), message.get("content"))? })
}
