//! Requests to model servers: one client with deadlines, bounded replies and tries that follow what the server says. What a reply
//! means is decided in [`judge`], when to try again in [`backoff`]; nothing else here decides.
//!
//! What providers speak is written out by the modules beside this one, on purpose. `genai`, `rig` and `async-openai` were looked at: each
//! brings a client of its own, so that keys could not be rotated, replies not be bounded and `Retry-After` not be honoured as here,
//! and what is used of a provider's API fits on one page. Only the framing of event streams comes from a library, `sse-stream`.

pub mod answer;
pub mod backoff;
pub mod credentials;
mod error;
mod events;
pub mod judge;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ragline_config::{Embedding, Generation};
use reqwest::{
    Method,
    header::{self, HeaderMap},
};
use serde::Serialize;
use tracing::{Instrument, Span, field::Empty};
use url::Url;

use self::{
    backoff::Backoff,
    credentials::Credentials,
    judge::{Refusal, Verdict},
};
use crate::telemetry::{propagation, stage};

/// A connection must stand after this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait before an answer is asked for again.
const GENERATION_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest wait where somebody else can be asked.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// Bytes of an answer with all that a stream repeats around each word; one of 20,000 tokens fits.
const ANSWER_BYTES: usize = 16 << 20;
/// Bytes of one number in a JSON reply, generously.
const BYTES_PER_NUMBER: usize = 32;
/// Bytes of a reply around its numbers.
const BYTES_BESIDE: usize = 1 << 20;

/// How requests to one server are made.
#[derive(Clone, Debug)]
pub struct Policy {
    /// One request may take this long, its reply included. A reply that comes in pieces: until the first, and between two.
    pub timeout: Duration,
    /// Tries after the first.
    pub retries: u32,
    /// Wait before the first retry; doubles each time.
    pub retry_delay: Duration,
    /// A server that asks for a longer wait is given up.
    pub longest_wait: Duration,
    /// Bytes of a reply.
    pub reply_bytes: usize,
}

impl Policy {
    /// How embeddings are asked for.
    pub fn embedding(settings: &Embedding) -> Self {
        let numbers = settings.batch_size as usize * settings.provider.dimensions().unwrap_or_default() as usize;
        Self {
            timeout: settings.timeout_seconds.into(),
            retries: settings.retry_attempts,
            retry_delay: settings.retry_delay_seconds.into(),
            longest_wait: backoff::LONGEST_WAIT,
            reply_bytes: BYTES_BESIDE + numbers * BYTES_PER_NUMBER,
        }
    }

    /// How answers are asked for.
    pub fn generation(settings: &Generation) -> Self {
        Self {
            timeout: settings.timeout_seconds.into(),
            retries: settings.retry_attempts,
            retry_delay: GENERATION_RETRY_DELAY,
            longest_wait: backoff::LONGEST_WAIT,
            reply_bytes: ANSWER_BYTES,
        }
    }

    /// The same where somebody else can be asked: one more try at most, and no long wait before it.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { retries: self.retries.min(1), longest_wait: SHORT_WAIT, ..self }
    }
}

/// A model server.
#[derive(Clone)]
pub struct ModelServer {
    client: reqwest::Client,
    base: Url,
    host: String,
    credentials: Credentials,
    policy: Policy,
}

impl std::fmt::Debug for ModelServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelServer").field("host", &self.host).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Why a call gave nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("the server refuses the key")]
    Unauthorized,
    #[error("the server is limiting requests")]
    RateLimited { retry_after: Option<Duration> },
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the server cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the server answered {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
}

