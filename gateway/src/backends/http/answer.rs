//! An answer that a server writes in events: asked for again while not a word of it has come, handed on in pieces from then on.

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    CallError, ModelServer,
    events::Events,
    judge::{self, Refusal},
};
use crate::traits::generator::{Ending, Finish, GenerateError, Piece, Pieces, Usage};

/// An answer may take so many times as long as its first words.
const LONGEST: u32 = 10;

/// What an event says.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// Nothing that concerns the answer.
    Nothing,
    Text(String),
    /// The answer is complete.
    Done,
}

/// How a provider's events become an answer; one value reads one reply.
pub trait Reading: Send + 'static {
    /// Takes the next event.
    ///
    /// # Errors
    /// The event tells of an error, or cannot be read.
    fn read(&mut self, event: &str) -> Result<Step, Refusal>;

    /// After the last event; `None`: the answer broke off.
    fn ending(&self) -> Option<(Usage, Finish)>;
}

/// Has an answer written. `begin` is called once for each try.
///
/// # Errors
/// What the last try came to before the first word.
pub async fn write<R: Reading>(
    server: &ModelServer,
    path: &str,
    body: &(impl Serialize + Sync),
    model: &str,
    begin: impl Fn() -> R + Send,
) -> Result<Pieces, GenerateError> {
    let body = serde_json::to_vec(body).map(Bytes::from);
    let body = body.map_err(|error| server.generate_error(CallError::Malformed(error.to_string())))?;
    let mut backoff = server.backoff();
    loop {
        let first = async {
            let mut answer = Answer { events: server.events(path, body.clone()).await?, reading: begin(), has_words: false };
            Ok((answer.next().await?, answer))
        };
        let refusal = match timeout(server.policy.timeout, first).await {
            Ok(Ok((first, answer))) => return Ok(pieces(server.clone(), model.to_owned(), first, answer)),
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::TimedOut,
        };
        let Some(delay) = backoff.next(&refusal, rand::random::<f64>()) else {
            return Err(server.generate_error(server.error(refusal)));
        };
        tracing::debug!(server.host = %server.host, "a model server did not answer; the next try comes in {delay:?}");
        tokio::time::sleep(delay).await;
    }
}

/// A reply that is being read.
struct Answer<R> {
    events: Events,
    reading: R,
    has_words: bool,
}

/// A piece before it is told which model wrote it.
enum Next {
    Text(String),
    End(Usage, Finish),
}

impl<R: Reading> Answer<R> {
    async fn next(&mut self) -> Result<Next, Refusal> {
        loop {
            let step = match self.events.data.next().await {
                Some(event) => self.reading.read(&event?)?,
                None => Step::Done,
            };
            match step {
                Step::Nothing => {}
                Step::Text(text) => {
                    // An answer does not begin with white space, and one of white space alone is none.
                    let text = if self.has_words { text } else { text.trim_start().to_owned() };
                    if !text.is_empty() {
                        self.has_words = true;
                        return Ok(Next::Text(text));
                    }
                }
                Step::Done => return self.end(),
            }
        }
    }

    fn end(&self) -> Result<Next, Refusal> {
        match self.reading.ending() {
            None if self.events.is_whole => Err(Refusal::Malformed("there is no answer in it".to_owned())),
            None => Err(Refusal::BrokenOff),
            Some((usage, finish)) if self.has_words => Ok(Next::End(usage, finish)),
            Some((_, Finish::Length)) => Err(Refusal::Wordless(
                "it ended before its first word; raise generation.maxTokens, of which thinking takes its part",
            )),
            Some((_, Finish::Stop)) => Err(Refusal::Wordless("it has no text")),
        }
    }
}

fn pieces<R: Reading>(server: ModelServer, model: String, first: Next, answer: Answer<R>) -> Pieces {
    let deadline = Instant::now() + server.policy.timeout.saturating_mul(LONGEST);
    let state = Some((Some(first), answer));
    stream::unfold(state, move |state| {
        let (server, model) = (server.clone(), model.clone());
        async move {
            let (first, mut answer) = state?;
            let next = match first {
                Some(first) => Ok(first),
                None => match timeout_at(deadline, answer.next()).await {
                    Ok(next) => next,
                    Err(_) => Err(Refusal::TimedOut),
                },
            };
            Some(match next {
                Ok(Next::Text(text)) => (Ok(Piece::Text(text)), Some((None, answer))),
                Ok(Next::End(usage, finish)) => (Ok(Piece::End(Ending { model, usage, finish })), None),
                Err(refusal) => (Err(server.generate_error(server.error(refusal))), None),
            })
        }
    })
    .boxed()
}

/// An error that came as an event, judged as if it were a reply of this status.
pub(in crate::backends) fn refused(status: u16, event: &str) -> Refusal {
    judge::refused(if (400..600).contains(&status) { status } else { 500 }, None, event.as_bytes())
}

/// An event that cannot be read.
pub(in crate::backends) fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::Malformed(error.to_string())
}
