//! The cache: a place that may forget at any time. It never fails towards its caller; what goes wrong is counted and is a miss.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use serde::de::DeserializeOwned;

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

/// A value as it was kept. Clones share what was decoded, so that one that stays in the process is decoded once.
#[derive(Clone, Debug)]
pub struct Kept(Arc<KeptBytes>);

#[derive(Debug)]
struct KeptBytes {
    bytes: Bytes,
    /// Empty inside: the bytes are not what was asked for first.
    decoded: OnceLock<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Kept {
    /// The bytes that were stored.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// What the bytes say as JSON; `None` when they do not say a `T`, or were decoded as something else before.
    pub fn decode<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.decode_with(|bytes| serde_json::from_slice(bytes).ok())
    }

    /// The same in another language than JSON.
    pub fn decode_with<T: Send + Sync + 'static>(&self, decode: impl FnOnce(&[u8]) -> Option<T>) -> Option<Arc<T>> {
        let decode = || Some(Arc::new(decode(&self.0.bytes)?) as Arc<dyn Any + Send + Sync>);
        let decoded = self.0.decoded.get_or_init(decode).clone()?;
        decoded.downcast().ok()
    }
}

impl From<Bytes> for Kept {
    fn from(bytes: Bytes) -> Self {
        Self(Arc::new(KeptBytes { bytes, decoded: OnceLock::new() }))
    }
}

/// A cache of bytes.
#[async_trait]
pub trait Cache: Send + Sync + std::fmt::Debug {
    /// The value, or `None` where there is none, it expired, or the cache could not be asked.
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Kept>;

    /// The values in the order of the keys, in one round trip.
    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Kept>>;

    /// Keeps a value for the namespace's time to live.
    async fn store(&self, namespace: Namespace, key: &CacheKey, value: Bytes);

    /// Keeps many values in one round trip.
    async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>);

    /// Whether the cache answers now; for diagnosis, never for readiness.
    async fn is_reachable(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_what_was_decoded() {
        let kept = Kept::from(Bytes::from_static(b"[1,2]"));
        let (once, again) = (kept.decode::<Vec<u8>>().unwrap(), kept.clone().decode::<Vec<u8>>().unwrap());
        assert_eq!(*once, [1, 2]);
        assert!(Arc::ptr_eq(&once, &again));
    }

    #[test]
    fn bytes_that_say_something_else_are_no_value() {
        for bytes in ["", "{", "[1,-2]", "\"text\""] {
            assert_eq!(Kept::from(Bytes::from(bytes)).decode::<Vec<u8>>(), None, "{bytes}");
        }
    }
}
