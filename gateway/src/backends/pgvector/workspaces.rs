//! Workspaces, for the administrator: what crosses them is a SECURITY DEFINER function of the schema.

use async_trait::async_trait;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Store, failed};
use crate::traits::{
    search::StoreError,
    workspaces::{ApiKey, NewKey, Page, Workspace, WorkspaceName, WorkspaceStore},
};

/// Rows of a page at most.
pub(super) const MOST_ON_PAGE: u32 = 1_000;

#[async_trait]
impl WorkspaceStore for Store {
    async fn create_workspace(&self, name: &WorkspaceName) -> Result<Option<Workspace>, StoreError> {
        let made: Option<i32> = sqlx::query_scalar("SELECT add_workspace($1)")
            .bind(name.as_str())
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("making a workspace", error))?;
        match made {
            Some(_) => self.find(name).await,
            None => Ok(None),
        }
    }

    async fn workspaces(&self, after: Option<&WorkspaceName>, limit: u32) -> Result<Page<Workspace>, StoreError> {
        self.listed(None, after, limit).await
    }

    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>, StoreError> {
        Ok(self.listed(Some(name), None, 1).await?.items.pop())
    }

    async fn delete_workspace(&self, name: &WorkspaceName) -> Result<bool, StoreError> {
        let begun = sqlx::query_scalar("SELECT delete_workspace($1)")
            .bind(name.as_str())
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("deleting a workspace", error))?;
        self.inner.signals.keys_changed();
        Ok(begun)
    }

    async fn create_key(&self, workspace: &WorkspaceName, key: NewKey) -> Result<Option<ApiKey>, StoreError> {
        self.insert_key(workspace, key).await
    }

    async fn keys(&self, workspace: &WorkspaceName, after: Option<Uuid>, limit: u32) -> Result<Option<Page<ApiKey>>, StoreError> {
        self.listed_keys(workspace, after, limit).await
    }

    async fn revoke_key(&self, id: Uuid) -> Result<bool, StoreError> {
        let revoked = sqlx::query_scalar("SELECT revoke_api_key($1)")
            .bind(id)
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("revoking an API key", error))?;
        self.inner.signals.keys_changed();
        Ok(revoked)
    }
}

impl Store {
    async fn listed(
        &self,
        only: Option<&WorkspaceName>,
        after: Option<&WorkspaceName>,
        limit: u32,
    ) -> Result<Page<Workspace>, StoreError> {
        let error = |error| failed("listing workspaces", error);
        let limit = limit.clamp(1, MOST_ON_PAGE);
        let rows = sqlx::query("SELECT name, created_at, deleting FROM list_workspaces($1, $2, $3)")
            .bind(only.map(WorkspaceName::as_str))
            .bind(after.map(WorkspaceName::as_str))
            .bind(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(error)?;
        page(&rows, limit, from_row).map_err(error)
    }
}

/// One row more than the page takes tells whether there are more.
pub(super) fn page<T>(
    rows: &[PgRow],
    limit: u32,
    from_row: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Page<T>, sqlx::Error> {
    let items = rows.iter().take(limit as usize).map(from_row).collect::<Result<_, _>>()?;
    Ok(Page { items, has_more: rows.len() > limit as usize })
}

fn from_row(row: &PgRow) -> Result<Workspace, sqlx::Error> {
    Ok(Workspace { name: row.try_get("name")?, created_at: row.try_get("created_at")?, deleting: row.try_get("deleting")? })
}
