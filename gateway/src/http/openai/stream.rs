//! An answer as server-sent events while it is written. Ends with the answer, with its deadline, with a failure that is told inside the
//! stream, or when the caller goes away: then it is dropped, and with it what is being written.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    http::{HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};
use serde::Serialize;
use tokio::time::timeout_at;
use tracing::{Instrument, Span};

use crate::{
    answer::{AnswerEvent, AnswerEvents},
    http::{
        answers_stream,
        error::ApiError,
        guard::{self, Deadline},
        observe,
        state::ApiState,
    },
};

/// A comment is sent after so long a silence, so that nothing between here and the caller takes the line for dead.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Keeps proxies from holding events back.
const NO_BUFFERING: (HeaderName, HeaderValue) = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Renders an answer as events of one API.
#[async_trait]
pub(super) trait Writer: Send + 'static {
    /// Before anything is known.
    fn begin(&mut self) -> Vec<Event>;
    /// Of a part of the answer; after [`AnswerEvent::End`] nothing else comes.
    async fn part(&mut self, part: AnswerEvent) -> Vec<Event>;
    /// Last, when there will be no answer.
    async fn fail(&mut self, error: &ApiError) -> Vec<Event>;
}

/// An event whose data is JSON.
pub(super) fn data(value: &impl Serialize) -> Event {
    answers_stream::json(Event::default(), value)
}

struct Writing<W> {
    writer: W,
    /// `None` once it has ended.
    parts: Option<AnswerEvents>,
    /// What is still to be sent.
    events: VecDeque<Event>,
    deadline: Deadline,
    limit: Duration,
    span: Span,
}

/// Answers with events.
pub(super) fn respond(state: &Arc<ApiState>, deadline: Deadline, parts: AnswerEvents, mut writer: impl Writer) -> Response {
    let events = writer.begin().into();
    let limit = state.request_timeout();
    let writing = Writing { writer, parts: Some(parts), events, deadline, limit, span: Span::current() };
    let body = stream::unfold(writing, |mut writing| async move {
        let span = writing.span.clone();
        let event = writing.next().instrument(span).await?;
        Some((Ok::<_, Infallible>(event), writing))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_EVERY).text("still writing");
    ([NO_BUFFERING], Sse::new(body).keep_alive(keep_alive)).into_response()
}

impl<W: Writer> Writing<W> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let parts = self.parts.as_mut()?;
            let failure = match timeout_at(self.deadline.0, parts.next()).await {
                Ok(Some(Ok(part))) => {
                    if matches!(part, AnswerEvent::End(_)) {
                        self.parts = None;
                    }
                    self.events.extend(self.writer.part(part).await);
                    continue;
                }
                Ok(Some(Err(error))) => error.into(),
                Ok(None) => ApiError::internal(),
                Err(_) => guard::timed_out(self.limit),
            };
            // Whatever is still being written is given up.
            self.parts = None;
            observe::log_broken(&failure);
            self.events.extend(self.writer.fail(&failure).await);
        }
    }
}
