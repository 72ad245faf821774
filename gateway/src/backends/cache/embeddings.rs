//! An embedder that remembers: vectors of texts that were embedded before come from the cache.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::traits::{
    cache::{Cache, CacheKey, Namespace},
    embedder::{EmbedError, Embedder, Tokenizer, Vector},
};

/// Puts a cache before an embedder.
#[derive(Debug)]
pub struct CachedEmbedder {
    inner: Arc<dyn Embedder>,
    cache: Arc<dyn Cache>,
}

impl CachedEmbedder {
    /// Puts `cache` before `inner`.
    pub fn new(inner: Arc<dyn Embedder>, cache: Arc<dyn Cache>) -> Self {
        Self { inner, cache }
    }

    fn key(&self, text: &str) -> CacheKey {
        let mut hash = Sha256::new();
        for part in [
            self.inner.provider().as_bytes(),
            self.inner.model_name().as_bytes(),
            &self.dimensions().to_le_bytes(),
            text.as_bytes(),
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        CacheKey(hex::encode(hash.finalize()))
    }

    /// `None` for bytes that are no vector of this model.
    fn decode(&self, bytes: &[u8]) -> Option<Vector> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        let vector: Vector = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
        (rest.is_empty() && vector.len() == self.dimensions() as usize && vector.iter().all(|x| x.is_finite())).then_some(vector)
    }
}

fn encode(vector: &[f32]) -> Bytes {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>().into()
}

#[async_trait]
impl Embedder for CachedEmbedder {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        let key = self.key(text);
        if let Some(vector) = self.cache.load(Namespace::Embedding, &key).await.and_then(|kept| self.decode(kept.bytes())) {
            return Ok(vector);
        }
        let vector = self.inner.embed(text).await?;
        self.cache.store(Namespace::Embedding, &key, encode(&vector)).await;
        Ok(vector)
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        let keys: Vec<CacheKey> = texts.iter().map(|text| self.key(text)).collect();
        let cached = self.cache.load_many(Namespace::Embedding, &keys).await;
        let mut vectors: Vec<Option<Vector>> =
            cached.into_iter().map(|kept| kept.and_then(|kept| self.decode(kept.bytes()))).collect();
        let absent: Vec<usize> = (0..texts.len()).filter(|&i| vectors[i].is_none()).collect();
        if !absent.is_empty() {
            let wanted: Vec<String> = absent.iter().map(|&i| texts[i].clone()).collect();
            let fresh = self.inner.embed_batch(&wanted).await?;
            let entries = absent.iter().zip(&fresh).map(|(&i, vector)| (keys[i].clone(), encode(vector))).collect();
            self.cache.store_many(Namespace::Embedding, entries).await;
            for (i, vector) in absent.into_iter().zip(fresh) {
                vectors[i] = Some(vector);
            }
        }
        Ok(vectors.into_iter().flatten().collect())
    }

    fn dimensions(&self) -> u32 {
        self.inner.dimensions()
    }

    fn model_name(&self) -> &str {
        self.inner.model_name()
    }

    fn provider(&self) -> &'static str {
        self.inner.provider()
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.inner.tokenizer()
    }

    fn can_be_shortened(&self) -> bool {
        self.inner.can_be_shortened()
    }

    fn window_tokens(&self) -> Option<usize> {
        self.inner.window_tokens()
    }

    async fn health(&self) -> Result<(), EmbedError> {
        self.inner.health().await
    }
}
