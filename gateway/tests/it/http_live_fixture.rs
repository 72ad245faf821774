//! The API and a worker on a real PostgreSQL, with the cutter that serves and a made-up model.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body, http::Request};
use ragline_config::{Chunking, Generation, Limits, Logging, Redaction, Search};
use ragline_gateway::{
    answer::{Answerer, Flights, Ranker, Retriever},
    backends::{
        cache::{CachedEmbedder, NoCache},
        extractive::ExtractiveGenerator,
        limiter::LocalLimiter,
        off::{NoRephraser, NoReranker},
        oidc::NoTokens,
        pgvector::Store,
    },
    http::{
        routes,
        state::{ApiState, IndexReporter, Parts},
    },
    ingest::{cut::Cutter, job, settings::WorkerSettings, text::TextCutter, worker},
    metrics::Metrics,
    redact::Redactor,
    traits::{cache::Cache, embedder::Embedder, search::StoreError},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    database::{TestDatabase, fresh_for},
    http_fakes::FIRST_KEY,
    http_fixture::{self, Reply, get},
    http_models::WordEmbedder,
};

const CHUNKING: Chunking = Chunking { min_tokens: 32, max_tokens: 64, overlap_percent: 10 };
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct NoIndex;

#[async_trait]
impl IndexReporter for NoIndex {
    async fn report(&self) -> Result<Value, StoreError> {
        Ok(json!({}))
    }
}

/// A gateway.
pub(crate) struct Live {
    pub(crate) database: TestDatabase,
    pub(crate) embedder: Arc<WordEmbedder>,
    pub(crate) router: Router,
    pub(crate) store: Arc<Store>,
    pub(crate) parts: job::Parts,
    _shutdown: DropGuard,
}

/// A gateway with no worker yet.
pub(crate) async fn live() -> Live {
    live_with(Arc::new(NoCache)).await
}

/// A gateway with a cache before its model and its search.
pub(crate) async fn live_with(cache: Arc<dyn Cache>) -> Live {
    let embedder = Arc::new(WordEmbedder::new(64));
    let database = fresh_for(embedder.model_name(), embedder.dimensions()).await;
    let store = Arc::new(database.store());
    let registry = prometheus::Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let cached: Arc<dyn Embedder> = Arc::new(CachedEmbedder::new(Arc::clone(&embedder) as _, Arc::clone(&cache)));
    let retriever = Retriever {
        embedder: Arc::clone(&cached),
        searcher: Arc::clone(&store) as _,
        rephraser: Arc::new(NoRephraser),
        reranker: Arc::new(NoReranker),
        cache,
        search: Search::default(),
        flights: Flights::default(),
        least_similarity: None,
        metrics: metrics.clone(),
        realm: String::new(),
        redactor: Redactor::new(&Redaction::default()),
        generation: Generation::default(),
    };
    let ranking = Arc::new(Ranker::of(&retriever));
    let generator = Arc::new(ExtractiveGenerator::new(Arc::clone(&cached)));
    let answerer = Answerer::new(retriever, generator, Logging::default());
    let shutdown = CancellationToken::new();
    let redactor = Redactor::new(&Redaction::default());
    let cutter = TextCutter { chunking: CHUNKING, embedder: Arc::clone(&embedder) as _, redactor };
    let parts = parts(&store, &embedder, Arc::new(cutter), &metrics);
    let api = Parts {
        answering: Arc::new(answerer),
        embedder: cached,
        blobs: Arc::clone(&store) as _,
        jobs: Arc::clone(&store) as _,
        documents: Arc::clone(&store) as _,
        directory: Arc::clone(&store) as _,
        workspaces: Arc::clone(&store) as _,
        vector_stores: Arc::clone(&store) as _,
        files: Arc::clone(&store) as _,
        index: Arc::new(NoIndex),
        first_key: Arc::new(|| Some(SecretString::from(FIRST_KEY))),
        chunking_fingerprint: parts.cutter.fingerprint(),
        chunking: CHUNKING,
        limits: Limits::default(),
        metrics,
        registry,
        shutdown: shutdown.clone(),
        limiter: Arc::new(LocalLimiter::default()),
        tokens: Arc::new(NoTokens),
        ranking,
        passages: Arc::clone(&store) as _,
        uploads: Arc::clone(&store) as _,
        responses: Arc::clone(&store) as _,
    };
    let router = routes::router(ApiState::new(api));
    Live { database, embedder, router, store, parts, _shutdown: shutdown.drop_guard() }
}

fn parts(store: &Arc<Store>, embedder: &Arc<WordEmbedder>, cutter: Arc<dyn Cutter>, metrics: &Metrics) -> job::Parts {
    let lease = Duration::from_secs(2);
    let settings = WorkerSettings { lease, most_delay: Duration::from_millis(300), group: 8, ..WorkerSettings::default() };
    job::Parts {
        blobs: Arc::clone(store) as _,
        jobs: Arc::clone(store) as _,
        documents: Arc::clone(store) as _,
        embedder: Arc::clone(embedder) as _,
        cutter,
        threads: job::Parts::threads(&settings),
        settings,
        metrics: metrics.clone(),
    }
}

impl Live {
    /// Starts a worker.
    pub(crate) fn work(&self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(worker::run(self.parts.clone(), CancellationToken::new()))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        http_fixture::send(&self.router, request).await
    }

    /// Uploads and returns the path of the job.
    pub(crate) async fn upload(&self, fields: &[http_fixture::Field<'_>]) -> String {
        let reply = self.send(http_fixture::upload(fields)).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        reply.headers["location"].to_str().unwrap().to_owned()
    }

    /// The job once `holds` of it.
    pub(crate) async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let reply = self.send(get(path)).await;
                if reply.status == 200 && holds(&reply.body) {
                    return reply.body;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(job) => job,
            Err(_) => panic!("in vain: {}", self.send(get(path)).await.body),
        }
    }

    pub(crate) async fn ended(&self, path: &str) -> Value {
        self.until(path, |job| matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled"))).await
    }
}