/// The client could not be made: the TLS library refuses its own defaults.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be made")]
pub struct ClientError(#[source] reqwest::Error);

impl ModelServer {
    /// A server whose API begins at `base`, as in `https://api.openai.com/v1`.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(base: Url, credentials: impl Into<Credentials>, policy: Policy) -> Result<Self, ClientError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(policy.timeout))
            // A redirect would carry the key to a host that nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ragline-gateway/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError)?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let host = base.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        Ok(Self { client, base, host, credentials: credentials.into(), policy })
    }

    /// The host, for messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Time that one request may take.
    pub fn timeout(&self) -> Duration {
        self.policy.timeout
    }

    /// Sends JSON and returns the body of the answer. Tries again what may succeed later.
    ///
    /// # Errors
    /// The last try's refusal.
    pub async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Bytes, CallError> {
        let body = serde_json::to_vec(body).map(Bytes::from).map_err(|error| CallError::Malformed(error.to_string()))?;
        self.call(&Method::POST, path, Some(body)).await
    }

    /// One question without a body and without retries.
    ///
    /// # Errors
    /// The refusal.
    pub async fn get(&self, path: &str) -> Result<Bytes, CallError> {
        self.attempt(&Method::GET, path, None).await.map_err(|refusal| self.error(refusal))
    }

    async fn call(&self, method: &Method, path: &str, body: Option<Bytes>) -> Result<Bytes, CallError> {
        let mut backoff = self.backoff();
        loop {
            let refusal = match self.attempt(method, path, body.clone()).await {
                Ok(bytes) => return Ok(bytes),
                Err(refusal) => refusal,
            };
            let Some(delay) = backoff.next(&refusal, rand::random::<f64>()) else { return Err(self.error(refusal)) };
            tracing::debug!(server.host = %self.host, "a model server did not answer; the next try comes in {delay:?}");
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(&self, method: &Method, path: &str, body: Option<Bytes>) -> Result<Bytes, Refusal> {
        match tokio::time::timeout(self.policy.timeout, self.exchange(method, path, body)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Refusal::TimedOut),
        }
    }

    async fn exchange(&self, method: &Method, path: &str, body: Option<Bytes>) -> Result<Bytes, Refusal> {
        let reply = self.send(method, path, body).await?;
        let status = reply.status().as_u16();
        let retry_after = backoff::asked(reply.headers(), std::time::SystemTime::now());
        let bytes = self.body(reply).await?;
        match judge::judge(status, retry_after, &bytes) {
            Verdict::Taken => Ok(bytes),
            Verdict::Refused(refusal) => Err(refusal),
        }
    }

    async fn send(&self, method: &Method, path: &str, body: Option<Bytes>) -> Result<reqwest::Response, Refusal> {
        let span = self.call_span(method);
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.credentials.sign(self.client.request(method.clone(), url));
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let mut headers = HeaderMap::new();
        propagation::inject(&span, &mut headers);
        let reply = request.headers(headers).send().instrument(span.clone()).await.map_err(Refusal::transport);
        match &reply {
            Ok(reply) => {
                let status = reply.status();
                span.record("http.response.status_code", status.as_u16());
                if !status.is_success() {
                    stage::fail(&span, status.as_u16().to_string());
                }
            }
            Err(refusal) => stage::fail(&span, refusal.word()),
        }
        reply
    }

    /// The span of one try, up to the head of its answer. What comes after is the stage's.
    fn call_span(&self, method: &Method) -> Span {
        tracing::debug_span!(
            "call",
            http.request.method = %method,
            server.address = self.base.host_str(),
            server.port = self.base.port_or_known_default(),
            http.response.status_code = Empty,
        )
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.policy.retries, self.policy.retry_delay, self.policy.longest_wait)
    }

    async fn body(&self, mut reply: reqwest::Response) -> Result<Bytes, Refusal> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = reply.chunk().await.map_err(Refusal::transport)? {
            if bytes.len() + piece.len() > self.policy.reply_bytes {
                return Err(Refusal::TooLarge { limit: self.policy.reply_bytes });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    fn error(&self, refusal: Refusal) -> CallError {
        match refusal {
            Refusal::Unauthorized => CallError::Unauthorized,
            Refusal::RateLimited { retry_after } => CallError::RateLimited { retry_after },
            Refusal::TimedOut => CallError::TimedOut(self.policy.timeout),
            Refusal::Transport(source) => CallError::Unreachable(source),
            Refusal::Failing { status, message, retry_after: _ } | Refusal::Denied { status, message } => {
                CallError::Refused { status, message }
            }
            Refusal::TooLarge { limit } => CallError::Malformed(format!("it is larger than {limit} bytes")),
            Refusal::BrokenOff => CallError::Unreachable("the answer broke off".into()),
            Refusal::Malformed(what) => CallError::Malformed(what),
            Refusal::Wordless(why) => CallError::Malformed(why.to_owned()),
        }
    }
}
