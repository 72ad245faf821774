//! Hands the parts to the HTTP API.

use std::sync::Arc;

use async_trait::async_trait;
use ragline_config::Index;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::{
    answer::{AnswerError, AnswerEvents, AnswerOutcome, AnswerRequest, Answerer, SearchOutcome, SearchRequest},
    backends::{off, pgvector::Store},
    http::state::{Answering, ApiState, FirstKey, IndexReporter, Parts},
    index,
    ingest::{cut::Cutter, text::TextCutter},
    traits::{
        ingest::Hash,
        search::{Principal, StoreError},
    },
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
        chunking_fingerprint: chunking_fingerprint(app),
        chunking: app.settings.config.chunking.clone(),
        limits: app.settings.config.limits.clone(),
        metrics: app.metrics.clone(),
        registry: app.registry.clone(),
        shutdown: shutdown.clone(),
        responses: store,
    })
}

/// What the cutter of the workers says of itself; the API must judge by the same.
fn chunking_fingerprint(app: &App) -> Hash {
    let (chunking, embedder) = (app.settings.config.chunking.clone(), Arc::clone(&app.embedder));
    TextCutter { chunking, embedder }.fingerprint()
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

    fn model_name(&self) -> Option<&str> {
        Some(self.generator.model_name()).filter(|name| *name != off::NO_MODEL)
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
        let status = index::status(self.store.pool(), &self.config).await?;
        serde_json::to_value(status)
            .map_err(|source| StoreError::Failed { action: "rendering the index report", source: source.into() })
    }
}
