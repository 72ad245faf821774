//! The cache's backends: a tier inside the process before a tier in Valkey, or nothing at all. None of them ever fails.

use std::{sync::Arc, time::Duration};

use ragline_config::{Cache as CacheConfig, CacheMode};

use crate::{
    metrics::Metrics,
    traits::cache::{Cache, Namespace},
};

mod connection;
mod embeddings;
mod memory;
mod off;
mod pieces;
mod tiers;
mod valkey;

pub use connection::{ConnectError, Passwords};
pub use embeddings::CachedEmbedder;
pub use memory::MemoryCache;
pub use off::NoCache;
pub use tiers::{TieredCache, forget};
pub use valkey::ValkeyCache;

/// How long values of each namespace are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimesToLive {
    vector_search: Duration,
    embedding: Duration,
    rag_context: Duration,
    similarity: Duration,
}

impl TimesToLive {
    /// As configured.
    pub fn new(config: &CacheConfig) -> Self {
        Self {
            vector_search: config.vector_search_ttl_seconds.into(),
            embedding: config.embedding_ttl_seconds.into(),
            rag_context: config.context_ttl_seconds.into(),
            similarity: config.similarity_ttl_seconds.into(),
        }
    }

    /// The time of one namespace.
    pub fn of(&self, namespace: Namespace) -> Duration {
        match namespace {
            Namespace::VectorSearch => self.vector_search,
            Namespace::Embedding => self.embedding,
            Namespace::RagContext => self.rag_context,
            Namespace::Similarity => self.similarity,
        }
    }
}

/// A cache, and the Valkey in it where there is one.
pub type Opened = (Arc<dyn Cache>, Option<Arc<ValkeyCache>>);

/// The configured cache.
///
/// # Errors
/// An address or certificate that no connection can be made of. A Valkey that is down is no error.
pub fn open(config: &CacheConfig, passwords: &Passwords, metrics: &Metrics) -> Result<Opened, ConnectError> {
    match config.mode {
        CacheMode::Disabled => Ok((Arc::new(NoCache), None)),
        CacheMode::Valkey => {
            let times = TimesToLive::new(config);
            let valkey = Arc::new(ValkeyCache::open(config, passwords, times, metrics.clone())?);
            let memory = MemoryCache::new(config.memory_bytes, times);
            Ok((Arc::new(TieredCache::new(memory, Arc::clone(&valkey), metrics.clone())), Some(valkey)))
        }
    }
}
