//! A retriever around a model, a store and a cache that are made up.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use prometheus::Registry;
use ragline_config::{Generation, Redaction, Search};

use super::{
    fixtures::{Spaces, found},
    flight::Flights,
    request::{AnswerError, SearchOutcome, SearchRequest},
    retrieve::Retriever,
};
use crate::{
    backends::off::{NoRephraser, NoReranker},
    metrics::Metrics,
    redact::Redactor,
    traits::{
        cache::{Cache, CacheKey, Kept, Namespace},
        embedder::{EmbedError, Embedder, Tokenizer, Vector},
        generator::{GenerateError, Usage},
        rephraser::Rephraser,
        reranker::{RerankError, Reranker},
        search::{
            Calibration, Hit, KeyPrint, Leg, LexicalQuery, Match, Nearest, NearestQuery, Passages, Principal, SearchPlan,
            Searcher, StoreError, WorkspaceId,
        },
    },
};

/// A model that gives every text the same vector.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) down: bool,
    pub(super) asked: AtomicUsize,
}

#[async_trait]
impl Embedder for Model {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.down {
            return Err(EmbedError::Unreachable { host: "models".into(), source: "down".into() });
        }
        Ok(if text.contains("else") { vec![0.0, 1.0] } else { vec![1.0, 0.0] })
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        Ok(vec![vec![1.0, 0.0]; texts.len()])
    }

    fn dimensions(&self) -> u32 {
        2
    }

    fn model_name(&self) -> &str {
        "made-up"
    }

    fn provider(&self) -> &'static str {
        "builtin"
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &Spaces
    }

    fn window_tokens(&self) -> Option<usize> {
        None
    }

    async fn health(&self) -> Result<(), EmbedError> {
        Ok(())
    }
}

/// By vector it finds 1, 2, 3, by words 2 and 4.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) words_down: bool,
    pub(super) vectors_down: bool,
    /// The versions that the legs by words see, one a search, then 7.
    pub(super) versions: Mutex<Vec<i64>>,
    /// The version that lookups are made under, where it is not 7.
    pub(super) now: i64,
    /// What was searched by words.
    pub(super) searched: Arc<Mutex<Vec<String>>>,
}

fn leg(hits: &[(i64, f32)], store_version: i64, plan: SearchPlan) -> Leg {
    Leg { hits: hits.iter().map(|&(chunk_id, value)| Hit { chunk_id, value }).collect(), store_version, plan }
}

fn similarity(id: i64) -> f32 {
    1.0 - id as f32 / 10.0
}

fn down() -> StoreError {
    StoreError::Unreachable("down".into())
}

#[async_trait]
impl Searcher for Shelf {
    async fn nearest(&self, query: &NearestQuery) -> Result<Nearest, StoreError> {
        let leg = self.nearest_hits(query).await?;
        let ids: Vec<i64> = leg.hits.iter().take(query.limit as usize).map(|hit| hit.chunk_id).collect();
        let Passages { matches, store_version } = self.passages(query.workspace, Some(&query.vector), &ids).await?;
        Ok(Nearest { matches, store_version, plan: leg.plan })
    }

    async fn nearest_hits(&self, _: &NearestQuery) -> Result<Leg, StoreError> {
        if self.vectors_down {
            return Err(down());
        }
        Ok(leg(&[(1, similarity(1)), (2, similarity(2)), (3, similarity(3))], 7, SearchPlan::Hnsw))
    }

    async fn matching(&self, query: &LexicalQuery) -> Result<Leg, StoreError> {
        self.searched.lock().unwrap().push(query.text.clone());
        if self.words_down {
            return Err(StoreError::PoolExhausted);
        }
        let version = self.versions.lock().unwrap().pop().unwrap_or(7);
        let found: &[(i64, f32)] = match &query.text {
            more if more.contains("text") => &[(2, 24.0), (5, 9.0), (4, 6.0)],
            other if other.contains("reworded") => &[(6, 9.0)],
            _ => &[(2, 8.0), (4, 2.0)],
        };
        Ok(leg(found, version, SearchPlan::Lexical))
    }

    async fn passages(&self, _: WorkspaceId, vector: Option<&[f32]>, chunk_ids: &[i64]) -> Result<Passages, StoreError> {
        let passage = |&id: &i64| Match {
            chunk_id: id,
            similarity: vector.map(|_| similarity(id)),
            ..found(&format!("text {id} of the made-up shelf"))
        };
        Ok(Passages { matches: chunk_ids.iter().map(passage).collect(), store_version: 7 })
    }

