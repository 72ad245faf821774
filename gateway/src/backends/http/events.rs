//! The events of a reply that comes in pieces. Status is judged before the first; time between two pieces and all bytes are bounded.

use std::time::Duration;

use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use reqwest::{Method, header};
use sse_stream::SseByteStream;

use super::{
    ModelServer, backoff,
    judge::{self, Refusal, Verdict},
};

/// A reply in events.
pub(super) struct Events {
    /// The data of each. Dropping it closes the connection.
    pub(super) data: BoxStream<'static, Result<String, Refusal>>,
    /// Whether the server does not stream and gave its whole answer as one event.
    pub(super) is_whole: bool,
}

/// Carries a refusal through the parser of events.
#[derive(Debug, thiserror::Error)]
#[error("the reply broke off")]
struct Interrupted(Refusal);

impl ModelServer {
    /// Sends JSON and gives the events of the answer.
    pub(super) async fn events(&self, path: &str, body: Bytes) -> Result<Events, Refusal> {
        let reply = self.send(&Method::POST, path, Some(body)).await?;
        let status = reply.status().as_u16();
        let kind = reply.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let streams = kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"));
        if (200..300).contains(&status) && streams {
            return Ok(Events { data: split(reply, self.policy.timeout, self.policy.reply_bytes), is_whole: false });
        }
        let retry_after = backoff::asked(reply.headers(), std::time::SystemTime::now());
        let bytes = self.body(reply).await?;
        match judge::judge(status, retry_after, &bytes) {
            Verdict::Taken => {
                let whole = String::from_utf8(bytes.into()).map_err(|error| Refusal::Malformed(error.to_string()));
                Ok(Events { data: stream::once(async { whole }).boxed(), is_whole: true })
            }
            Verdict::Refused(refusal) => Err(refusal),
        }
    }
}

/// Comments count as life, and for nothing else.
fn split(reply: reqwest::Response, idle: Duration, most: usize) -> BoxStream<'static, Result<String, Refusal>> {
    let pieces = stream::try_unfold((reply, 0_usize), move |(mut reply, read)| async move {
        let piece = match tokio::time::timeout(idle, reply.chunk()).await {
            Ok(piece) => piece.map_err(|error| Interrupted(Refusal::transport(error)))?,
            Err(_) => return Err(Interrupted(Refusal::TimedOut)),
        };
        let Some(piece) = piece else { return Ok(None) };
        let read = read.saturating_add(piece.len());
        if read > most {
            return Err(Interrupted(Refusal::TooLarge { limit: most }));
        }
        Ok(Some((piece, (reply, read))))
    });
    SseByteStream::new(pieces.boxed())
        .map_err(|error| match error {
            sse_stream::Error::Body(source) => match source.downcast::<Interrupted>() {
                Ok(interrupted) => interrupted.0,
                Err(source) => Refusal::Transport(source),
            },
            other => Refusal::Malformed(other.to_string()),
        })
        .try_filter_map(|event| async move { Ok(event.data) })
        .boxed()
}
