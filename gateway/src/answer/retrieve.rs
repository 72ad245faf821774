//! Retrieval: cache → embed → search → threshold → remember. The cache may fail softly; the rest may not.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::request::{AnswerError, SearchOutcome, SearchRequest};
use crate::{
    metrics::Metrics,
    traits::{
        cache::{Cache, CacheKey, Namespace},
        embedder::Embedder,
        filter::Filter,
        search::{Match, Nearest, NearestQuery, Principal, SearchPlan, Searcher},
    },
};

/// Finds the passages of a question.
#[derive(Clone, Debug)]
pub struct Retriever {
    pub embedder: Arc<dyn Embedder>,
    pub searcher: Arc<dyn Searcher>,
    pub cache: Arc<dyn Cache>,
    pub metrics: Metrics,
    /// Tells two installations that share a Valkey apart.
    pub realm: String,
}

/// A search with its defaults filled in.
#[derive(Clone, Debug)]
pub(super) struct Query<'a> {
    pub(super) text: &'a str,
    pub(super) limit: u32,
    pub(super) filter: Option<&'a Filter>,
    pub(super) threshold: Option<f32>,
}

/// What was found, and the version of the store that it was found in.
#[derive(Debug)]
pub(super) struct Retrieved {
    pub(super) outcome: SearchOutcome,
    pub(super) version: i64,
}

/// What the cache keeps of a search.
#[derive(Deserialize, Serialize)]
struct Remembered {
    matches: Vec<Match>,
    plan: SearchPlan,
}

impl Retriever {
    /// The best passages, and whether they came from the cache.
    ///
    /// # Errors
    /// No vector or no search: the embedder's or the store's reason.
    pub async fn search(&self, principal: &Principal, request: &SearchRequest, limit: u32) -> Result<SearchOutcome, AnswerError> {
        let text = request.query.trim();
        if text.is_empty() {
            return Err(AnswerError::EmptyQuestion);
        }
        let query = Query { text, limit, filter: request.filter.as_ref(), threshold: request.threshold };
        let version = self.version(principal).await?;
        self.retrieve(principal, &query, version).await.map(|retrieved| retrieved.outcome)
    }

    /// The version that lookups in the cache are made under.
    pub(super) async fn version(&self, principal: &Principal) -> Result<i64, AnswerError> {
        self.searcher.store_version(principal.workspace).await.map_err(AnswerError::Search)
    }

    pub(super) async fn retrieve(
        &self,
        principal: &Principal,
        query: &Query<'_>,
        version: i64,
    ) -> Result<Retrieved, AnswerError> {
        let begin = Instant::now();
        let key = self.key(principal, query, version);
        let (remembered, version, cache_hit) = match self.recall(&key).await {
            Some(remembered) => (remembered, version, true),
            None => {
                let (remembered, version) = self.find(principal, query).await?;
                (remembered, version, false)
            }
        };
        let matches = above(remembered.matches, query.threshold);
        self.observe(&matches, begin);
        let outcome = SearchOutcome { matches, cache_hit, plan: remembered.plan, took_ms: elapsed_ms(begin) };
        Ok(Retrieved { outcome, version })
    }

    async fn recall(&self, key: &CacheKey) -> Option<Remembered> {
        let span = tracing::debug_span!("cache", stage = "cache");
        let bytes = self.cache.load(Namespace::VectorSearch, key).instrument(span).await?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Embeds and searches, and remembers the result under the version of the search's own snapshot.
    async fn find(&self, principal: &Principal, query: &Query<'_>) -> Result<(Remembered, i64), AnswerError> {
        let span = tracing::debug_span!("embed", stage = "embed");
        let vector = self.embed(query.text).instrument(span).await?;
        let nearest = NearestQuery { workspace: principal.workspace, vector, limit: query.limit, filter: query.filter.cloned() };
        let span = tracing::debug_span!("search", stage = "search");
        let begin = Instant::now();
        let found = self.searcher.nearest(&nearest).instrument(span).await.map_err(AnswerError::Search)?;
        let Nearest { matches, store_version, plan } = found;
        self.metrics.postgresql_vector_query_time.with_label_values(&[plan.label()]).observe(begin.elapsed().as_secs_f64());
        let remembered = Remembered { matches, plan };
        if let Ok(bytes) = serde_json::to_vec(&remembered) {
            let key = self.key(principal, query, store_version);
            self.cache.store(Namespace::VectorSearch, &key, Bytes::from(bytes)).await;
        }
        Ok((remembered, store_version))
    }

    async fn embed(&self, text: &str) -> Result<Vec<f32>, AnswerError> {
        let begin = Instant::now();
        let vector = self.embedder.embed(text).await.map_err(AnswerError::Embed)?;
        let provider = self.embedder.provider();
        self.metrics.vector_embedding_generation_time.with_label_values(&[provider]).observe(begin.elapsed().as_secs_f64());
        Ok(vector)
    }

    /// The key under which a search is remembered, for whoever verifies it.
    pub fn search_key(&self, principal: &Principal, request: &SearchRequest, limit: u32, version: i64) -> CacheKey {
        let query = Query { text: request.query.trim(), limit, filter: request.filter.as_ref(), threshold: request.threshold };
        self.key(principal, &query, version)
    }

    /// Everything that changes the result, but for the threshold, which is applied to what was found. The text stands for the whole
    /// vector, since the model is in the key.
    pub(super) fn key(&self, principal: &Principal, query: &Query<'_>, version: i64) -> CacheKey {
        let filter = query.filter.map(Filter::canonical).unwrap_or_default();
        let parts: [&[u8]; 9] = [
            self.realm.as_bytes(),
            &principal.workspace.0.to_le_bytes(),
            principal.workspace_name.as_bytes(),
            self.embedder.model_name().as_bytes(),
            &self.embedder.dimensions().to_le_bytes(),
            query.text.as_bytes(),
            filter.as_bytes(),
            &query.limit.to_le_bytes(),
            &version.to_le_bytes(),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        CacheKey(hex::encode(hash.finalize()))
    }

    fn observe(&self, matches: &[Match], begin: Instant) {
        self.metrics.vector_search_results_count.observe(matches.len() as f64);
        if let Some(mean) = mean_similarity(matches) {
            self.metrics.vector_search_similarity_avg.observe(mean);
        }
        self.metrics.rag_retrieval_latency.observe(begin.elapsed().as_secs_f64());
    }
}

/// The matches whose score, or cosine where the space has no calibration, is not below the threshold.
fn above(matches: Vec<Match>, threshold: Option<f32>) -> Vec<Match> {
    match threshold {
        None => matches,
        Some(least) => matches.into_iter().filter(|m| m.score.or(m.similarity).is_some_and(|score| score >= least)).collect(),
    }
}

/// Mean cosine, `None` without any.
pub(super) fn mean_similarity(matches: &[Match]) -> Option<f64> {
    let known: Vec<f64> = matches.iter().filter_map(|m| m.similarity).map(f64::from).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

pub(super) fn elapsed_ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1_000.0
}
