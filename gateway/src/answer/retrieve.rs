//! Retrieval: cache → (share | expand → embed → search → fuse → rerank → score → remember) → threshold. Cache, reranker and one leg of two
//! may fail softly; the rest may not.

use std::{sync::Arc, time::Instant};

use ragline_config::{Fusion, Generation, Search, SearchMode};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::{
    cost::Expense,
    flight::Flights,
    legs::{Found, Legs},
    remembered::Remembered,
    request::{AnswerError, Preference, SearchOutcome, SearchRequest},
    rerank, score, similar,
};
use crate::{
    metrics::Metrics,
    redact::Redactor,
    telemetry::stage,
    traits::{
        cache::{Cache, CacheKey, Namespace},
        embedder::{Embedder, Vector},
        filter::Filter,
        rephraser::Rephraser,
        reranker::Reranker,
        search::{Match, Principal, Searcher},
    },
};

/// Finds the passages of a question.
#[derive(Clone, Debug)]
pub struct Retriever {
    pub embedder: Arc<dyn Embedder>,
    pub searcher: Arc<dyn Searcher>,
    pub rephraser: Arc<dyn Rephraser>,
    pub reranker: Arc<dyn Reranker>,
    pub cache: Arc<dyn Cache>,
    pub search: Search,
    pub flights: Flights<Remembered>,
    /// Cosine from which on two questions share results; `None`: no two do.
    pub least_similarity: Option<f32>,
    pub metrics: Metrics,
    /// Tells two installations that share a Valkey apart.
    pub realm: String,
    /// What questions and answers are to be without.
    pub redactor: Redactor,
    /// For the prices of its models.
    pub generation: Generation,
}

/// A search with its defaults filled in.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) text: String,
    pub(super) limit: u32,
    pub(super) mode: SearchMode,
    pub(super) filter: Option<Filter>,
    pub(super) threshold: Option<f32>,
    pub(super) preference: Preference,
}

/// What was found, and the version of the store that all of it was found in, if there is one.
#[derive(Debug)]
pub(super) struct Retrieved {
    pub(super) outcome: SearchOutcome,
    pub(super) version: Option<i64>,
}

impl Retriever {
    /// The best passages, and whether they came from the cache.
    ///
    /// # Errors
    /// No vector or no search: the embedder's or the store's reason.
    pub async fn search(&self, principal: &Principal, request: &SearchRequest, limit: u32) -> Result<SearchOutcome, AnswerError> {
        let query = self.query(request, limit);
        if query.text.is_empty() {
            return Err(AnswerError::EmptyQuestion);
        }
        let version = self.version(principal).await?;
        self.retrieve(principal, &query, version).await.map(|retrieved| retrieved.outcome)
    }

    fn query(&self, request: &SearchRequest, limit: u32) -> Query {
        let SearchRequest { query, limit: _, mode, filter, threshold, collections, preference } = request;
        Query {
            text: self.redacted(query.trim()),
            limit,
            mode: mode.unwrap_or(self.search.mode),
            filter: Filter::within(collections, filter.clone()),
            threshold: *threshold,
            preference: *preference,
        }
    }

    /// The version that lookups in the cache are made under.
    pub(super) async fn version(&self, principal: &Principal) -> Result<i64, AnswerError> {
        self.searcher.store_version(principal.workspace).await.map_err(AnswerError::Search)
    }

    pub(super) async fn retrieve(&self, principal: &Principal, query: &Query, version: i64) -> Result<Retrieved, AnswerError> {
        let begin = Instant::now();
        let key = self.key(principal, query, version);
        let remembered = match self.recall(&key).await {
            None => self.recall_paraphrase(principal, query, version).await,
            found => found,
        };
        let (found, cache_hit) = match remembered {
            Some(remembered) => (Remembered { version: Some(version), ..remembered }, true),
            None => {
                let find = || self.clone().find(principal.clone(), query.clone());
                let shared = self.flights.join(key, find).await?;
                (Arc::unwrap_or_clone(shared), false)
            }
        };
        let Remembered { matches, mode, plan, version, bill } = found;
        let matches = match query.threshold {
            None => matches,
            Some(least) => matches.filtered(|found| found.score.is_some_and(|score| score >= least)),
        };
        self.observe(&matches, begin);
        let outcome = SearchOutcome { matches, cache_hit, mode, plan, took_ms: elapsed_ms(begin), expansion: bill.take() };
        Ok(Retrieved { outcome, version })
    }

    async fn recall(&self, key: &CacheKey) -> Option<Remembered> {
        let span = tracing::debug_span!("cache", stage = "cache");
        let kept = self.cache.load(Namespace::VectorSearch, key).instrument(span).await?;
        kept.decode_with(Remembered::from_bytes).map(Arc::unwrap_or_clone)
    }

    /// What was found for a question that says the same, where that is switched on.
    async fn recall_paraphrase(&self, principal: &Principal, query: &Query, version: i64) -> Option<Remembered> {
        let (least, vector) = (self.least_similarity?, self.paraphrase_vector(query).await?);
        let scope = self.scope(principal, query, version);
        let key = similar::recall(self.cache.as_ref(), &scope, query, &vector, least).await?;
        self.recall(&key).await
    }

