//! What asks for a response, and its checks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{draft::Draft, tools};
use crate::{
    http::{
        error::{ApiError, ErrorCode},
        ids::ResponseId,
        openai::{
            attributes,
            messages::{check_number, clean, role, text},
            parameters::{Known, Refused, check_sampling, never, unsupported, zero},
            retrieval::Retrieving,
        },
    },
    traits::responses::{Role, Said},
};

/// Parameters that are not read.
const KNOWN: Known = Known {
    ignored: &[
        "image",
        "max_tool_calls",
        "personality",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "stream_options",
        "user",
    ],
    refused: &[
        Refused { name: "access_programs", idle: never, why: "there are none" },
        Refused { name: "background_options", idle: never, why: "a background response is written at once" },
        Refused { name: "context_management", idle: never, why: "a conversation is fitted to the model by itself" },
        Refused { name: "conversation", idle: never, why: "go on with previous_response_id" },
        Refused { name: "moderation", idle: never, why: "nothing is moderated" },
        Refused { name: "prompt", idle: never, why: "no prompts are kept; send input and instructions" },
        Refused { name: "text", idle: plain_text, why: "answers are text with citations, not JSON" },
        Refused { name: "top_logprobs", idle: zero, why: "probabilities of tokens are not known" },
    ],
};

/// What `include` may name besides [`RESULTS`]: parts of outputs that never occur here.
const NEVER_THERE: [&str; 6] = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];
/// The passages that `file_search` found.
pub(super) const RESULTS: &str = "file_search_call.results";

fn plain_text(text: &Value) -> bool {
    let format = &text["format"];
    format.is_null() || format["type"] == "text"
}

/// What is to be answered. OpenAI's other parameters are accepted where ignoring them is harmless (`user`, `reasoning`, `service_tier`, …)
/// and refused with `unsupported_parameter` where it would not be (other tools than `file_search`, `conversation`, `prompt`, JSON as
/// `text.format`, …).
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"model": "ragline", "input": "How long is the notice period?",
    "tools": [{"type": "file_search", "vector_store_ids": ["vs_0198f2a4-7b12-7e44-9a03-1c2d3e4f5a6b"]}]}))]
pub(crate) struct ResponseBody {
    /// The pipeline's generation model, or `ragline`, which it is when absent.
    pub(super) model: Option<String>,
    /// A question, or up to 1,000 messages whose last turn is the user's. Contents are a text or parts of text; of earlier outputs,
    /// calls of `file_search` are passed over.
    #[schema(value_type = InputBody)]
    input: Value,
    /// What the answer should be like; counts for this response alone.
    instructions: Option<String>,
    /// Goes on from a response of this workspace that was kept.
    previous_response_id: Option<String>,
    /// Server-sent events while the answer is written.
    stream: Option<bool>,
    /// Keep the response, as is done when absent.
    store: Option<bool>,
    /// Answer at once with a response `in_progress`, to be fetched later; not with `stream`, and only with `store`.
    background: Option<bool>,
    /// At most one, `file_search`.
    #[schema(value_type = Option<Vec<tools::FileSearchBody>>)]
    tools: Option<Vec<Value>>,
    /// `auto`, `required` or `{"type": "file_search"}`: the tool is always used.
    tool_choice: Option<Value>,
    /// `file_search_call.results` adds the passages to the call.
    include: Option<Vec<String>>,
    /// At most 16 pairs of texts.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// 0 to 2; the pipeline's `generation.temperature` when absent.
    temperature: Option<f64>,
    /// 0 to 1; the pipeline's `generation.topP` when absent.
    top_p: Option<f64>,
    /// Tokens of the answer; the pipeline's `generation.maxTokens` when absent.
    max_output_tokens: Option<u32>,
    /// What becomes of a conversation that finds no room in the model's context; `auto` when absent.
    truncation: Option<Truncation>,
    /// Told back, and nothing else: there is one call at most.
    parallel_tool_calls: Option<bool>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Map<String, Value>,
}

/// What becomes of a conversation that finds no room.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Truncation {
    /// Its oldest messages are left out.
    #[default]
    Auto,
    /// The request is refused with `context_length_exceeded`.
    Disabled,
}

/// The shape of `input`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum InputBody {
    Question(String),
    #[schema(value_type = Vec<Object>)]
    Items(Vec<Value>),
}

/// What is said, before the conversation that it goes on from is known.
pub(super) struct Asked {
    pub(super) instructions: Option<String>,
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) truncation: Truncation,
}

/// A request that can be answered.
pub(super) struct Checked {
    pub(super) asked: Asked,
    pub(super) draft: Draft,
    pub(super) retrieving: Retrieving,
    pub(super) streams: bool,
}

