//! The start-up proof: the gateway serves only with a role that row-level security binds.

use sqlx::Row;

use super::{Store, error::is_missing, failed, migrate::wanted_version, session::Server};
use crate::traits::search::{StoreError, WorkspaceId};

/// Everything that decides whether the role is bound, in one round trip. Without a workspace and with a foreign one the canary must
/// be invisible; with its own it must be seen, or the proof would prove nothing.
const FACTS: &str = "SELECT current_user::text AS role, \
    current_setting('server_version') AS server_version, current_setting('server_version_num')::int AS server_number, \
    r.rolsuper, r.rolbypassrls, (SELECT count(*) FROM canary) AS canaries, \
    coalesce((SELECT bool_or(pg_has_role(current_user, c.relowner, 'MEMBER')) FROM pg_class c WHERE c.oid = 'canary'::regclass), false) AS owns, \
    (SELECT min(c.relname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' \
       WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'canary'::regclass) AND c.relkind IN ('r', 'p') \
         AND CASE WHEN c.relispartition THEN has_table_privilege(c.oid, 'SELECT') \
             ELSE has_table_privilege(c.oid, 'SELECT') AND NOT (c.relrowsecurity AND c.relforcerowsecurity) END) AS open_table \
    FROM pg_roles r WHERE r.rolname = current_user";

const OLDEST_SERVER: i32 = 150_000;

impl Store {
    /// Proves that the schema is ours and that row-level security binds the role. A proof that passed is not repeated.
    ///
    /// # Errors
    /// [`StoreError::Unbound`] with the reason, [`StoreError::WrongSchema`], [`StoreError::TooOld`], [`StoreError::WrongModel`], or
    /// what kept the database from answering.
    pub async fn prove(&self) -> Result<(), StoreError> {
        self.inner.proven.get_or_try_init(|| self.prove_now()).await?;
        Ok(())
    }

    async fn prove_now(&self) -> Result<(), StoreError> {
        self.reading(|server| async move { prove_bound(&server).await }).await?;
        self.space().await?;
        Ok(())
    }

    /// One cheap round trip: the database answers and its schema is new enough.
    pub(super) async fn check_schema(&self) -> Result<(), StoreError> {
        self.reading(|server| async move { check_schema(&server).await }).await
    }
}

/// Proves on one server that the schema is ours and that row-level security binds the role.
///
/// # Errors
/// As [`Store::prove`].
pub(super) async fn prove_bound(server: &Server) -> Result<(), StoreError> {
    let error = |error| failed("proving that the role is bound", error);
    check_schema(server).await?;
    // No workspace has this number; the identity column begins with 1.
    let mut tx = server.begin(WorkspaceId(-1)).await?;
    let row = sqlx::query(FACTS).fetch_one(&mut *tx).await.map_err(error)?;
    tx.rollback().await.map_err(error)?;
    let role: String = row.try_get("role").map_err(error)?;
    let unbound = |why: &str| Err(StoreError::Unbound { role: role.clone(), why: why.to_owned() });
    if row.try_get::<i32, _>("server_number").map_err(error)? < OLDEST_SERVER {
        return Err(StoreError::TooOld { found: row.try_get("server_version").map_err(error)? });
    }
    if row.try_get("rolsuper").map_err(error)? {
        return unbound("it is a superuser");
    }
    if row.try_get("rolbypassrls").map_err(error)? {
        return unbound("it has BYPASSRLS");
    }
    if row.try_get("owns").map_err(error)? {
        return unbound("it is the owner of the tables, or a member of that role");
    }
    if let Some(table) = row.try_get::<Option<String>, _>("open_table").map_err(error)? {
        return unbound(&format!("it may read table {table} outside of the policies"));
    }
    if row.try_get::<i64, _>("canaries").map_err(error)? != 0 {
        return unbound("it sees a row of a foreign workspace");
    }
    let mut tx = server.begin(WorkspaceId(0)).await?;
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM canary").fetch_one(&mut *tx).await.map_err(error)?;
    tx.rollback().await.map_err(error)?;
    if seen != 1 {
        return unbound("the canary that the proof needs is gone; run `ragline-gateway migrate`");
    }
    Ok(())
}

async fn check_schema(server: &Server) -> Result<(), StoreError> {
    let wanted = wanted_version();
    let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    match sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *server.connection().await?).await {
        Ok(found) if found >= wanted => Ok(()),
        Ok(found) => Err(StoreError::WrongSchema { found, wanted }),
        Err(error) if is_missing(&error) => Err(StoreError::WrongSchema { found: 0, wanted }),
        Err(error) => Err(server.not_begun(error).await),
    }
}
