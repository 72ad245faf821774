//! Reranking by a server. Two dialects are spoken: Cohere's, which Jina and vLLM share, and that of Text
//! Embeddings Inference. A cross-encoder inside the process is deliberately absent: fifty passages would take seconds on one core.

mod wire;

use async_trait::async_trait;
use ragline_config::Rerank;
use url::Url;

use self::wire::Dialect;
use crate::{
    backends::http::{CallError, ClientError, KeySource, ModelServer, Policy},
    traits::reranker::{RerankError, Reranker},
};

/// Somebody waits, and there is an order already: one more try, and soon.
const RETRIES: u32 = 1;
const RETRY_DELAY: std::time::Duration = std::time::Duration::from_millis(100);
/// Bytes of a reply around the relevances, and for each: a server may repeat the document.
const BYTES_BESIDE: usize = 1 << 20;
const BYTES_PER_DOCUMENT: usize = 64 << 10;

/// A reranking model behind `POST {baseUrl}/rerank`.
#[derive(Debug)]
pub struct HttpReranker {
    server: ModelServer,
    dialect: Dialect,
    model: String,
    candidates: u32,
}

impl HttpReranker {
    /// The reranker of the settings, `None` where it is switched off.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(settings: &Rerank, key: KeySource) -> Result<Option<Self>, ClientError> {
        let (Some(dialect), Some(base)) = (Dialect::of(settings.provider), settings.base_url.clone()) else { return Ok(None) };
        Self::at(base, dialect, settings, key).map(Some)
    }

    fn at(base: Url, dialect: Dialect, settings: &Rerank, key: KeySource) -> Result<Self, ClientError> {
        let candidates = settings.candidates;
        let policy = Policy {
            timeout: settings.timeout_seconds.into(),
            retries: RETRIES,
            retry_delay: RETRY_DELAY,
            reply_bytes: BYTES_BESIDE + candidates as usize * BYTES_PER_DOCUMENT,
        };
        let server = ModelServer::new(base, key, policy)?;
        Ok(Self { server, dialect, model: settings.model.clone().unwrap_or_default(), candidates })
    }

    fn error(&self, error: CallError) -> RerankError {
        let host = self.server.host().to_owned();
        match error {
            CallError::Unauthorized => RerankError::Unauthorized { host },
            CallError::RateLimited { retry_after } => RerankError::RateLimited { host, retry_after },
            CallError::TimedOut(timeout) => RerankError::TimedOut { host, timeout },
            CallError::Unreachable(source) => RerankError::Unreachable { host, source },
            CallError::Refused { status, message } => RerankError::Refused { host, status, message },
            CallError::Malformed(what) => RerankError::Malformed { host, what },
        }
    }
}

#[async_trait]
impl Reranker for HttpReranker {
    async fn rerank(&self, question: &str, documents: &[&str]) -> Result<Vec<f32>, RerankError> {
        let request = self.dialect.request(&self.model, question, documents);
        let timeout = self.server.timeout();
        // The tries share one deadline: whoever configured it thought of what a question may cost.
        let body = match tokio::time::timeout(timeout, self.server.post("rerank", &request)).await {
            Ok(body) => body.map_err(|error| self.error(error))?,
            Err(_) => return Err(self.error(CallError::TimedOut(timeout))),
        };
        self.dialect.relevances(&body, documents.len()).map_err(|what| self.error(CallError::Malformed(what)))
    }

    fn candidates(&self) -> Option<u32> {
        Some(self.candidates)
    }

    fn model_name(&self) -> &str {
        &self.model
    }
}
