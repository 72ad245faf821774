//! The model that looks at question and passage together, and orders what the search found.

use std::time::Duration;

use async_trait::async_trait;

/// A reranking model.
#[async_trait]
pub trait Reranker: Send + Sync + std::fmt::Debug {
    /// How relevant each document is to the question, in the order of the documents; only their order among each other means
    /// anything.
    async fn rerank(&self, question: &str, documents: &[&str]) -> Result<Vec<f32>, RerankError>;

    /// Passages that it chooses from; `None`: it is switched off, and the search's own order stays.
    fn candidates(&self) -> Option<u32>;

    /// The model's name; part of the key under which results are remembered.
    fn model_name(&self) -> &str;
}

/// Why there is no order.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    #[error("the reranking server at {host} refuses the key; set RAGLINE_RERANK_API_KEY to a valid one")]
    Unauthorized { host: String },
    #[error("the reranking server at {host} is limiting requests")]
    RateLimited { host: String, retry_after: Option<Duration> },
    #[error("the reranking server at {host} did not answer within {timeout:?}")]
    TimedOut { host: String, timeout: Duration },
    #[error("the reranking server at {host} cannot be reached")]
    Unreachable {
        host: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the reranking server at {host} answered {status}: {message}")]
    Refused { host: String, status: u16, message: String },
    #[error("the reranking server at {host} sent an answer that cannot be read: {what}")]
    Malformed { host: String, what: String },
}