impl ResponseBody {
    pub(super) fn checked(self, model: String) -> Result<Checked, ApiError> {
        let Self {
            model: _,
            input,
            instructions,
            previous_response_id,
            stream,
            store,
            background,
            tools,
            tool_choice,
            include,
            metadata,
            temperature,
            top_p,
            max_output_tokens,
            truncation,
            parallel_tool_calls,
            rest,
        } = self;
        KNOWN.check(&rest)?;
        let (narrow, narrow_top) = (temperature.map(|t| t as f32), top_p.map(|p| p as f32));
        check_sampling(narrow, narrow_top, ("max_output_tokens", max_output_tokens))?;
        let (streams, store, background) = checked_manner(stream, store, background)?;
        let tool = tools::checked(tools)?;
        let tool_choice = checked_choice(tool_choice, tool.is_some())?;
        let with_results = with_results(include)?;
        let previous = previous_response_id.map(|id| previous(&id)).transpose()?;
        let instructions = instructions.map(|text| clean(&text));
        let (tool, retrieving) = tool.map_or((None, Retrieving::default()), |(tool, found)| (Some(tool), found));
        let mut draft = Draft::new(model, messages(&input)?, tool, with_results);
        draft.store = store;
        draft.view.background = background;
        draft.view.instructions.clone_from(&instructions);
        draft.view.previous_response_id = previous;
        draft.view.metadata =
            attributes::metadata(metadata).map_err(|error| ApiError { code: ErrorCode::InvalidMetadata, ..error })?;
        draft.view.tool_choice = tool_choice;
        draft.view.temperature = temperature;
        draft.view.top_p = top_p;
        draft.view.max_output_tokens = max_output_tokens;
        draft.view.truncation = truncation.unwrap_or_default();
        draft.view.parallel_tool_calls = parallel_tool_calls.unwrap_or(true);
        let asked = Asked {
            instructions,
            temperature: narrow,
            top_p: narrow_top,
            max_tokens: max_output_tokens,
            truncation: draft.view.truncation,
        };
        Ok(Checked { asked, draft, retrieving, streams })
    }
}

/// Whether the response is streamed, kept, and written in the background.
fn checked_manner(stream: Option<bool>, store: Option<bool>, background: Option<bool>) -> Result<(bool, bool, bool), ApiError> {
    let (streams, store, background) = (stream == Some(true), store != Some(false), background == Some(true));
    if background && (streams || !store) {
        let message = "background is for responses that are fetched later; leave stream out, and store as it is";
        return Err(ApiError::invalid("background", message));
    }
    Ok((streams, store, background))
}

fn previous(id: &str) -> Result<ResponseId, ApiError> {
    id.parse().map_err(|_| unknown_previous())
}

/// What a caller hears who goes on from nothing.
pub(super) fn unknown_previous() -> ApiError {
    let message = "there is no response with this id that has ended";
    ApiError::new(ErrorCode::PreviousResponseNotFound, message).of("previous_response_id")
}

fn checked_choice(choice: Option<Value>, has_tool: bool) -> Result<Value, ApiError> {
    let choice = choice.filter(|choice| !choice.is_null()).unwrap_or_else(|| "auto".into());
    let names_tool = choice == "required" || choice["type"] == "file_search" && choice.as_object().is_some_and(|o| o.len() == 1);
    match choice.as_str() {
        Some("auto") => Ok(choice),
        Some("none") if !has_tool => Ok(choice),
        _ if names_tool && has_tool => Ok(choice),
        _ if names_tool => Err(ApiError::invalid("tool_choice", "tool_choice asks for a tool, and tools has none")),
        _ => Err(unsupported("tool_choice", "file_search is the only tool, and is always used")),
    }
}

fn with_results(include: Option<Vec<String>>) -> Result<bool, ApiError> {
    let mut with_results = false;
    for name in include.unwrap_or_default() {
        match name.as_str() {
            RESULTS => with_results = true,
            "message.output_text.logprobs" => return Err(unsupported("include", "probabilities of tokens are not known")),
            name if NEVER_THERE.contains(&name) => {}
            _ => return Err(ApiError::invalid("include", format!("include may name {RESULTS}"))),
        }
    }
    Ok(with_results)
}

/// The messages of the input; each gets an id of its own.
fn messages(input: &Value) -> Result<Vec<Said>, ApiError> {
    let said = |role, text| Said { id: Uuid::now_v7(), role, text };
    let items = match input {
        Value::String(text) => return Ok(vec![said(Role::User, clean(text))]),
        Value::Array(items) => items,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(ApiError::invalid("input", "input must be a string or a list of messages"));
        }
    };
    check_number("input", items.len())?;
    let mut messages = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let path = format!("input[{place}]");
        let Value::Object(object) = item else {
            return Err(ApiError::invalid(&path, format!("{path} must be an object")));
        };
        match object.get("type").and_then(Value::as_str).unwrap_or("message") {
            "message" => {
                messages.push(said(role(&path, object)?, text(&format!("{path}.content"), object.get("content"))?));
            }
            "file_search_call" | "reasoning" => {}
            "item_reference" => return Err(unsupported(&path, "send the item itself, or go on with previous_response_id")),
            _ => return Err(unsupported(&path, "only messages are read")),
        }
    }
    Ok(messages)
}
