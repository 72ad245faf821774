//! A language model that costs nothing: it speaks OpenAI's chat stream and says when it sent each sentence.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
    routing::post,
};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Sentences of one answer.
pub(crate) const SENTENCES: u64 = 50;
/// What a sentence begins with that says when it was sent.
pub(crate) const STAMP: &str = "Sent at";

/// How fast the provider writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    every_ms: AtomicU64,
    asked_bytes: AtomicU64,
}

impl Pace {
    /// So long between two sentences of every answer that is asked for from now on.
    pub(crate) fn set(&self, every: Duration) {
        self.0.every_ms.store(u64::try_from(every.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes of the last question.
    pub(crate) fn asked_bytes(&self) -> usize {
        self.0.asked_bytes.load(Ordering::Relaxed) as usize
    }

    fn begin(&self, asked: &Bytes) -> Duration {
        self.0.asked_bytes.store(asked.len() as u64, Ordering::Relaxed);
        Duration::from_millis(self.0.every_ms.load(Ordering::Relaxed))
    }
}

/// Serves on the port until the process ends.
pub(crate) async fn serve(port: u16) -> anyhow::Result<Pace> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let pace = Pace::default();
    let asked = pace.clone();
    let routes = Router::new().route("/v1/chat/completions", post(move |body: Bytes| answer(asked.begin(&body))));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(pace)
}

/// Microseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// When the sentence in a text was sent.
pub(crate) fn stamp(text: &str) -> Option<u64> {
    let (_, after) = text.split_once(STAMP)?;
    after.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

async fn answer(every: Duration) -> impl IntoResponse {
    let sentences = stream::iter(0..SENTENCES).then(move |number| async move {
        if number > 0 {
            tokio::time::sleep(every).await;
        }
        chunk(json!({"content": format!("{STAMP} {} by the clock of the provider. ", now())}), Value::Null)
    });
    let end = stream::iter([
        chunk(json!({}), json!("stop")),
        Event::default().data(
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [],
                "usage": {"prompt_tokens": 100, "completion_tokens": SENTENCES, "total_tokens": 100 + SENTENCES}})
            .to_string(),
        ),
        Event::default().data("[DONE]"),
    ]);
    Sse::new(sentences.chain(end).map(Ok::<_, Infallible>))
}

fn chunk(delta: Value, finish: Value) -> Event {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let body = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [choice]});
    Event::default().data(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_when_it_was_sent() {
        assert_eq!(stamp("… Sent at 1764460000000000 by the clock of the provider. "), Some(1_764_460_000_000_000));
        assert_eq!(stamp("nothing"), None);
    }
}
