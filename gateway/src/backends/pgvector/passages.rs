//! The passages of a document in their order.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Store, failed, session::commit};
use crate::traits::{
    passages::PassageStore,
    search::{StoreError, WorkspaceId},
};

const TEXTS: &str = "SELECT text FROM chunk WHERE document_id = $1 AND position >= $2 ORDER BY position LIMIT $3";

#[async_trait]
impl PassageStore for Store {
    async fn texts(&self, workspace: WorkspaceId, document: Uuid, from: u32, limit: u32) -> Result<Vec<String>, StoreError> {
        let Ok(from) = i32::try_from(from) else { return Ok(Vec::new()) };
        let mut tx = Self::begin(self, workspace).await?;
        let texts = sqlx::query_scalar(TEXTS)
            .bind(document)
            .bind(from)
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| failed("reading the passages of a document", error))?;
        commit(tx, "reading the passages of a document").await?;
        Ok(texts)
    }
}
