//! A cache that remembers which keys were used, so that they can be removed again. It can be told to find nothing for a while.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    backends::cache::{self, ValkeyCache},
    traits::cache::{Cache, CacheKey, Kept, Namespace},
};

/// Passes everything on. What one verification uses is little, so the keys need no bound of their own.
#[derive(Debug)]
pub struct RecordedCache {
    inner: Arc<dyn Cache>,
    used: Mutex<HashSet<(Namespace, CacheKey)>>,
    finds_nothing: AtomicBool,
}

impl RecordedCache {
    /// Records what goes to `inner`.
    pub fn new(inner: Arc<dyn Cache>) -> Self {
        Self { inner, used: Mutex::default(), finds_nothing: AtomicBool::new(false) }
    }

    /// Whether every look-up is a miss from now on, so that values are made afresh.
    pub(super) fn find_nothing(&self, on: bool) {
        self.finds_nothing.store(on, Ordering::Relaxed);
    }

    /// Removes from Valkey what was used. `false`: it does not answer, and the entries stay until their time is over.
    pub(super) async fn forget(&self, valkey: &ValkeyCache) -> bool {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for namespace in Namespace::ALL {
            let keys: Vec<CacheKey> = used.iter().filter(|(n, _)| *n == namespace).map(|(_, key)| key.clone()).collect();
            if cache::forget(valkey, namespace, &keys).await.is_none() {
                return false;
            }
        }
        true
    }

    fn record<'a>(&self, namespace: Namespace, keys: impl Iterator<Item = &'a CacheKey>) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.extend(keys.map(|key| (namespace, key.clone())));
    }
}

#[async_trait]
impl Cache for RecordedCache {
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Kept> {
        self.record(namespace, std::iter::once(key));
        if self.finds_nothing.load(Ordering::Relaxed) { None } else { self.inner.load(namespace, key).await }
    }

    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Kept>> {
        self.record(namespace, keys.iter());
        if self.finds_nothing.load(Ordering::Relaxed) {
            vec![None; keys.len()]
        } else {
            self.inner.load_many(namespace, keys).await
        }
    }

    async fn store(&self, namespace: Namespace, key: &CacheKey, value: Bytes) {
        self.record(namespace, std::iter::once(key));
        self.inner.store(namespace, key, value).await;
    }

    async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>) {
        self.record(namespace, entries.iter().map(|(key, _)| key));
        self.inner.store_many(namespace, entries).await;
    }

    async fn is_reachable(&self) -> bool {
        self.inner.is_reachable().await
    }
}
