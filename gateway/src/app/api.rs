//! Hands the parts to the HTTP API.

use std::sync::Arc;

use async_trait::async_trait;
use ragline_config::Index;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::{
    answer::{
        AnswerError, AnswerEvents, AnswerOutcome, AnswerRequest, Answerer, RankError, RankRequest, Ranked, Ranker, Rewritten,
        SearchOutcome, SearchRequest,
    },
    backends::{off, pgvector::Store},
    http::state::{Answering, ApiState, FirstKey, IndexReporter, Parts, Ranking},
    index,
    ingest::cut::Cutter,
    traits::search::{Principal, StoreError},
};

/// The API's state.
pub(super) fn state(app: &App, shutdown: &CancellationToken) -> Arc<ApiState> {
    let store = Arc::new(app.store.clone());
    let index = IndexReport { store: app.store.clone(), config: app.settings.config.index.clone() };
    ApiState::new(Parts {
        answering: Arc::new(app.answerer.clone()),
        embedder: Arc::clone(&app.embedder),
        blobs: Arc::clone(&store) as _,
        jobs: Arc::clone(&store) as _,
        documents: Arc::clone(&store) as _,
        directory: Arc::clone(&store) as _,
        workspaces: Arc::clone(&store) as _,
        vector_stores: Arc::clone(&store) as _,
        files: Arc::clone(&store) as _,
        index: Arc::new(index),
        first_key: first_key(app),
        chunking_fingerprint: app.cutter().fingerprint(),
        chunking: app.settings.config.chunking.clone(),
        limits: app.settings.config.limits.clone(),
        metrics: app.metrics.clone(),
        registry: app.registry.clone(),
        shutdown: shutdown.clone(),
        limiter: Arc::clone(&app.limiter),
        tokens: Arc::clone(&app.tokens),
        ranking: Arc::new(Ranker::of(&app.answerer.retriever)),
        passages: Arc::clone(&store) as _,
        uploads: Arc::clone(&store) as _,
        responses: store,
    })
}

/// Reads the key anew each time; one that cannot be read admits nobody.
fn first_key(app: &App) -> FirstKey {
    let secret = app.settings.secrets.api_key.clone();
    Arc::new(move || secret.as_ref().and_then(|secret| secret.read().ok()))
}

#[async_trait]
impl Answering for Answerer {
    async fn search(&self, principal: &Principal, request: SearchRequest) -> Result<SearchOutcome, AnswerError> {
        Self::search(self, principal, &request).await
    }

    async fn answer(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
        Self::answer(self, principal, &request).await
    }

    async fn stream(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerEvents, AnswerError> {
        Self::stream(self, principal, &request).await
    }

    async fn count(&self, principal: &Principal, request: AnswerRequest) -> Result<u64, AnswerError> {
        Self::count(self, principal, &request).await
    }

    async fn rewrite(&self, principal: &Principal, question: &str) -> Rewritten {
        Self::rewrite(self, principal, question).await
    }

    fn model_name(&self) -> Option<&str> {
        Some(self.generator.model_name()).filter(|name| *name != off::NO_MODEL)
    }
}

#[async_trait]
impl Ranking for Ranker {
    fn model(&self) -> Option<&str> {
        Self::model(self)
    }

    async fn rank(&self, request: RankRequest) -> Result<Ranked, RankError> {
        Self::rank(self, request).await
    }
}

#[derive(Debug)]
struct IndexReport {
    store: Store,
    config: Index,
}

#[async_trait]
impl IndexReporter for IndexReport {
    async fn report(&self) -> Result<serde_json::Value, StoreError> {
        let status = index::status(&self.store.pool(), &self.config).await?;
        serde_json::to_value(status)
            .map_err(|source| StoreError::Failed { action: "rendering the index report", source: source.into() })
    }
}
