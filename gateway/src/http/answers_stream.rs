//! An answer as server-sent events while it is written. Each event has a name and its data as JSON.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::{
    answers::{AnswerView, CitationView, MarkView},
    error::{ApiError, ErrorBody, ErrorCode},
};
use crate::answer::{AnswerEvent, AnswerEvents};

/// A line without meaning is sent this often, so that proxies do not take a model that thinks for a connection that is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The data of an event; the event's name says which.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AnswerEventView {
    /// `found`, the first.
    Found(FoundView),
    /// `text`: the next characters of the answer, whose citations were checked.
    Text(TextView),
    /// `end`, the last: the whole answer.
    End(Box<AnswerView>),
    /// `error`: the last where something failed on the way. What came before it stands.
    Error(ErrorBody),
}

/// What the answer may rest on.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct FoundView {
    pub id: String,
    /// The model that is asked.
    pub model: String,
    /// 0 to 1: the estimated share of such questions whose passages carry an answer.
    pub confidence: f32,
    /// The passages that the answer may cite; none where they carry no answer.
    pub sources: Vec<CitationView>,
}

/// The next characters of an answer.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct TextView {
    pub text: String,
    /// The `[n]` in them; `at` counts from the beginning of the answer.
    pub marks: Vec<MarkView>,
}

/// The response. It takes no longer than `limit`; dropping it gives the answer up.
pub(super) fn response(events: AnswerEvents, limit: Duration) -> Response {
    let events = within(events, limit).map(|event| Ok::<_, Infallible>(rendered(event)));
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // Proxies that collect a response before they pass it on would make a stream useless.
    ([("x-accel-buffering", "no")], sse).into_response()
}

fn within(events: AnswerEvents, limit: Duration) -> impl Stream<Item = Result<AnswerEvent, ApiError>> {
    let deadline = Instant::now() + limit;
    stream::unfold(Some(events), move |events| async move {
        let mut events = events?;
        match timeout_at(deadline, events.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(event))) => Some((Ok(event), Some(events))),
            Ok(Some(Err(error))) => Some((Err(error.into()), None)),
            Err(_) => {
                let message = format!("the answer took longer than {} s (limits.requestTimeoutSeconds)", limit.as_secs());
                Some((Err(ApiError::new(ErrorCode::RequestTimedOut, message)), None))
            }
        }
    })
}

fn rendered(event: Result<AnswerEvent, ApiError>) -> Event {
    let (name, view) = match event {
        Ok(AnswerEvent::Found { query_id, model, confidence, sources }) => {
            let sources = sources.into_iter().map(Into::into).collect();
            ("found", AnswerEventView::Found(FoundView { id: query_id.to_string(), model, confidence, sources }))
        }
        Ok(AnswerEvent::Text { text, marks }) => {
            ("text", AnswerEventView::Text(TextView { text, marks: marks.into_iter().map(Into::into).collect() }))
        }
        Ok(AnswerEvent::End(outcome)) => ("end", AnswerEventView::End(Box::new((*outcome).into()))),
        Err(error) => {
            log(&error);
            ("error", AnswerEventView::Error(error.body()))
        }
    };
    json(Event::default().event(name), &view)
}

/// The event with data in JSON. As a whole: an event looks for line ends in each piece that is written to it.
pub(super) fn json(event: Event, value: &impl Serialize) -> Event {
    event.data(serde_json::to_string(value).expect("a view holds nothing that JSON lacks"))
}

/// The status line was sent long before, so the layer that logs errors does not see this one.
fn log(error: &ApiError) {
    let cause = error.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
    tracing::error!(error.code = %error.code.word(), error.cause = cause, "an answer broke off with {}", error.code.word());
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use uuid::Uuid;

    use super::*;
    use crate::{
        answer::{AnswerError, Mark},
        traits::generator::GenerateError,
    };

    fn found() -> Result<AnswerEvent, AnswerError> {
        let (query_id, model) = (Uuid::nil(), "made-up".to_owned());
        Ok(AnswerEvent::Found { query_id, model, confidence: 0.75, sources: Vec::new() })
    }

    async fn text(events: AnswerEvents) -> String {
        let body = response(events, Duration::from_millis(50)).into_body();
        String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().into()).unwrap()
    }

    #[tokio::test]
    async fn an_error_on_the_way_is_the_last_event() {
        let written = AnswerEvent::Text { text: "So\nit is [1].".into(), marks: vec![Mark { number: 1, at: 9 }] };
        let error = AnswerError::Generate(GenerateError::RateLimited { host: "secret.example".into(), retry_after: None });
        let text = text(stream::iter([found(), Ok(written), Err(error), found()]).boxed()).await;
        let events: Vec<_> = text.trim().split("\n\n").collect();
        assert_eq!(
            events[0],
            "event: found\ndata: {\"id\":\"00000000-0000-0000-0000-000000000000\",\"model\":\"made-up\",\"confidence\":0.75,\"sources\":[]}"
        );
        assert_eq!(events[1], "event: text\ndata: {\"text\":\"So\\nit is [1].\",\"marks\":[{\"number\":1,\"at\":9}]}");
        assert!(events[2].starts_with("event: error\ndata: {\"error\":{\"message\":"), "{}", events[2]);
        assert!(events[2].contains("\"code\":\"provider_rate_limited\"") && !text.contains("secret.example"));
        assert_eq!(events.len(), 3);
    }

    #[tokio::test]
    async fn a_stream_that_takes_too_long_says_so() {
        let text = text(stream::iter([found()]).chain(stream::pending()).boxed()).await;
        assert!(text.contains("event: found") && text.contains("request_timed_out"), "{text}");
    }
}
