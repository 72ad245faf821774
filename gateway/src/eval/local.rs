//! The evaluation in this process: the parts of a gateway on the configured database, and a worker of its own beside those of the
//! gateways that serve.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ragline_config::{Config, SearchMode};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    dataset::Question,
    metrics::overlap,
    report::IndexRecall,
    target::{DEPTH, EvalError, Found, Hit, Target, Told, distinct, place, source},
};
use crate::{
    answer::{Answerer, SearchRequest},
    backends::pgvector::evaluation::EvalWorkspace,
    index,
    ingest::{job, upload::Uploads, worker},
    traits::{
        ingest::{Job, JobStatus, Metadata, NewItem},
        search::{Directory, KeyPrint, NearestQuery, Principal, SearchPlan, Searcher},
    },
};

/// Documents of one job.
const DOCUMENTS_AT_ONCE: usize = 500;
/// Chunks that the index is judged by.
const NEAREST: u32 = 10;
/// How long to wait between two looks at a job, or at an index run of somebody else.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
/// Looks at an index run of somebody else.
const MOST_LOOKS: u32 = 600;

/// What the evaluation works with: the parts that `serve` would work with.
#[derive(Clone, Debug)]
pub struct EvalParts {
    pub config: Config,
    pub workspace: EvalWorkspace,
    pub directory: Arc<dyn Directory>,
    pub searcher: Arc<dyn Searcher>,
    pub ingestion: job::Parts,
    pub answerer: Answerer,
}

/// The parts at work.
#[derive(Debug)]
pub struct Local {
    parts: EvalParts,
    opened: Option<Opened>,
    worker: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Opened {
    principal: Principal,
    relation: i32,
}

impl EvalParts {
    /// Nothing is made yet.
    pub fn into_target(self) -> Local {
        Local { parts: self, opened: None, worker: None, stop: CancellationToken::new() }
    }
}

impl Local {
    fn opened(&self) -> Result<&Opened, EvalError> {
        self.opened.as_ref().ok_or_else(|| EvalError::failed("making of the workspace")(anyhow::anyhow!("it was not tried")))
    }

    /// One job's worth.
    async fn hand_over(&self, first: usize, documents: &[String]) -> anyhow::Result<Job> {
        let workspace = self.opened()?.principal.workspace;
        let job::Parts { blobs, jobs, .. } = &self.parts.ingestion;
        let mut uploads = Uploads::new(Arc::clone(blobs), workspace);
        let mut items = Vec::with_capacity(documents.len());
        for (place, text) in (first..).zip(documents).filter(|(_, text)| !text.trim().is_empty()) {
            let mut writer = uploads.begin(self.parts.config.limits.file_bytes).await?;
            writer.write(Bytes::copy_from_slice(text.as_bytes())).await?;
            let stored = writer.finish().await?;
            items.push(NewItem {
                source: source(place),
                content_type: Some("text/plain".to_owned()),
                metadata: Metadata::new(),
                blob: stored.id,
                size_bytes: stored.size_bytes,
                content_hash: stored.content_hash,
            });
        }
        let id = jobs.create(workspace, items).await?;
        uploads.keep();
        loop {
            let job = jobs.job(workspace, id).await?.ok_or_else(|| anyhow::anyhow!("the job is gone"))?;
            match job.status {
                JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => return Ok(job),
                JobStatus::Queued | JobStatus::Running => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// The index that the policy wants of this relation alone. A run of somebody else is waited for.
    async fn build_index(&self, relation: i32) -> anyhow::Result<()> {
        for _ in 0..MOST_LOOKS {
            let report = index::run_of(self.parts.workspace.owner(), &self.parts.config.index, relation).await?;
            if !report.busy {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        anyhow::bail!("another index run has not ended")
    }

    async fn recall(&self, questions: &[Question]) -> anyhow::Result<IndexRecall> {
        let EvalParts { workspace: own, searcher, ingestion, .. } = &self.parts;
        let Opened { principal, relation } = self.opened()?;
        let workspace = principal.workspace;
        self.build_index(*relation).await?;
        let mut plan = SearchPlan::Exact;
        let mut shares = Vec::with_capacity(questions.len());
        for question in questions {
            let vector = ingestion.embedder.embed(question.text.trim()).await?;
            let exact = own.exact(workspace, &vector, NEAREST).await?;
            let found = searcher.nearest_hits(&NearestQuery { workspace, vector, limit: NEAREST, filter: None }).await?;
            let ids: Vec<i64> = found.hits.iter().map(|hit| hit.chunk_id).collect();
            shares.push(overlap(&ids, &exact));
            plan = found.plan;
        }
        let recall_at_10 = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        Ok(IndexRecall { plan, rows: own.rows(workspace).await?, recall_at_10 })
    }
}

#[async_trait]
impl Target for Local {
    async fn open(&mut self) -> Result<(), EvalError> {
        let EvalParts { workspace: own, directory, ingestion, .. } = &self.parts;
        let failed = EvalError::failed("making of the workspace");
        directory.ready().await.map_err(|error| failed(error.into()))?;
        own.remove_left_over().await.map_err(|error| failed(error.into()))?;
        let (workspace, relation) = own.create().await.map_err(|error| failed(error.into()))?;
        let principal = Principal { workspace, workspace_name: own.name().to_owned(), admin: false, key: KeyPrint::default() };
        self.worker = Some(tokio::spawn(worker::run(ingestion.clone(), self.stop.clone())));
        self.opened = Some(Opened { principal, relation });
        Ok(())
    }

    async fn take_in(&mut self, documents: &[String], more: Told<'_>) -> Result<(), EvalError> {
        for (number, some) in documents.chunks(DOCUMENTS_AT_ONCE).enumerate() {
            let job = self.hand_over(number * DOCUMENTS_AT_ONCE, some).await.map_err(EvalError::failed("taking in"))?;
            let lost = job.items.iter().find(|item| item.status != JobStatus::Completed);
            if let Some(item) = lost {
                let place = place(&item.source).unwrap_or_default();
                let reason = item.reason.clone().unwrap_or_else(|| "no reason is given".to_owned());
                return Err(EvalError::NotTakenIn { place, reason });
            }
            more(some.len());
        }
        Ok(())
    }

    async fn search(&self, mode: SearchMode, question: &str) -> Result<Found, EvalError> {
        let request =
            SearchRequest { query: question.to_owned(), limit: Some(DEPTH), mode: Some(mode), ..SearchRequest::default() };
        let outcome = self.parts.answerer.search(&self.opened()?.principal, &request).await;
        let outcome = outcome.map_err(|error| EvalError::failed("search")(error.into()))?;
        let by_words = outcome.plan == SearchPlan::Lexical || outcome.matches.iter().any(|found| found.lexical.is_some());
        let hits = outcome.matches.iter().filter_map(|found| {
            let score = found.score.unwrap_or_default();
            Some(Hit { place: place(&found.filename)?, score, similarity: found.similarity, lexical: found.lexical })
        });
        Ok(Found { hits: distinct(hits), by_words })
    }

    async fn index_recall(&mut self, questions: &[Question]) -> Result<Option<IndexRecall>, EvalError> {
        self.recall(questions).await.map(Some).map_err(EvalError::failed("comparison with exact search"))
    }

    async fn remove(&mut self) -> Result<(), EvalError> {
        self.stop.cancel();
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has ended as well.
            worker.await.ok();
        }
        let own = &self.parts.workspace;
        let not_removed = |error: crate::traits::search::StoreError| EvalError::NotRemoved {
            name: own.name().to_owned(),
            source: error.into(),
        };
        own.remove().await.map_err(not_removed)
    }
}