    async fn calibration(&self) -> Result<Calibration, StoreError> {
        Ok(Calibration::default())
    }

    async fn store_version(&self, _: WorkspaceId) -> Result<i64, StoreError> {
        Ok(self.now.max(7))
    }
}

/// Keeps what it is given.
#[derive(Debug, Default)]
pub(super) struct KeepsAll(pub(super) Mutex<Vec<(Namespace, CacheKey, Bytes)>>);

#[async_trait]
impl Cache for KeepsAll {
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Kept> {
        let kept = self.0.lock().unwrap();
        kept.iter().rev().find(|(space, known, _)| (*space, known) == (namespace, key)).map(|(_, _, value)| value.clone().into())
    }

    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Kept>> {
        let mut values = Vec::new();
        for key in keys {
            values.push(self.load(namespace, key).await);
        }
        values
    }

    async fn store(&self, namespace: Namespace, key: &CacheKey, value: Bytes) {
        self.0.lock().unwrap().push((namespace, key.clone(), value));
    }

    async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>) {
        for (key, value) in entries {
            self.store(namespace, &key, value).await;
        }
    }

    async fn is_reachable(&self) -> bool {
        true
    }
}

/// Turns the order round, or fails.
#[derive(Debug)]
pub(super) struct Backwards {
    pub(super) down: bool,
}

#[async_trait]
impl Reranker for Backwards {
    async fn rerank(&self, _: &str, documents: &[&str]) -> Result<Vec<f32>, RerankError> {
        if self.down {
            return Err(RerankError::Refused { host: "models".into(), status: 500, message: "no".into() });
        }
        Ok((0..documents.len()).map(|place| place as f32).collect())
    }

    fn candidates(&self) -> Option<u32> {
        Some(50)
    }

    fn model_name(&self) -> &str {
        "backwards"
    }
}

/// One other wording, or none because it fails.
#[derive(Debug)]
pub(super) struct Rewords {
    pub(super) down: bool,
}

#[async_trait]
impl Rephraser for Rewords {
    async fn rephrase(&self, _: &str) -> Result<(Vec<String>, Usage), GenerateError> {
        if self.down {
            return Err(GenerateError::RateLimited { host: "models".into(), retry_after: None });
        }
        Ok((vec!["reworded".into()], Usage { prompt_tokens: 3, completion_tokens: 4 }))
    }

    fn model_name(&self) -> &str {
        "rewords"
    }
}

pub(super) struct Bench {
    pub(super) retriever: Retriever,
    pub(super) model: Arc<Model>,
    pub(super) cache: Arc<KeepsAll>,
}

impl Bench {
    pub(super) fn new(model: Model, shelf: Shelf) -> Self {
        let (model, cache) = (Arc::new(model), Arc::new(KeepsAll::default()));
        let retriever = Retriever {
            embedder: Arc::clone(&model) as _,
            searcher: Arc::new(shelf),
            rephraser: Arc::new(NoRephraser),
            reranker: Arc::new(NoReranker),
            cache: Arc::clone(&cache) as _,
            search: Search::default(),
            flights: Flights::default(),
            least_similarity: None,
            metrics: Metrics::register(&Registry::new()).unwrap(),
            realm: "here".into(),
            redactor: Redactor::new(&Redaction::default()),
            generation: Generation::default(),
        };
        Self { retriever, model, cache }
    }

    pub(super) fn reranked_by(mut self, reranker: Backwards) -> Self {
        self.retriever.reranker = Arc::new(reranker);
        self
    }

    pub(super) async fn search(&self, request: &SearchRequest) -> Result<SearchOutcome, AnswerError> {
        self.retriever.search(&somebody(), request, 10).await
    }

    pub(super) fn failures(&self, leg: &str) -> u64 {
        self.retriever.metrics.rag_search_leg_failures.with_label_values(&[leg]).get()
    }

    pub(super) fn remembered(&self) -> usize {
        self.cache.0.lock().unwrap().iter().filter(|(space, ..)| *space == Namespace::VectorSearch).count()
    }
}

pub(super) fn somebody() -> Principal {
    Principal { workspace: WorkspaceId(1), workspace_name: "default".into(), admin: false, key: KeyPrint::default() }
}

pub(super) fn ask(text: &str) -> SearchRequest {
    SearchRequest { query: text.into(), ..SearchRequest::default() }
}

pub(super) fn ids(outcome: &SearchOutcome) -> Vec<i64> {
    outcome.matches.iter().map(|m| m.chunk_id).collect()
}
