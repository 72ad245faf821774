//! The shape of a response.
#![expect(unused_qualifications, reason = "the expansion of ToSchema qualifies the types of fields")]

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, OneOfBuilder, Type},
};
use uuid::Uuid;

use super::{request::Truncation, tools::FileSearchBody};
use crate::{
    answer::{Citation, Mark},
    http::{
        ids::ResponseId,
        openai::{attributes::shown, file_reference, sources::RaglineView},
    },
    traits::{generator::Usage, ingest::Metadata},
};

/// A response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResponseView {
    pub(super) id: ResponseId,
    #[schema(example = "response")]
    object: &'static str,
    pub(super) created_at: i64,
    pub(super) completed_at: Option<i64>,
    /// `in_progress`, `completed`, `incomplete` where the answer was cut off, `failed` or `cancelled`.
    #[schema(example = "completed")]
    pub(super) status: &'static str,
    pub(super) background: bool,
    pub(super) error: Option<FailureView>,
    pub(super) incomplete_details: Option<IncompleteView>,
    pub(super) instructions: Option<String>,
    pub(super) max_output_tokens: Option<u32>,
    #[schema(value_type = Object)]
    pub(super) metadata: Map<String, Value>,
    /// The model that wrote.
    pub(super) model: String,
    pub(super) output: Vec<ItemView>,
    pub(super) parallel_tool_calls: bool,
    pub(super) previous_response_id: Option<ResponseId>,
    /// Null: the pipeline's.
    pub(super) temperature: Option<f64>,
    text: TextFormView,
    /// `auto`, or what was asked for.
    #[schema(schema_with = tool_choice_schema)]
    pub(super) tool_choice: Value,
    tools: Vec<FileSearchBody>,
    /// Null: the pipeline's.
    pub(super) top_p: Option<f64>,
    pub(super) truncation: Truncation,
    /// Absent until it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<ResponseUsageView>,
    /// Always null: there are no such programs here, but clients' types want the field.
    access_programs: Option<()>,
    /// Beyond OpenAI's API, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ragline: Option<RaglineView>,
}

/// Why there is no answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// `server_error` or `rate_limit_exceeded`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Why the answer is not whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncompleteView {
    #[schema(example = "max_output_tokens")]
    pub(super) reason: &'static str,
}

/// The form of the answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextFormView {
    format: FormatView,
}

/// Plain text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormatView {
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: &'static str,
}

/// Tokens read and written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResponseUsageView {
    input_tokens: u64,
    input_tokens_details: InputTokensView,
    output_tokens: u64,
    output_tokens_details: OutputTokensView,
    total_tokens: u64,
}

/// Always 0: not told by every provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputTokensView {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

/// Always 0: not told by every provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputTokensView {
    reasoning_tokens: u64,
}

/// A part of the output.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ItemView {
    Search(SearchCallView),
    Message(MessageView),
}

/// What was looked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SearchCallView {
    pub(super) id: String,
    #[serde(rename = "type")]
    #[schema(example = "file_search_call")]
    kind: &'static str,
    pub(super) status: &'static str,
    pub(super) queries: Vec<String>,
    /// The passages, where `include` asks for them.
    pub(super) results: Option<Vec<ResultView>>,
}

/// A passage that was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ResultView {
    file_id: String,
    filename: String,
    score: f32,
    text: String,
    /// The metadata that are texts, numbers or booleans.
    #[schema(value_type = Object)]
    attributes: Metadata,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageView {
    pub(super) id: String,
    #[serde(rename = "type")]
    #[schema(example = "message")]
    kind: &'static str,
    role: &'static str,
    status: &'static str,
    content: Vec<TextPartView>,
}

/// The answer's text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextPartView {
    #[serde(rename = "type")]
    #[schema(example = "output_text")]
    kind: &'static str,
    #[schema(example = "The notice period is three months [1].")]
    text: String,
    annotations: Vec<FileCitationView>,
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    logprobs: [(); 0],
}

/// A marker of the answer and the file that it names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FileCitationView {
    #[serde(rename = "type")]
    #[schema(example = "file_citation")]
    kind: &'static str,
    file_id: String,
    filename: String,
    /// Characters of the text before the marker.
    index: usize,
}

impl ResponseView {
    /// One that is being written.
    pub(super) fn new(model: String, tool: Option<FileSearchBody>) -> Self {
        Self {
            id: ResponseId(Uuid::now_v7()),
            object: "response",
            created_at: chrono::Utc::now().timestamp(),
            completed_at: None,
            status: "in_progress",
            background: false,
            error: None,
            incomplete_details: None,
            instructions: None,
            max_output_tokens: None,
            metadata: Map::new(),
            model,
            output: Vec::new(),
            parallel_tool_calls: true,
            previous_response_id: None,
            temperature: None,
            text: TextFormView { format: FormatView { kind: "text" } },
            tool_choice: "auto".into(),
            tools: tool.into_iter().collect(),
            top_p: None,
            truncation: Truncation::default(),
            usage: None,
            access_programs: None,
            ragline: None,
        }
    }
}

/// A word, or the tool by its type.
fn tool_choice_schema() -> OneOfBuilder {
    let one_of = |words: &[&str]| ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.to_vec()));
    let tool = ObjectBuilder::new().property("type", one_of(&["file_search"])).required("type");
    OneOfBuilder::new().item(one_of(&["auto", "none", "required"])).item(tool).examples([Value::from("auto")])
}

impl SearchCallView {
    /// One that is under way.
    pub(super) fn new() -> Self {
        let id = format!("fs_{}", Uuid::now_v7());
        Self { id, kind: "file_search_call", status: "in_progress", queries: Vec::new(), results: None }
    }
}

impl TextPartView {
    pub(super) fn of(text: String, annotations: Vec<FileCitationView>) -> Self {
        Self { kind: "output_text", text, annotations, logprobs: [] }
    }
}

impl MessageView {
    pub(super) fn of(id: String, status: &'static str, content: Vec<TextPartView>) -> Self {
        Self { id, kind: "message", role: "assistant", status, content }
    }
}

/// The markers whose passage is known, in the order of the text.
pub(super) fn citations(marks: &[Mark], sources: &[Citation]) -> Vec<FileCitationView> {
    let of = |mark: &Mark| {
        let source = &sources.iter().find(|citation| citation.number == mark.number)?.source;
        let (file_id, filename) = (file_reference(source), source.filename.clone());
        Some(FileCitationView { kind: "file_citation", file_id, filename, index: mark.at })
    };
    marks.iter().filter_map(of).collect()
}

pub(super) fn usage(usage: Usage) -> ResponseUsageView {
    let Usage { prompt_tokens, completion_tokens } = usage;
    ResponseUsageView {
        input_tokens: prompt_tokens,
        input_tokens_details: InputTokensView { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: completion_tokens,
        output_tokens_details: OutputTokensView { reasoning_tokens: 0 },
        total_tokens: prompt_tokens + completion_tokens,
    }
}

impl ResultView {
    pub(super) fn of(citation: &Citation) -> Self {
        let found = &citation.source;
        Self {
            file_id: file_reference(found),
            filename: found.filename.clone(),
            score: found.score.unwrap_or_default().clamp(0.0, 1.0),
            text: found.text.clone(),
            attributes: shown(found.metadata.clone()),
        }
    }
}
