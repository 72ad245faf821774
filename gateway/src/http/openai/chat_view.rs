//! The shapes of a chat completion, whole and in chunks.

use async_trait::async_trait;
use axum::response::sse::Event;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    sources::{ChatFoundView, RaglineView, address, named},
    stream::{Writer, data},
};
use crate::{
    answer::{AnswerEvent, AnswerOutcome},
    http::{answers::UsageView, error::ApiError},
    traits::generator::{Finish, Usage},
};

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompletionView {
    #[schema(example = "chatcmpl-0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10")]
    id: String,
    #[schema(example = "chat.completion")]
    object: &'static str,
    created: i64,
    /// The model that wrote.
    model: String,
    /// Always one.
    choices: Vec<ChoiceView>,
    usage: UsageView,
    /// Beyond OpenAI's API.
    ragline: RaglineView,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChoiceView {
    index: u32,
    message: ChatMessageView,
    /// `stop`, also where one of the request's `stop` ended it, or `length` where the answer was cut off at its most tokens.
    #[schema(example = "stop")]
    finish_reason: &'static str,
    /// Always null.
    logprobs: Option<()>,
}

/// What the model says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatMessageView {
    #[schema(example = "assistant")]
    role: &'static str,
    #[schema(example = "The notice period is three months [1].")]
    content: String,
    /// Always null.
    refusal: Option<()>,
    annotations: Vec<AnnotationView>,
}

/// A marker of the answer and what it names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnnotationView {
    #[serde(rename = "type")]
    #[schema(example = "url_citation")]
    kind: &'static str,
    url_citation: UrlCitationView,
}

/// What a marker names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UrlCitationView {
    /// Characters of the content before the marker.
    start_index: usize,
    /// Characters of the content up to the marker's end.
    end_index: usize,
    /// The document's file name.
    title: String,
    /// `url` or `source_url` of the document's metadata where it is one of the web, else the path of the file or document in this API.
    #[schema(example = "/v1/documents/doc_0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10")]
    url: String,
}

/// A piece of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChunkView {
    id: String,
    #[schema(example = "chat.completion.chunk")]
    object: &'static str,
    created: i64,
    model: String,
    /// One; none in the event with the usage.
    choices: Vec<ChunkChoiceView>,
    /// Present when asked for: null in every event but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<UsageView>)]
    usage: Option<Option<UsageView>>,
    /// Beyond OpenAI's API: in the first event what was found, in the last what [`CompletionView`] has.
    #[serde(skip_serializing_if = "Option::is_none")]
    ragline: Option<ChunkRaglineView>,
}

/// Beyond OpenAI's API.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ChunkRaglineView {
    Found(ChatFoundView),
    Whole(WholeView),
}

/// What the last chunk has of the whole answer. OpenAI's types know no annotations of a delta, so they stand here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeView {
    #[serde(flatten)]
    ragline: RaglineView,
    annotations: Vec<AnnotationView>,
}

/// The next piece.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChunkChoiceView {
    index: u32,
    delta: DeltaView,
    /// Null in every event but the last.
    finish_reason: Option<&'static str>,
    /// Always null.
    logprobs: Option<()>,
}

/// What is added.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct DeltaView {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

impl CompletionView {
    pub(super) fn of(id: String, created: i64, outcome: &AnswerOutcome) -> Self {
        let message = ChatMessageView {
            role: "assistant",
            content: outcome.answer.clone(),
            refusal: None,
            annotations: annotations(outcome),
        };
        Self {
            id,
            object: "chat.completion",
            created,
            model: outcome.model.clone(),
            choices: vec![ChoiceView { index: 0, message, finish_reason: reason(outcome.finish), logprobs: None }],
            usage: usage(outcome.usage),
            ragline: RaglineView::of(outcome),
        }
    }
}

fn annotations(outcome: &AnswerOutcome) -> Vec<AnnotationView> {
    let of = |named: super::sources::Named<'_>| AnnotationView {
        kind: "url_citation",
        url_citation: UrlCitationView {
            start_index: named.start,
            end_index: named.end,
            title: named.source.filename.clone(),
            url: address(named.source),
        },
    };
    named(&outcome.answer, &outcome.marks, &outcome.citations).into_iter().map(of).collect()
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

fn usage(usage: Usage) -> UsageView {
    let Usage { prompt_tokens, completion_tokens } = usage;
    UsageView { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}

/// Writes chunks.
pub(super) struct ChunkWriter {
    id: String,
    created: i64,
    includes_usage: bool,
    model: String,
}

impl ChunkWriter {
    pub(super) fn new(id: String, created: i64, includes_usage: bool) -> Self {
        Self { id, created, includes_usage, model: String::new() }
    }

    fn chunk(&self, delta: DeltaView, finish_reason: Option<&'static str>, ragline: Option<ChunkRaglineView>) -> Event {
        self.event(vec![ChunkChoiceView { index: 0, delta, finish_reason, logprobs: None }], None, ragline)
    }

    fn event(&self, choices: Vec<ChunkChoiceView>, usage: Option<UsageView>, ragline: Option<ChunkRaglineView>) -> Event {
        data(&ChunkView {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: self.includes_usage.then_some(usage),
            ragline,
        })
    }
}

#[async_trait]
impl Writer for ChunkWriter {
    fn begin(&mut self) -> Vec<Event> {
        Vec::new()
    }

    async fn part(&mut self, part: AnswerEvent) -> Vec<Event> {
        match part {
            AnswerEvent::Found { query_id, model, confidence, sources } => {
                self.model = model;
                let delta = DeltaView { role: Some("assistant"), content: Some(String::new()) };
                let found = ChatFoundView::of(query_id, confidence, sources);
                vec![self.chunk(delta, None, Some(ChunkRaglineView::Found(found)))]
            }
            AnswerEvent::Text { text, marks: _ } => {
                vec![self.chunk(DeltaView { content: Some(text), ..DeltaView::default() }, None, None)]
            }
            AnswerEvent::End(outcome) => {
                self.model.clone_from(&outcome.model);
                let whole = WholeView { ragline: RaglineView::of(&outcome), annotations: annotations(&outcome) };
                let whole = ChunkRaglineView::Whole(whole);
                let mut events = vec![self.chunk(DeltaView::default(), Some(reason(outcome.finish)), Some(whole))];
                if self.includes_usage {
                    events.push(self.event(Vec::new(), Some(usage(outcome.usage)), None));
                }
                events.push(Event::default().data("[DONE]"));
                events
            }
        }
    }

    async fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        vec![data(&error.body())]
    }
}
