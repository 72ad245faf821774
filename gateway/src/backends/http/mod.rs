//! Requests to model servers: one client with deadlines, bounded replies and tries that follow what the server says. What a reply
//! means is decided in [`judge`], when to try again in [`backoff`]; nothing else here decides.

pub mod backoff;
pub mod judge;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use self::{
    backoff::Backoff,
    judge::{Refusal, Verdict},
};

/// Gives the API key as it is now; asked before each request, so a rotated key takes effect.
pub type KeySource = Arc<dyn Fn() -> Option<SecretString> + Send + Sync>;

/// A connection must stand after this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How requests to one server are made.
#[derive(Clone, Debug)]
pub struct Policy {
    /// One request may take this long, its reply included.
    pub timeout: Duration,
    /// Tries after the first.
    pub retries: u32,
    /// Wait before the first retry; doubles each time.
    pub retry_delay: Duration,
    /// Bytes of a reply.
    pub reply_bytes: usize,
}

/// A model server.
#[derive(Clone)]
pub struct ModelServer {
    client: reqwest::Client,
    base: Url,
    host: String,
    key: KeySource,
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
    pub fn new(base: Url, key: KeySource, policy: Policy) -> Result<Self, ClientError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(policy.timeout))
            // A redirect would carry the key to a host that nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ragline-gateway/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError)?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let host = base.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        Ok(Self { client, base, host, key, policy })
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
        let mut backoff = Backoff::new(self.policy.retries, self.policy.retry_delay);
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
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.client.request(method.clone(), url);
        if let Some(key) = (self.key)() {
            request = request.bearer_auth(key.expose_secret());
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let reply = request.send().await.map_err(Refusal::transport)?;
        let status = reply.status().as_u16();
        let header = reply.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| backoff::retry_after(value, std::time::SystemTime::now()));
        let bytes = self.body(reply).await?;
        match judge::judge(status, retry_after, &bytes) {
            Verdict::Taken => Ok(bytes),
            Verdict::Refused(refusal) => Err(refusal),
        }
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
        }
    }
}
