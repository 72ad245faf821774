//! What the handlers work with. Everything outside comes in as a trait or a closure; `app` fills it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::future::Cache;
use prometheus::Registry;
use ragline_config::{Chunking, Limits};
use secrecy::SecretString;
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    auth::KeyHolders,
    health::Readiness,
    index::{self, Reports},
    limits::Shares,
    metered::Metered,
};
use crate::{
    answer::{
        AnswerError, AnswerEvents, AnswerOutcome, AnswerRequest, RankError, RankRequest, Ranked, Rewritten, SearchOutcome,
        SearchRequest,
    },
    metrics::Metrics,
    traits::{
        embedder::Embedder,
        files::FileStore,
        ingest::{BlobStore, DocumentStore, Hash, JobStore},
        limiter::Limiter,
        passages::PassageStore,
        responses::ResponseStore,
        search::{Directory, Principal, StoreError},
        tokens::TokenVerifier,
        uploads::UploadStore,
        vector_stores::VectorStores,
        workspaces::WorkspaceStore,
    },
};

/// The key that the settings name now, `None` where there is none. Asked on each request, so that a rotated one counts at once.
pub type FirstKey = Arc<dyn Fn() -> Option<SecretString> + Send + Sync>;

/// Answers questions.
#[async_trait]
pub trait Answering: Send + Sync + std::fmt::Debug {
    async fn search(&self, principal: &Principal, request: SearchRequest) -> Result<SearchOutcome, AnswerError>;
    async fn answer(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerOutcome, AnswerError>;
    /// The same as it is written.
    async fn stream(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerEvents, AnswerError>;
    /// The tokens that the model would be given.
    async fn count(&self, principal: &Principal, request: AnswerRequest) -> Result<u64, AnswerError>;
    /// The question as it is best searched for; where that cannot be found out, as it is.
    async fn rewrite(&self, principal: &Principal, question: &str) -> Rewritten;
    /// The model that writes; `None` where generation is switched off.
    fn model_name(&self) -> Option<&str>;
}

/// Tells how the vector indexes stand.
#[async_trait]
pub trait IndexReporter: Send + Sync + std::fmt::Debug {
    /// The report as JSON.
    async fn report(&self) -> Result<serde_json::Value, StoreError>;
}

/// Ranks texts that the caller brings.
#[async_trait]
pub trait Ranking: Send + Sync + std::fmt::Debug {
    /// The model that ranks; `None`: it has no name.
    fn model(&self) -> Option<&str>;
    async fn rank(&self, request: RankRequest) -> Result<Ranked, RankError>;
}

/// What the API is made of.
#[derive(Clone)]
pub struct Parts {
    pub answering: Arc<dyn Answering>,
    pub embedder: Arc<dyn Embedder>,
    pub blobs: Arc<dyn BlobStore>,
    pub jobs: Arc<dyn JobStore>,
    pub documents: Arc<dyn DocumentStore>,
    pub directory: Arc<dyn Directory>,
    pub workspaces: Arc<dyn WorkspaceStore>,
    pub vector_stores: Arc<dyn VectorStores>,
    pub files: Arc<dyn FileStore>,
    pub index: Arc<dyn IndexReporter>,
    pub first_key: FirstKey,
    /// Of the settings that documents are cut with now; those that were cut otherwise are stale.
    pub chunking_fingerprint: Hash,
    pub chunking: Chunking,
    pub limits: Limits,
    pub metrics: Metrics,
    pub registry: Registry,
    /// Cancelled when the gateway shuts down: it is no longer ready, requests under way end.
    pub shutdown: CancellationToken,
    pub limiter: Arc<dyn Limiter>,
    pub tokens: Arc<dyn TokenVerifier>,
    pub ranking: Arc<dyn Ranking>,
    pub passages: Arc<dyn PassageStore>,
    pub uploads: Arc<dyn UploadStore>,
    pub responses: Arc<dyn ResponseStore>,
}

/// The parts with what the layers remember.
pub struct ApiState {
    pub(super) parts: Parts,
    pub(super) permits: Arc<Semaphore>,
    pub(super) holders: KeyHolders,
    pub(super) readiness: Readiness,
    pub(super) reports: Reports,
    pub(super) shares: Shares,
    pub(super) background: Background,
}

/// Answers that are written while nobody waits.
#[derive(Default)]
pub(super) struct Background {
    pub(super) tasks: TaskTracker,
    /// Cancelled when their time is over.
    pub(super) overdue: CancellationToken,
}

/// Answers in the background may take this long to say that they failed.
const FAIL_WITHIN: Duration = Duration::from_secs(2);
/// Keys whose holder is remembered.
const REMEMBERED_KEYS: u64 = 4_096;
/// How long a holder is remembered. A revocation counts before that, as soon as it is heard of; this bounds what a connection that
/// died without a word may hide.
const REMEMBERED_FOR: Duration = Duration::from_secs(3);

impl ApiState {
    pub fn new(mut parts: Parts) -> Arc<Self> {
        let shares = Shares::new(parts.limits.rate, Arc::clone(&parts.limiter));
        parts.answering = Arc::new(Metered::new(parts.answering, shares.clone()));
        let permits = usize::try_from(parts.limits.concurrent_requests).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            holders: Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(REMEMBERED_FOR).build(),
            readiness: Readiness::default(),
            reports: index::reports(),
            shares,
            background: Background::default(),
            parts,
        })
    }

    /// How long a request may take.
    pub(super) fn request_timeout(&self) -> Duration {
        self.parts.limits.request_timeout_seconds.into()
    }

    /// Waits, once a shutdown was asked for, until what is written in the background has ended; what has not `within` that
    /// time is told of as failed.
    pub async fn drain(&self, within: Duration) {
        let Background { tasks, overdue } = &self.background;
        tasks.close();
        if timeout(within, tasks.wait()).await.is_ok() {
            return;
        }
        tracing::warn!("answers were still written in the background {} s after the shutdown began", within.as_secs());
        overdue.cancel();
        // What cannot be told of is found out by whoever asks for it.
        let _ = timeout(FAIL_WITHIN, tasks.wait()).await;
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiState").field("limits", &self.parts.limits).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("limits", &self.limits).finish_non_exhaustive()
    }
}
