//! A response as OpenAI's events, numbered from 0.

use async_trait::async_trait;
use axum::response::sse::Event;
use serde::Serialize;
use serde_json::json;

use super::{
    draft::{Draft, Keeping},
    view::{TextPartView, citations},
};
use crate::{
    answer::{AnswerEvent, AnswerOutcome, Citation},
    http::{
        error::ApiError,
        observe,
        openai::stream::{Writer, data},
    },
};

#[derive(Serialize)]
struct Numbered<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    #[serde(flatten)]
    rest: &'a T,
}

#[derive(Serialize)]
struct Whole<'a, T> {
    response: &'a T,
}

/// Writes events.
pub(super) struct EventWriter {
    draft: Draft,
    keeping: Keeping,
    sent: u64,
    sources: Vec<Citation>,
    /// Annotations that were told of.
    annotations: usize,
    /// Items of the output before the message.
    place: usize,
}

impl EventWriter {
    pub(super) fn new(draft: Draft, keeping: Keeping) -> Self {
        let place = usize::from(draft.search().is_some());
        Self { draft, keeping, sent: 0, sources: Vec::new(), annotations: 0, place }
    }

    fn event(&mut self, kind: &'static str, rest: &impl Serialize) -> Event {
        let event = numbered(self.sent, kind, rest);
        self.sent += 1;
        event
    }

    /// An event with the response as it is.
    fn whole(&mut self, kind: &'static str) -> Event {
        let event = numbered(self.sent, kind, &Whole { response: &self.draft.view });
        self.sent += 1;
        event
    }

    fn found(&mut self, model: String, sources: Vec<Citation>) -> Vec<Event> {
        self.draft.found(model, &sources);
        self.sources = sources;
        let mut events = Vec::new();
        if let Some(search) = self.draft.search().cloned() {
            events.push(self.event("response.file_search_call.completed", &json!({"item_id": search.id, "output_index": 0})));
            events.push(self.event("response.output_item.done", &json!({"output_index": 0, "item": search})));
        }
        let message = self.draft.message();
        let (place, item_id) = (self.place, message.id.clone());
        events.push(self.event("response.output_item.added", &json!({"output_index": place, "item": message})));
        let part = TextPartView::of(String::new(), Vec::new());
        let added = json!({"item_id": item_id, "output_index": place, "content_index": 0, "part": part});
        events.push(self.event("response.content_part.added", &added));
        events
    }

    fn text(&mut self, text: &str, marks: &[crate::answer::Mark]) -> Vec<Event> {
        let (place, id) = (self.place, self.draft.message_id.clone());
        let delta = json!({"item_id": id, "output_index": place, "content_index": 0, "delta": text, "logprobs": []});
        let mut events = vec![self.event("response.output_text.delta", &delta)];
        for annotation in citations(marks, &self.sources) {
            let added = json!({
                "item_id": id, "output_index": place, "content_index": 0,
                "annotation_index": self.annotations, "annotation": annotation,
            });
            self.annotations += 1;
            events.push(self.event("response.output_text.annotation.added", &added));
        }
        events
    }

    async fn end(&mut self, outcome: &AnswerOutcome) -> Vec<Event> {
        self.draft.end(outcome);
        if let Err(error) = self.keeping.keep(&self.draft).await {
            let error = error.into();
            observe::log_broken(&error);
            return self.fail(&error).await;
        }
        let (place, id) = (self.place, self.draft.message_id.clone());
        let item = self.draft.written();
        let part = item["content"][0].clone();
        let done = json!({"item_id": id, "output_index": place, "content_index": 0, "text": outcome.answer, "logprobs": []});
        let part = json!({"item_id": id, "output_index": place, "content_index": 0, "part": part});
        let ending = self.draft.ending();
        vec![
            self.event("response.output_text.done", &done),
            self.event("response.content_part.done", &part),
            self.event("response.output_item.done", &json!({"output_index": place, "item": item})),
            self.whole(ending),
        ]
    }
}

fn numbered(sequence_number: u64, kind: &'static str, rest: &impl Serialize) -> Event {
    data(&Numbered { kind, sequence_number, rest }).event(kind)
}

#[async_trait]
impl Writer for EventWriter {
    fn begin(&mut self) -> Vec<Event> {
        let mut events = vec![self.whole("response.created"), self.whole("response.in_progress")];
        if let Some(search) = self.draft.search().cloned() {
            let place = json!({"item_id": search.id, "output_index": 0});
            events.push(self.event("response.output_item.added", &json!({"output_index": 0, "item": search})));
            events.push(self.event("response.file_search_call.in_progress", &place));
            events.push(self.event("response.file_search_call.searching", &place));
        }
        events
    }

    async fn part(&mut self, part: AnswerEvent) -> Vec<Event> {
        match part {
            AnswerEvent::Found { query_id: _, model, confidence: _, sources } => self.found(model, sources),
            AnswerEvent::Text { text, marks } => self.text(&text, &marks),
            AnswerEvent::End(outcome) => self.end(&outcome).await,
        }
    }

    async fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        self.draft.fail(error);
        vec![self.whole("response.failed")]
    }
}
