//! Who holds a key, which workspace has a name, and whether the store answers.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row;

use super::{Store, failed, keys::scope, session::Server};
use crate::traits::{
    search::{Directory, KeyPrint, Principal, ReplicaCount, StoreError, WorkspaceId},
    workspaces::KeyHolder,
};

#[async_trait]
impl Directory for Store {
    async fn key_holder(&self, key_sha256: &[u8; 32]) -> Result<Option<KeyHolder>, StoreError> {
        let error = |error| failed("looking up an API key", error);
        let find = |server: Arc<Server>| async move {
            let found = sqlx::query("SELECT workspace_id, workspace_name, admin, scope FROM find_api_key($1)")
                .bind(key_sha256.as_slice())
                .fetch_optional(&mut *server.connection().await?)
                .await;
            match found {
                Ok(row) => Ok(row),
                Err(error) => Err(server.not_begun(error).await),
            }
        };
        let Some(row) = self.reading(find).await? else { return Ok(None) };
        let principal = Principal {
            workspace: WorkspaceId(row.try_get("workspace_id").map_err(error)?),
            workspace_name: row.try_get("workspace_name").map_err(error)?,
            admin: row.try_get("admin").map_err(error)?,
            key: KeyPrint(*key_sha256),
        };
        Ok(Some(KeyHolder { principal, scope: scope(row.try_get("scope").map_err(error)?) }))
    }

    fn keys_version(&self) -> Option<u64> {
        self.inner.signals.keys_version()
    }

    async fn workspace(&self, name: &str) -> Result<Option<WorkspaceId>, StoreError> {
        let find = |server: Arc<Server>| async move {
            let found = sqlx::query_scalar::<_, Option<i32>>("SELECT find_workspace($1)")
                .bind(name)
                .fetch_one(&mut *server.connection().await?)
                .await;
            match found {
                Ok(found) => Ok(found.map(WorkspaceId)),
                Err(error) => Err(server.not_begun(error).await),
            }
        };
        self.reading(find).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        if self.inner.proven.initialized() { self.check_schema().await } else { self.prove().await }
    }

    async fn given_up(&self) -> StoreError {
        self.primary_given_up().await
    }

    fn replicas(&self) -> ReplicaCount {
        let each = self.inner.replicas.figures();
        ReplicaCount { configured: each.len(), healthy: each.iter().filter(|replica| replica.healthy).count() }
    }
}
