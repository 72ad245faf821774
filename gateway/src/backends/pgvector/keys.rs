//! API keys. They are written and listed inside their workspace; only the look-up and the revocation cross workspaces, by
//! functions of the schema.

use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Store, failed,
    session::commit,
    workspaces::{MOST_ON_PAGE, page},
};
use crate::traits::{
    search::{Directory, StoreError},
    workspaces::{ApiKey, NewKey, Page, Scope, WorkspaceName},
};

/// Nothing is inserted once the workspace is being deleted.
const INSERT: &str = "INSERT INTO api_key (id, workspace_id, name, key_sha256, scope, expires_at) \
    SELECT $2, id, $3, $4, $5, now() + make_interval(days => $6) FROM workspace WHERE id = $1 AND deleting_at IS NULL FOR KEY SHARE \
    RETURNING id, name, scope, created_at, expires_at, revoked_at";

const LIST: &str = "SELECT id, name, scope, created_at, expires_at, revoked_at FROM api_key \
    WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";

impl Store {
    pub(super) async fn insert_key(&self, workspace: &WorkspaceName, key: NewKey) -> Result<Option<ApiKey>, StoreError> {
        let error = |error| failed("storing an API key", error);
        let Some(workspace) = self.workspace(workspace.as_str()).await? else { return Ok(None) };
        let NewKey { name, scope, sha256, expires_in_days } = key;
        let mut tx = Self::begin(self, workspace).await?;
        let stored = sqlx::query(INSERT)
            .bind(workspace.0)
            .bind(Uuid::now_v7())
            .bind(name)
            .bind(sha256.as_slice())
            .bind(scope.word())
            .bind(expires_in_days.map(|days| i32::try_from(days).unwrap_or(i32::MAX)))
            .fetch_optional(&mut *tx)
            .await
            .map_err(error)?;
        // A gateway may remember that nobody holds this key.
        sqlx::query("SELECT notify_keys()").execute(&mut *tx).await.map_err(error)?;
        commit(tx, "storing an API key").await?;
        self.inner.signals.keys_changed();
        stored.map(|row| from_row(&row)).transpose().map_err(error)
    }

    pub(super) async fn listed_keys(
        &self,
        workspace: &WorkspaceName,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Option<Page<ApiKey>>, StoreError> {
        let error = |error| failed("listing API keys", error);
        let Some(workspace) = self.workspace(workspace.as_str()).await? else { return Ok(None) };
        let limit = limit.clamp(1, MOST_ON_PAGE);
        let mut tx = Self::begin(self, workspace).await?;
        let rows = sqlx::query(LIST)
            .bind(workspace.0)
            .bind(after)
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "listing API keys").await?;
        page(&rows, limit, from_row).map(Some).map_err(error)
    }
}

/// A word that a newer program stored gives the least.
pub(super) fn scope(word: &str) -> Scope {
    match word {
        "admin" => Scope::Admin,
        "write" => Scope::Write,
        _ => Scope::Read,
    }
}

fn from_row(row: &PgRow) -> Result<ApiKey, sqlx::Error> {
    Ok(ApiKey {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        scope: scope(row.try_get("scope")?),
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
