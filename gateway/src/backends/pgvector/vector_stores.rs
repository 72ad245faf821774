//! Vector stores.

use async_trait::async_trait;
use uuid::Uuid;

use super::Store;
use crate::traits::{
    search::{CollectionId, StoreError, WorkspaceId},
    vector_stores::VectorStores,
};

#[async_trait]
impl VectorStores for Store {
    async fn collections(&self, _: WorkspaceId, stores: &[Uuid]) -> Result<Vec<Option<CollectionId>>, StoreError> {
        Ok(vec![None; stores.len()])
    }
}
