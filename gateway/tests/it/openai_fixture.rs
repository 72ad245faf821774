//! Streams of events as a client of OpenAI's reads them.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use futures::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

/// One event.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) event: Option<String>,
    /// JSON, or the text where it is none.
    pub(crate) data: Value,
}

/// A stream that is read bit by bit.
pub(crate) struct Reading {
    body: axum::body::BodyDataStream,
    text: String,
}

/// Begins to read; the head must promise events.
pub(crate) async fn begin(router: &Router, request: Request<Body>) -> Reading {
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert!(response.headers().contains_key("x-request-id"));
    Reading { body: response.into_body().into_data_stream(), text: String::new() }
}

/// Reads a whole stream.
pub(crate) async fn events(router: &Router, request: Request<Body>) -> Vec<Sent> {
    let mut reading = begin(router, request).await;
    let mut all = Vec::new();
    while let Some(sent) = reading.next().await {
        all.push(sent);
    }
    all
}

impl Reading {
    /// The next event; comments are passed over.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if !event.starts_with(':') {
                    return Some(read(&event));
                }
                continue;
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

fn read(text: &str) -> Sent {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned);
    let data = field("data").unwrap();
    Sent { event: field("event"), data: serde_json::from_str(&data).unwrap_or(Value::String(data)) }
}
