//! Responses in memory.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use ragline_gateway::traits::{
    responses::{Exchange, Reach, ResponseStore, StoredResponse},
    search::{StoreError, WorkspaceId},
};
use serde_json::Value;
use uuid::Uuid;

use crate::http_fakes::FakeStore;

#[async_trait]
impl ResponseStore for FakeStore {
    async fn keep(&self, workspace: WorkspaceId, response: &StoredResponse) -> Result<(), StoreError> {
        self.here()?.responses.push((workspace, response.clone()));
        Ok(())
    }

    async fn end(&self, workspace: WorkspaceId, id: Uuid, answer: &str, body: &Value) -> Result<bool, StoreError> {
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let mut inner = self.here()?;
        let found = inner.responses.iter_mut().find(|(of, kept)| *of == workspace && kept.id == id && kept.open);
        let Some((_, kept)) = found else { return Ok(false) };
        (kept.open, kept.answer, kept.body) = (false, answer.to_owned(), body.clone());
        Ok(true)
    }

    async fn response(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<StoredResponse>, StoreError> {
        Ok(self.here()?.responses.iter().find(|(of, kept)| *of == workspace && kept.id == id).map(|(_, kept)| kept.clone()))
    }

    async fn conversation(&self, workspace: WorkspaceId, id: Uuid, reach: Reach) -> Result<Vec<Exchange>, StoreError> {
        let (mut next, mut exchanges) = (Some(id), Vec::new());
        while let Some(id) = next.filter(|_| exchanges.len() < reach.exchanges as usize) {
            let Some(kept) = self.response(workspace, id).await?.filter(|kept| !kept.open) else { break };
            next = kept.previous;
            exchanges.insert(0, Exchange { previous: kept.previous, input: kept.input, answer: kept.answer });
        }
        Ok(exchanges)
    }

    async fn forget(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let mut inner = self.here()?;
        let before = inner.responses.len();
        inner.responses.retain(|(of, kept)| *of != workspace || kept.id != id);
        Ok(inner.responses.len() < before)
    }
}