    /// The vector that paraphrases are told by. A model that is away is the search's business, not this one's.
    async fn paraphrase_vector(&self, query: &Query) -> Option<Vector> {
        let wanted = self.least_similarity.is_some() && query.mode != SearchMode::Lexical;
        if wanted { self.embed(&query.text).await.ok() } else { None }
    }

    /// Everything that changes a result but for the text. No search has this key, since none has an empty text.
    fn scope(&self, principal: &Principal, query: &Query, version: i64) -> CacheKey {
        self.key(principal, &Query { text: String::new(), ..query.clone() }, version)
    }

    /// Searches, and remembers the result under the version that every snapshot of the search saw. Owns what it needs: it may be
    /// driven by another caller than the one that began it.
    async fn find(self, principal: Principal, query: Query) -> Result<Remembered, AnswerError> {
        let reranks = !query.preference.without_reranker;
        let candidates = self.reranker.candidates().filter(|_| reranks).unwrap_or_default();
        let wanted = candidates.max(query.limit);
        let legs = Legs { retriever: &self, principal: &principal, query: &query, wanted };
        let Found { mut matches, mode, plan, store_version, bill } = legs.run().await?;
        let reranked = !reranks || rerank::order(self.reranker.as_ref(), &query.text, &mut matches, &self.metrics).await;
        matches.truncate(query.limit as usize);
        let calibration = self.searcher.calibration().await.map_err(AnswerError::Search)?;
        score::assign(&mut matches, &query.text, mode, &calibration);
        let remembered = Remembered { matches: matches.into(), mode, plan, version: store_version.filter(|_| reranked), bill };
        if let (Some(version), Some(bytes)) = (remembered.version, remembered.to_bytes()) {
            let key = self.key(&principal, &query, version);
            let span = tracing::debug_span!("remember", stage = "remember");
            self.cache.store(Namespace::VectorSearch, &key, bytes).instrument(span).await;
            if let Some(vector) = self.paraphrase_vector(&query).await {
                let scope = self.scope(&principal, &query, version);
                similar::remember(self.cache.as_ref(), &scope, &query, &vector, &key).await;
            }
        }
        Ok(remembered)
    }

    pub(super) async fn embed(&self, text: &str) -> Result<Vector, AnswerError> {
        let begin = Instant::now();
        let span = tracing::debug_span!("embed", stage = "embed");
        let vector = stage::run(span, self.embedder.embed(text)).await.map_err(AnswerError::Embed)?;
        let provider = self.embedder.provider();
        self.metrics.vector_embedding_generation_time.with_label_values(&[provider]).observe(begin.elapsed().as_secs_f64());
        Ok(vector)
    }

    /// The key under which a search is remembered, for whoever verifies it.
    pub fn search_key(&self, principal: &Principal, request: &SearchRequest, limit: u32, version: i64) -> CacheKey {
        self.key(principal, &self.query(request, limit), version)
    }

    /// Everything that changes the result, but for the threshold, which is applied to what was found. The text stands for the whole
    /// vector, since the model is in the key.
    pub(super) fn key(&self, principal: &Principal, query: &Query, version: i64) -> CacheKey {
        let filter = query.filter.as_ref().map(Filter::canonical).unwrap_or_default();
        let how = (self.fusion(query), &self.search.expansion, query.preference.without_reranker);
        let how = serde_json::to_vec(&how).unwrap_or_default();
        let parts: [&[u8]; 14] = [
            self.realm.as_bytes(),
            &principal.workspace.0.to_le_bytes(),
            principal.workspace_name.as_bytes(),
            self.embedder.model_name().as_bytes(),
            &self.embedder.dimensions().to_le_bytes(),
            query.mode.label().as_bytes(),
            &how,
            self.rephraser.model_name().as_bytes(),
            self.reranker.model_name().as_bytes(),
            &self.reranker.candidates().unwrap_or_default().to_le_bytes(),
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

    /// How the legs of a search become one list.
    pub(super) fn fusion(&self, query: &Query) -> Fusion {
        let own = self.search.fusion.clone();
        match query.preference.weights {
            Some([vector_weight, lexical_weight]) => Fusion { vector_weight, lexical_weight, ..own },
            None => own,
        }
    }

    /// Counts what a language model read and wrote for a search.
    pub(super) fn spend(&self, principal: &Principal, expense: &Expense) {
        self.metrics.count_tokens(expense.usage);
        self.metrics.count_cost(principal.workspace, expense.cost_usd(&self.generation).unwrap_or_default());
    }

    fn observe(&self, matches: &[Match], begin: Instant) {
        self.metrics.vector_search_results_count.observe(matches.len() as f64);
        if let Some(mean) = mean_similarity(matches) {
            self.metrics.vector_search_similarity_avg.observe(mean);
        }
        self.metrics.rag_retrieval_latency.observe(begin.elapsed().as_secs_f64());
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
