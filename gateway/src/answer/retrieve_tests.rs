//! Retrieval around a store that is made up: what happens when a leg fails, when versions differ, and when many ask at once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use prometheus::Registry;
use ragline_config::{Search, SearchMode, SimilarityCache};

use super::{
    fixtures::found,
    flight::Flights,
    request::{AnswerError, SearchOutcome, SearchRequest},
    retrieve::Retriever,
};
use crate::{
    backends::off::NoReranker,
    metrics::Metrics,
    traits::{
        cache::{Cache, CacheKey, Namespace},
        embedder::{EmbedError, Embedder, Tokenizer, Vector},
        filter::Filter,
        reranker::{RerankError, Reranker},
        search::{
            Calibration, Hit, Leg, LexicalQuery, Match, Nearest, NearestQuery, Passages, Principal, SearchPlan, Searcher,
            StoreError, WorkspaceId,
        },
    },
};

/// A model that gives every text the same vector.
#[derive(Debug, Default)]
struct Model {
    down: bool,
    asked: AtomicUsize,
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
        panic!("nothing is cut here")
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
struct Shelf {
    words_down: bool,
    vectors_down: bool,
    /// The versions that the legs by words see, one a search, then 7.
    versions: Mutex<Vec<i64>>,
    /// The version that lookups are made under, where it is not 7.
    now: i64,
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

    async fn matching(&self, _: &LexicalQuery) -> Result<Leg, StoreError> {
        if self.words_down {
            return Err(StoreError::PoolExhausted);
        }
        let version = self.versions.lock().unwrap().pop().unwrap_or(7);
        Ok(leg(&[(2, 8.0), (4, 2.0)], version, SearchPlan::Lexical))
    }

    async fn passages(&self, _: WorkspaceId, vector: Option<&[f32]>, chunk_ids: &[i64]) -> Result<Passages, StoreError> {
        let passage =
            |&id: &i64| Match { chunk_id: id, similarity: vector.map(|_| similarity(id)), ..found(&format!("text {id}")) };
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
struct Kept(Mutex<Vec<(Namespace, CacheKey, Bytes)>>);

#[async_trait]
impl Cache for Kept {
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Bytes> {
        let kept = self.0.lock().unwrap();
        kept.iter().rev().find(|(space, known, _)| (*space, known) == (namespace, key)).map(|(_, _, value)| value.clone())
    }

    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Bytes>> {
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
struct Backwards {
    down: bool,
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

struct Bench {
    retriever: Retriever,
    model: Arc<Model>,
    cache: Arc<Kept>,
}

impl Bench {
    fn new(model: Model, shelf: Shelf) -> Self {
        let (model, cache) = (Arc::new(model), Arc::new(Kept::default()));
        let retriever = Retriever {
            embedder: Arc::clone(&model) as _,
            searcher: Arc::new(shelf),
            reranker: Arc::new(NoReranker),
            cache: Arc::clone(&cache) as _,
            search: Search::default(),
            flights: Flights::default(),
            similarity: SimilarityCache::default(),
            metrics: Metrics::register(&Registry::new()).unwrap(),
            realm: "here".into(),
        };
        Self { retriever, model, cache }
    }

    fn reranked_by(mut self, reranker: Backwards) -> Self {
        self.retriever.reranker = Arc::new(reranker);
        self
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchOutcome, AnswerError> {
        self.retriever.search(&somebody(), request, 10).await
    }

    fn failures(&self, leg: &str) -> u64 {
        self.retriever.metrics.rag_search_leg_failures.with_label_values(&[leg]).get()
    }

    fn remembered(&self) -> usize {
        self.cache.0.lock().unwrap().iter().filter(|(space, ..)| *space == Namespace::VectorSearch).count()
    }
}

fn somebody() -> Principal {
    Principal { workspace: WorkspaceId(1), workspace_name: "default".into(), admin: false }
}

fn ask(text: &str) -> SearchRequest {
    SearchRequest { query: text.into(), ..SearchRequest::default() }
}

fn ids(outcome: &SearchOutcome) -> Vec<i64> {
    outcome.matches.iter().map(|m| m.chunk_id).collect()
}

#[tokio::test]
async fn both_legs_are_fused_and_every_match_shows_both_values() {
    let bench = Bench::new(Model::default(), Shelf::default());
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Hybrid, vec![2, 1, 4, 3]));
    let values: Vec<_> = outcome.matches.iter().map(|m| (m.similarity.is_some(), m.lexical)).collect();
    assert_eq!(values, [(true, Some(8.0)), (true, None), (true, Some(2.0)), (true, None)]);
    assert!(outcome.matches.is_sorted_by(|a, b| a.score >= b.score));
    assert!(bench.search(&ask("why?")).await.unwrap().cache_hit);
}

#[tokio::test]
async fn a_search_by_words_needs_no_model() {
    let bench = Bench::new(Model { down: true, ..Model::default() }, Shelf::default());
    let outcome = bench.search(&SearchRequest { mode: Some(SearchMode::Lexical), ..ask("why?") }).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome), outcome.plan), (SearchMode::Lexical, vec![2, 4], SearchPlan::Lexical));
    assert!(outcome.matches.iter().all(|m| m.similarity.is_none() && m.score.is_some()));
    assert_eq!((bench.model.asked.load(Ordering::SeqCst), bench.remembered()), (0, 1));
}

#[tokio::test]
async fn without_the_model_the_words_are_found_counted_and_not_remembered() {
    let bench = Bench::new(Model { down: true, ..Model::default() }, Shelf::default());
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Lexical, vec![2, 4]));
    assert_eq!((bench.failures("vector"), bench.failures("lexical"), bench.remembered()), (1, 0, 0));
}

