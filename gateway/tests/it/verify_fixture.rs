//! A live pipeline inside the test process: the real store, Valkey, model, chunker and a worker that takes files in as the serving
//! gateway does.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use ragline_config::Config;
use ragline_gateway::{
    answer::{Answerer, Flights, Retriever},
    backends::{
        builtin,
        cache::{self, CachedEmbedder, Passwords, ValkeyCache},
        extractive::ExtractiveGenerator,
        off::{NoRephraser, NoReranker},
        pgvector::Store,
    },
    ingest::{job, settings::WorkerSettings, text::TextCutter, worker},
    metrics::Metrics,
    redact::Redactor,
    traits::{cache::Cache, embedder::Embedder},
    verify::{RecordedCache, Report, VerifyParts, run},
};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    database::{TestDatabase, fresh_for},
    database_servers::servers,
    model,
};

/// Valkey's own number of databases.
const VALKEY_DATABASES: u32 = 16;

/// A pipeline whose worker runs until it is dropped.
pub(crate) struct LivePipeline {
    pub(crate) database: TestDatabase,
    pub(crate) config: Config,
    /// Where the verification looks for PostgreSQL, when not where it is.
    pub(crate) wrong_port: Option<u16>,
    stop: CancellationToken,
}

impl Drop for LivePipeline {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A pipeline on a database of its own and a Valkey database of its own.
pub(crate) async fn live_pipeline() -> LivePipeline {
    let pipeline = idle_pipeline().await;
    pipeline.start_worker();
    pipeline
}

/// The same without a worker: nothing takes files in.
pub(crate) async fn idle_pipeline() -> LivePipeline {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let database = fresh_for(builtin::MODEL_NAME, builtin::DIMENSIONS).await;
    let mut config = Config::default();
    config.cache.host = servers().value("VALKEY_HOST").to_owned();
    config.cache.port = servers().value("VALKEY_PORT").parse().unwrap();
    // Database 0 is for the tests that share it.
    config.cache.database = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(config.cache.database < VALKEY_DATABASES, "more tests than Valkey has databases");
    // Many tests embed at once.
    config.cache.timeout_ms = 2_000;
    LivePipeline { database, config, wrong_port: None, stop: CancellationToken::new() }
}

impl LivePipeline {
    /// Takes files in from now on.
    pub(crate) fn start_worker(&self) {
        let (cache, _) = self.cache();
        let store = Arc::new(self.database.store());
        let embedder: Arc<dyn Embedder> = Arc::new(CachedEmbedder::new(model::builtin(), cache));
        let settings = WorkerSettings::of(&self.config);
        let parts = job::Parts {
            blobs: Arc::clone(&store) as _,
            jobs: Arc::clone(&store) as _,
            documents: store,
            embedder: Arc::clone(&embedder),
            cutter: Arc::new(TextCutter { chunking: self.config.chunking.clone(), embedder, redactor: self.redactor() }),
            threads: job::Parts::threads(&settings),
            settings,
            metrics: metrics(),
        };
        tokio::spawn(worker::run(parts, self.stop.clone()));
    }

    fn redactor(&self) -> Redactor {
        Redactor::new(&self.config.redaction)
    }

    fn store(&self) -> Store {
        let Some(port) = self.wrong_port else { return self.database.store() };
        let mut url = url::Url::parse(&servers().url("DATABASE_URL", &self.database.name)).unwrap();
        url.set_port(Some(port)).unwrap();
        Store::connect(&self.database.config, &SecretString::from(url.as_str()), self.database.space.clone()).unwrap()
    }

    fn cache(&self) -> (Arc<dyn Cache>, Option<Arc<ValkeyCache>>) {
        let server = Some(SecretString::from(servers().value("VALKEY_PASSWORD")));
        cache::open(&self.config.cache, &Passwords { server, sentinel: None }, &metrics()).unwrap()
    }

