//! `ragline-gateway verify`: proves on the live pipeline that each part does what it is for, and leaves nothing behind. The eight
//! integration tests look at the database, the vectors and the cache; the five scenarios go the way of a document and a question.
//!
//! The serving gateway takes the temporary documents in, so one must be running. What is tried out in the database itself is rolled
//! back; documents, jobs, uploads and cache entries are removed at the end, also after a failure, a panic or Ctrl-C.

mod cache;
mod database;
mod failure;
mod pipeline;
mod recorded;
mod report;
mod scenarios;
mod texts;
mod vectors;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use ragline_config::Config;
use tokio::sync::watch;

use self::{failure::Failure, pipeline::Pipeline, report::elapsed_ms};
pub use self::{
    recorded::RecordedCache,
    report::{Details, Report, Section, TestResult},
};
use crate::{
    answer::Answerer,
    backends::cache::ValkeyCache,
    ingest::cut::Cutter,
    traits::{
        embedder::Embedder,
        ingest::{BlobStore, DocumentStore, JobStore},
        inspect::Inspector,
        search::{Directory, KeyPrint, Principal, Searcher, StoreError},
    },
};

/// The workspace that is verified.
const WORKSPACE: &str = "default";
/// One integration test may take this long.
const TEST_PATIENCE: Duration = Duration::from_secs(30);
/// One scenario may take this long: a queue may be ahead of its documents, and a language model is slow.
const SCENARIO_PATIENCE: Duration = Duration::from_secs(180);
/// The clean-up may take this long.
const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(60);

/// What the verification works with: the parts that `serve` would work with.
#[derive(Clone, Debug)]
pub struct VerifyParts {
    pub config: Config,
    pub inspector: Arc<dyn Inspector>,
    pub searcher: Arc<dyn Searcher>,
    pub directory: Arc<dyn Directory>,
    pub blobs: Arc<dyn BlobStore>,
    pub jobs: Arc<dyn JobStore>,
    pub documents: Arc<dyn DocumentStore>,
    pub embedder: Arc<dyn Embedder>,
    pub cutter: Arc<dyn Cutter>,
    pub answerer: Answerer,
    /// The cache that embedder, answerer and generator use.
    pub cache: Arc<RecordedCache>,
    /// The Valkey inside that cache; `None` where caching is switched off.
    pub valkey: Option<Arc<ValkeyCache>>,
}

impl VerifyParts {
    async fn principal(&self) -> Result<Principal, Failure> {
        let workspace = self.directory.workspace(WORKSPACE).await?.ok_or(StoreError::NotFound { what: "workspace" })?;
        Ok(Principal { workspace, workspace_name: WORKSPACE.to_owned(), admin: true, key: KeyPrint::default() })
    }
}

/// Runs everything, one after the other, and cleans up. Ctrl-C ends the test under way and skips to the clean-up.
pub async fn run(parts: &VerifyParts) -> Report {
    let mut suite = Suite { report: Report::default(), interrupted: interrupted() };
    let begin = Instant::now();
    integration_tests(&mut suite, parts).await;
    let mut pipeline = Pipeline::new(parts);
    scenarios(&mut suite, &mut pipeline).await;
    let cleaned = tokio::time::timeout(CLEAN_UP_PATIENCE, pipeline.clean_up()).await;
    if let Err(failure) = cleaned.unwrap_or(Err(Failure::TimedOut { after: CLEAN_UP_PATIENCE })) {
        suite.report.results.push(TestResult::failed(Section::Pipeline, "Clean-up", elapsed_ms(begin), &failure));
    }
    suite.report
}

async fn integration_tests(suite: &mut Suite, parts: &VerifyParts) {
    let (database, vectors, cache) = (Section::Database, Section::Vectors, Section::Cache);
    suite.test(database, "Database Connection", database::connection(parts)).await;
    suite.test(database, "pgvector Extension", database::extension(parts)).await;
    suite.test(database, "Embeddings Table", database::embeddings_table(parts)).await;
    suite.test(vectors, "Vector Similarity Search", vectors::similarity_search(parts)).await;
    suite.test(vectors, "Bulk Vector Operations", vectors::bulk_operations(parts)).await;
    suite.test(vectors, "Index Performance", vectors::index_performance(parts)).await;
    suite.test(cache, "Cache Key Generation", cache::key_generation(parts)).await;
    suite.test(cache, "Cache Simulation", cache::simulation(parts)).await;
}

async fn scenarios(suite: &mut Suite, pipeline: &mut Pipeline<'_>) {
    suite.scenario("Document chunking and embedding generation", scenarios::chunking_and_embedding(pipeline)).await;
    suite.scenario("pgvector storage and retrieval", scenarios::storage_and_retrieval(pipeline)).await;
    suite.scenario("Semantic search with real embeddings", scenarios::semantic_search(pipeline)).await;
    suite.scenario("RAG context integration in AI chat", scenarios::context_integration(pipeline)).await;
    suite.scenario("End-to-end query flow validation", scenarios::end_to_end(pipeline)).await;
}

/// The report as it grows.
struct Suite {
    report: Report,
    interrupted: watch::Receiver<bool>,
}

impl Suite {
    async fn test(&mut self, section: Section, name: &'static str, test: impl Future<Output = Result<Details, Failure>>) {
        self.run(section, name, TEST_PATIENCE, test).await;
    }

    async fn scenario(&mut self, name: &'static str, test: impl Future<Output = Result<Details, Failure>>) {
        self.run(Section::Pipeline, name, SCENARIO_PATIENCE, test).await;
    }

    /// Runs one test within its deadline. A panic in it is its failure.
    async fn run(
        &mut self,
        section: Section,
        name: &'static str,
        patience: Duration,
        test: impl Future<Output = Result<Details, Failure>>,
    ) {
        let begin = Instant::now();
        let guarded = Box::pin(AssertUnwindSafe(tokio::time::timeout(patience, test)).catch_unwind());
        let outcome = tokio::select! {
            biased;
            _ = self.interrupted.wait_for(|interrupted| *interrupted) => Err(Failure::Interrupted),
            ended = guarded => match ended {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(Failure::TimedOut { after: patience }),
                Err(_) => Err(Failure::Panicked),
            },
        };
        let duration_ms = elapsed_ms(begin);
        self.report.results.push(match outcome {
            Ok(details) => TestResult { section, test_name: name, passed: true, duration_ms, details },
            Err(failure) => TestResult::failed(section, name, duration_ms, &failure),
        });
    }
}

/// Becomes true at the first Ctrl-C.
fn interrupted() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        // Without a handler Ctrl-C ends the process, as it would anyhow.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        // Nobody listens any more when the verification is over.
        sender.send(true).ok();
        std::future::pending::<()>().await;
    });
    receiver
}