#[tokio::test]
async fn without_the_words_the_vectors_are_found_counted_and_not_remembered() {
    let bench = Bench::new(Model::default(), Shelf { words_down: true, ..Shelf::default() });
    let outcome = bench.search(&ask("why?")).await.unwrap();
    assert_eq!((outcome.mode, ids(&outcome)), (SearchMode::Vector, vec![1, 2, 3]));
    assert_eq!((bench.failures("vector"), bench.failures("lexical"), bench.remembered()), (0, 1, 0));
}

#[tokio::test]
async fn when_both_legs_fail_the_vectors_reason_is_told() {
    let bench = Bench::new(Model::default(), Shelf { words_down: true, vectors_down: true, ..Shelf::default() });
    let error = bench.search(&ask("why?")).await.unwrap_err();
    assert!(matches!(error, AnswerError::Search(StoreError::Unreachable(_))), "{error:?}");
}

#[tokio::test]
async fn a_version_that_changed_between_the_legs_is_searched_again_and_remembered_once_they_agree() {
    let once = Bench::new(Model::default(), Shelf { versions: Mutex::new(vec![6]), ..Shelf::default() });
    once.search(&ask("why?")).await.unwrap();
    assert_eq!(once.remembered(), 1);
    let twice = Bench::new(Model::default(), Shelf { versions: Mutex::new(vec![6, 6]), ..Shelf::default() });
    assert_eq!(ids(&twice.search(&ask("why?")).await.unwrap()), [2, 1, 4, 3]);
    assert_eq!(twice.remembered(), 0);
}

#[tokio::test]
async fn equal_searches_at_once_are_one_search() {
    let bench = Bench::new(Model::default(), Shelf::default());
    let (same, other) = (ask("why?"), ask("something else?"));
    let (many, one) = tokio::join!(futures::future::join_all((0..20).map(|_| bench.search(&same))), bench.search(&other));
    assert!(many.into_iter().chain([one]).all(|outcome| outcome.is_ok()));
    assert_eq!(bench.model.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn whoever_waits_for_a_search_that_fails_is_told_why() {
    let bench = Bench::new(Model::default(), Shelf { words_down: true, vectors_down: true, ..Shelf::default() });
    let same = ask("why?");
    let outcomes = futures::future::join_all((0..3).map(|_| bench.search(&same))).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.to_string() == "the search failed")));
}

#[tokio::test]
async fn a_reranker_orders_and_one_that_fails_is_counted_and_leaves_the_order() {
    let up = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: false });
    let outcome = up.search(&ask("why?")).await.unwrap();
    assert_eq!(ids(&outcome), [3, 4, 1, 2]);
    assert!(outcome.matches.is_sorted_by(|a, b| a.score >= b.score));
    let broken = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: true });
    assert_eq!(ids(&broken.search(&ask("why?")).await.unwrap()), [2, 1, 4, 3]);
    assert_eq!((broken.retriever.metrics.rag_rerank_failures.get(), broken.remembered()), (1, 0));
}