    /// The parts of a process that verifies.
    pub(crate) fn parts(&self) -> VerifyParts {
        let (inner, valkey) = self.cache();
        let recorded = Arc::new(RecordedCache::new(inner));
        let cache: Arc<dyn Cache> = Arc::clone(&recorded) as _;
        let store = Arc::new(self.store());
        let embedder: Arc<dyn Embedder> = Arc::new(CachedEmbedder::new(model::builtin(), Arc::clone(&cache)));
        let retriever = Retriever {
            embedder: Arc::clone(&embedder),
            searcher: Arc::clone(&store) as _,
            rephraser: Arc::new(NoRephraser),
            reranker: Arc::new(NoReranker),
            cache,
            search: self.config.search.clone(),
            flights: Flights::default(),
            least_similarity: self.config.cache.similarity.least_cosine(&self.config.embedding.provider),
            metrics: metrics(),
            realm: self.database.name.clone(),
            redactor: self.redactor(),
            generation: self.config.generation.clone(),
        };
        let generator = Arc::new(ExtractiveGenerator::new(Arc::clone(&embedder)));
        let answerer = Answerer::new(retriever, generator, self.config.logging.clone());
        VerifyParts {
            config: self.config.clone(),
            inspector: Arc::clone(&store) as _,
            searcher: Arc::clone(&store) as _,
            directory: Arc::clone(&store) as _,
            blobs: Arc::clone(&store) as _,
            jobs: Arc::clone(&store) as _,
            documents: store,
            cutter: Arc::new(TextCutter {
                chunking: self.config.chunking.clone(),
                embedder: Arc::clone(&embedder),
                redactor: self.redactor(),
            }),
            embedder,
            answerer,
            cache: recorded,
            valkey,
        }
    }

    pub(crate) async fn verify(&self) -> Report {
        run(&self.parts()).await
    }

    /// Runs statements as the superuser.
    pub(crate) async fn superuser_runs(&self, sql: &'static str) {
        let url = self.database.url("DATABASE_BOOTSTRAP_URL");
        let mut connection = connect(&url).await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    /// Rows of every table that holds rows of workspaces, by table.
    pub(crate) async fn rows(&self) -> BTreeMap<String, i64> {
        let tables =
            ["document", "chunk", "embeddings", "blob", "blob_piece", "job", "job_item", "stage_chunk", "stage_embedding"];
        let url = self.database.url("DATABASE_BOOTSTRAP_URL");
        let mut connection = connect(&url).await;
        let mut rows = BTreeMap::new();
        for table in tables {
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            rows.insert(table.to_owned(), sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap());
        }
        rows
    }

    /// Keys in this pipeline's database of Valkey.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut connection = valkey_connection(self.config.cache.database).await;
        redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap()
    }
}

/// A port that nobody listens on: that of a listener which was closed.
pub(crate) fn silent_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A plain connection to one of Valkey's databases.
pub(crate) async fn valkey_connection(database: u32) -> redis::aio::MultiplexedConnection {
    let value = |name| servers().value(name);
    let url = format!("redis://:{}@{}:{}/{database}", value("VALKEY_PASSWORD"), value("VALKEY_HOST"), value("VALKEY_PORT"));
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn connect(url: &SecretString) -> sqlx::PgConnection {
    use secrecy::ExposeSecret;
    use sqlx::Connection;

    sqlx::PgConnection::connect(url.expose_secret()).await.unwrap()
}

fn metrics() -> Metrics {
    Metrics::register(&prometheus::Registry::new()).unwrap()
}

/// Names of the tests that failed, with their reasons.
pub(crate) fn failures(report: &Report) -> Vec<(&'static str, String)> {
    let reason = |details: &ragline_gateway::verify::Details| match details.get("error") {
        Some(Value::String(reason)) => reason.clone(),
        other => panic!("a failure without a reason: {other:?}"),
    };
    report.results.iter().filter(|r| !r.passed).map(|r| (r.test_name, reason(&r.details))).collect()
}
