//! A document's text, as it was cut.

use async_trait::async_trait;
use uuid::Uuid;

use super::search::{StoreError, WorkspaceId};

/// Reads the passages of a document.
#[async_trait]
pub trait PassageStore: Send + Sync + std::fmt::Debug {
    /// The texts of at most `limit` passages in their order, from the one numbered `from` on, counted from 0; none past the end and
    /// none of a document that the workspace does not have.
    async fn texts(&self, workspace: WorkspaceId, document: Uuid, from: u32, limit: u32) -> Result<Vec<String>, StoreError>;
}
