//! The tier inside the process, bounded in bytes.

use std::time::{Duration, Instant};

use moka::{Expiry, sync::Cache as Moka};

use super::TimesToLive;
use crate::traits::cache::{CacheKey, Kept, Namespace};

/// What an entry weighs besides its value: key, pointers and the cache's own bookkeeping, in bytes.
const ENTRY_OVERHEAD_BYTES: usize = 250;

/// Values of all namespaces.
#[derive(Clone, Debug)]
pub struct MemoryCache {
    entries: Moka<(Namespace, CacheKey), Kept>,
}

#[derive(Debug)]
struct ByNamespace(TimesToLive);

impl Expiry<(Namespace, CacheKey), Kept> for ByNamespace {
    fn expire_after_create(&self, (namespace, _): &(Namespace, CacheKey), _: &Kept, _: Instant) -> Option<Duration> {
        Some(self.0.of(*namespace))
    }
}

impl MemoryCache {
    /// An empty cache of at most `bytes`.
    pub fn new(bytes: u64, times: TimesToLive) -> Self {
        let entries = Moka::builder()
            .max_capacity(bytes)
            .weigher(|(namespace, _), value| weight(*namespace, value))
            .expire_after(ByNamespace(times))
            .build();
        Self { entries }
    }

    /// The value, if it is there and has not expired.
    pub fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Kept> {
        self.entries.get(&(namespace, key.clone()))
    }

    /// Keeps a value.
    pub fn store(&self, namespace: Namespace, key: &CacheKey, value: Kept) {
        self.entries.insert((namespace, key.clone()), value);
    }
}

/// Vectors are read from their bytes; everything else is decoded, and then lies there twice. Passages lie there as they are sent, too.
fn weight(namespace: Namespace, value: &Kept) -> u32 {
    let copies = match namespace {
        Namespace::Embedding => 1,
        Namespace::VectorSearch => 3,
        Namespace::RagContext | Namespace::Similarity => 2,
    };
    u32::try_from(copies * value.bytes().len() + ENTRY_OVERHEAD_BYTES).unwrap_or(u32::MAX)
}
