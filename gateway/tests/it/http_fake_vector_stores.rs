//! No vector stores.

use async_trait::async_trait;
use ragline_gateway::traits::{
    search::{CollectionId, StoreError, WorkspaceId},
    vector_stores::VectorStores,
};
use uuid::Uuid;

use crate::http_fakes::FakeStore;

#[async_trait]
impl VectorStores for FakeStore {
    async fn collections(&self, _: WorkspaceId, stores: &[Uuid]) -> Result<Vec<Option<CollectionId>>, StoreError> {
        Ok(vec![None; stores.len()])
    }
}
