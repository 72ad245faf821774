//! Vector stores: collections of a workspace that callers make, fill with files and search apart from the rest.

use async_trait::async_trait;
use uuid::Uuid;

use super::search::{CollectionId, StoreError, WorkspaceId};

/// Keeps vector stores.
#[async_trait]
pub trait VectorStores: Send + Sync + std::fmt::Debug {
    /// The collections of these stores, in their order; `None` for one that the workspace does not have or that has expired. Being asked
    /// counts as use.
    async fn collections(&self, workspace: WorkspaceId, stores: &[Uuid]) -> Result<Vec<Option<CollectionId>>, StoreError>;
}
