//! Two tiers: the process before Valkey. A hit in Valkey is copied into the process. Hits and misses are those of both together.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    MemoryCache, ValkeyCache,
    pieces::{self, Folded},
};
use crate::{
    metrics::Metrics,
    traits::cache::{Cache, CacheKey, Kept, Namespace},
};

/// The cache of a gateway with Valkey.
#[derive(Debug)]
pub struct TieredCache {
    memory: MemoryCache,
    valkey: Arc<ValkeyCache>,
    metrics: Metrics,
}

impl TieredCache {
    /// Puts `memory` before `valkey`.
    pub fn new(memory: MemoryCache, valkey: Arc<ValkeyCache>, metrics: Metrics) -> Self {
        Self { memory, valkey, metrics }
    }

    fn count(&self, namespace: Namespace, hits: usize, misses: usize) {
        let label = [namespace.label()];
        let hits_total = self.metrics.valkey_hits.with_label_values(&label);
        let misses_total = self.metrics.valkey_misses.with_label_values(&label);
        hits_total.inc_by(hits as u64);
        misses_total.inc_by(misses as u64);
        if namespace == Namespace::VectorSearch {
            let lookups = hits_total.get() + misses_total.get();
            self.metrics.vector_cache_hit_rate_ratio.set(hits_total.get() as f64 / lookups.max(1) as f64);
        }
    }
}

/// Removes values from Valkey with the passages that they name; others that name them are a miss then. `None`: it does not answer.
pub async fn forget(valkey: &ValkeyCache, namespace: Namespace, keys: &[CacheKey]) -> Option<()> {
    let mut gone = keys.to_vec();
    if namespace == Namespace::VectorSearch {
        let stored = valkey.load_many(namespace, keys).await;
        gone.extend(stored.iter().flatten().filter_map(|stored| pieces::named(stored)).flatten());
    }
    valkey.remove_many(namespace, &gone).await.map(drop)
}

/// Results of searches share passages: see [`pieces`].
impl TieredCache {
    async fn load_below(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Bytes>> {
        let stored = self.valkey.load_many(namespace, keys).await;
        if namespace != Namespace::VectorSearch {
            return stored;
        }
        let named: Vec<_> = stored.iter().map(|stored| pieces::named(stored.as_deref()?)).collect();
        let wanted: Vec<CacheKey> = named.iter().flatten().flatten().cloned().collect();
        if wanted.is_empty() {
            return stored;
        }
        let mut found = self.valkey.load_many(namespace, &wanted).await.into_iter();
        let whole = |(stored, named): (Option<Bytes>, Option<Vec<CacheKey>>)| {
            let parts: Vec<_> = found.by_ref().take(named.as_ref()?.len()).collect();
            pieces::unfold(stored?, &parts)
        };
        stored.into_iter().zip(named).map(whole).collect()
    }

    async fn store_below(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>) {
        if namespace != Namespace::VectorSearch {
            return self.valkey.store_many(namespace, entries).await;
        }
        // Packing what is not sent would be for nothing.
        if self.valkey.rests() {
            return;
        }
        let mut stored = Vec::new();
        for (key, value) in entries {
            let Folded { value, pieces } = pieces::fold(&value);
            // Before the value that names them.
            stored.extend(pieces);
            stored.push((key, value));
        }
        self.valkey.store_many(namespace, stored).await;
    }
}

#[async_trait]
impl Cache for TieredCache {
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Kept> {
        self.load_many(namespace, std::slice::from_ref(key)).await.pop().flatten()
    }

    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Kept>> {
        let mut values: Vec<Option<Kept>> = keys.iter().map(|key| self.memory.load(namespace, key)).collect();
        let absent: Vec<usize> = (0..keys.len()).filter(|&i| values[i].is_none()).collect();
        if !absent.is_empty() {
            let wanted: Vec<CacheKey> = absent.iter().map(|&i| keys[i].clone()).collect();
            for (i, found) in absent.into_iter().zip(self.load_below(namespace, &wanted).await) {
                if let Some(value) = found.map(Kept::from) {
                    self.memory.store(namespace, &keys[i], value.clone());
                    values[i] = Some(value);
                }
            }
        }
        let hits = values.iter().flatten().count();
        self.count(namespace, hits, keys.len() - hits);
        values
    }

    async fn store(&self, namespace: Namespace, key: &CacheKey, value: Bytes) {
        self.store_many(namespace, vec![(key.clone(), value)]).await;
    }

    async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>) {
        for (key, value) in &entries {
            self.memory.store(namespace, key, value.clone().into());
        }
        self.store_below(namespace, entries).await;
    }

    async fn is_reachable(&self) -> bool {
        self.valkey.is_reachable().await
    }
}
