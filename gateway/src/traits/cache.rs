//! The cache: a place that may forget at any time. It never fails towards its caller; what goes wrong is counted and is a miss.

use async_trait::async_trait;
use bytes::Bytes;

/// What is kept, and with it the key's prefix and the time to live.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Namespace {
    /// Results of a search.
    VectorSearch,
    /// Vectors of texts.
    Embedding,
    /// Assembled, budgeted context of a question.
    RagContext,
    /// Paraphrases of a question.
    Similarity,
}

impl Namespace {
    /// Every namespace, for tables and tests.
    pub const ALL: [Self; 4] = [Self::VectorSearch, Self::Embedding, Self::RagContext, Self::Similarity];

    /// The prefix of the keys.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::VectorSearch => "vector:search:",
            Self::Embedding => "embedding:",
            Self::RagContext => "rag:context:",
            Self::Similarity => "similarity:",
        }
    }

    /// The value of the metric label `namespace`.
    pub fn label(self) -> &'static str {
        match self {
            Self::VectorSearch => "vector_search",
            Self::Embedding => "embedding",
            Self::RagContext => "rag_context",
            Self::Similarity => "similarity",
        }
    }
}

/// A key without its prefix: the hex SHA-256 over everything that changes the value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CacheKey(pub String);

/// A cache of bytes.
#[async_trait]
pub trait Cache: Send + Sync + std::fmt::Debug {
    /// The value, or `None` where there is none, it expired, or the cache could not be asked.
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Bytes>;

    /// The values in the order of the keys, in one round trip.
    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Bytes>>;

    /// Keeps a value for the namespace's time to live.
    async fn store(&self, namespace: Namespace, key: &CacheKey, value: Bytes);

    /// Keeps many values in one round trip.
    async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>);

    /// Whether the cache answers now; for diagnosis, never for readiness.
    async fn is_reachable(&self) -> bool;
}