#[tokio::test]
async fn a_reranker_sees_more_than_is_wanted() {
    let bench = Bench::new(Model::default(), Shelf::default()).reranked_by(Backwards { down: false });
    let outcome = bench.retriever.search(&somebody(), &ask("why?"), 1).await.unwrap();
    assert_eq!(ids(&outcome), [3]);
}

#[tokio::test]
async fn the_threshold_cuts_in_every_mode() {
    for mode in SearchMode::ALL {
        let bench = Bench::new(Model::default(), Shelf::default());
        let all = bench.search(&SearchRequest { mode: Some(mode), ..ask("why?") }).await.unwrap();
        let threshold = all.matches[0].score;
        let best = bench.search(&SearchRequest { mode: Some(mode), threshold, ..ask("why?") }).await.unwrap();
        assert_eq!(ids(&best)[0], ids(&all)[0], "{mode:?}");
        assert!(best.matches.len() < all.matches.len(), "{mode:?}");
    }
}

#[tokio::test]
async fn the_mode_and_the_filter_are_part_of_the_key() {
    let bench = Bench::new(Model::default(), Shelf::default());
    let filter = Some(Filter::All(Vec::new()));
    let mut keys: Vec<String> = SearchMode::ALL
        .map(|mode| SearchRequest { mode: Some(mode), ..ask("why?") })
        .into_iter()
        .chain([SearchRequest { filter, ..ask("why?") }])
        .map(|request| bench.retriever.search_key(&somebody(), &request, 10, 7).0)
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn a_paraphrase_is_found_in_its_own_scope_and_nowhere_else() {
    let mut bench = Bench::new(Model::default(), Shelf::default());
    bench.retriever.similarity = SimilarityCache { enabled: true, threshold: 0.95 };
    assert!(!bench.search(&ask("How does one restart it?")).await.unwrap().cache_hit);
    // The model gives all but "else" the same vector: whatever is not a hit was kept apart by something else than the cosine.
    assert!(bench.search(&ask("What is the way to restart it?")).await.unwrap().cache_hit);
    let filter = Some(Filter::Contains([("department".to_owned(), "legal".into())].into_iter().collect()));
    let elsewhere = [
        ("another meaning", ask("Something else entirely?")),
        ("another number", ask("How does one restart it 2 times?")),
        ("its opposite", ask("How does one not restart it?")),
        ("another filter", SearchRequest { filter, ..ask("What is the way to restart it here?") }),
        ("another mode", SearchRequest { mode: Some(SearchMode::Vector), ..ask("What is the way to restart it there?") }),
        ("no vector", SearchRequest { mode: Some(SearchMode::Lexical), ..ask("What is the way to restart it by words?") }),
    ];
    for (what, request) in elsewhere {
        assert!(!bench.search(&request).await.unwrap().cache_hit, "{what} was answered from the cache");
    }
    let query = ask("Which way is it restarted?");
    assert!(!bench.retriever.search(&somebody(), &query, 3).await.unwrap().cache_hit, "another limit was answered");
    let neighbour = Principal { workspace: WorkspaceId(2), ..somebody() };
    assert!(!bench.retriever.search(&neighbour, &query, 10).await.unwrap().cache_hit, "another workspace was answered");
    let namesake = Principal { workspace_name: "other".into(), ..somebody() };
    assert!(!bench.retriever.search(&namesake, &query, 10).await.unwrap().cache_hit, "another name was answered");
    bench.retriever.searcher = Arc::new(Shelf { now: 8, ..Shelf::default() });
    assert!(!bench.search(&query).await.unwrap().cache_hit, "another version was answered");
}

#[tokio::test]
async fn a_paraphrase_is_searched_while_it_is_switched_off() {
    let bench = Bench::new(Model::default(), Shelf::default());
    bench.search(&ask("How does one restart it?")).await.unwrap();
    assert!(!bench.search(&ask("What is the way to restart it?")).await.unwrap().cache_hit);
    assert!(bench.cache.0.lock().unwrap().iter().all(|(space, ..)| *space != Namespace::Similarity));
}
