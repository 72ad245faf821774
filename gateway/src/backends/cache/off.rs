//! A cache that keeps nothing.

use async_trait::async_trait;
use bytes::Bytes;

use crate::traits::cache::{Cache, CacheKey, Kept, Namespace};

/// Keeps nothing, finds nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoCache;

#[async_trait]
impl Cache for NoCache {
    async fn load(&self, _: Namespace, _: &CacheKey) -> Option<Kept> {
        None
    }

    async fn load_many(&self, _: Namespace, keys: &[CacheKey]) -> Vec<Option<Kept>> {
        vec![None; keys.len()]
    }

    async fn store(&self, _: Namespace, _: &CacheKey, _: Bytes) {}

    async fn store_many(&self, _: Namespace, _: Vec<(CacheKey, Bytes)>) {}

    async fn is_reachable(&self) -> bool {
        true
    }
}
