//! The workspace of an evaluation: made and removed by the owner role, with a relation of its own, so that its index follows its
//! size as that of any large workspace does.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::{failed, space};
use crate::traits::search::{StoreError, WorkspaceId};

/// The beginning of the names; 32 hex digits follow, which nobody chooses by accident.
const PREFIX: &str = "ragline-eval-";
/// A workspace that is older is the rest of an evaluation that was killed.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// Relations 0 and 1 are made by the migrations and stay.
const FIRST_OWN_RELATION: i32 = 2;

const LEFT_OVER: &str =
    "SELECT name FROM workspace WHERE name ~ ('^' || $1 || '[0-9a-f]{32}$') AND created_at < now() - make_interval(secs => $2)";

/// A publish under way holds the row by a key share and is waited for; nothing new can begin one while this holds it.
const LOCK: &str = "SELECT id, relation_id FROM workspace WHERE name = $1 FOR UPDATE";

/// Tables that hold rows of workspaces and go with no other one. Partitions follow their parent.
const TABLES: &str = "SELECT quote_ident(c.relname) FROM pg_class c \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped \
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
      AND c.relname <> 'canary' AND NOT c.relname = ANY($1) ORDER BY c.relname";

/// Those that others refer to, in the order in which they can be emptied.
const REFERRED_TO: [&str; 5] = ["lex_seg", "job", "document", "blob", "collection"];

/// A workspace that only evaluations have.
#[derive(Clone, Debug)]
pub struct EvalWorkspace {
    owner: PgPool,
    name: String,
}

impl EvalWorkspace {
    /// Draws a name; nothing is made yet.
    pub fn new(owner: PgPool) -> Self {
        Self { owner, name: format!("{PREFIX}{}", Uuid::new_v4().simple()) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pool of the owner role.
    pub fn owner(&self) -> &PgPool {
        &self.owner
    }

    /// Makes the workspace, and gives its relation too.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn create(&self) -> Result<(WorkspaceId, i32), StoreError> {
        let error = |error| failed("making a workspace", error);
        let mut tx = self.owner.begin().await.map_err(error)?;
        sqlx::raw_sql("LOCK TABLE index_state IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await.map_err(error)?;
        let relation: i32 = sqlx::query_scalar(
            "INSERT INTO index_state (relation_id) SELECT greatest(max(relation_id) + 1, $1) FROM index_state RETURNING relation_id",
        )
        .bind(FIRST_OWN_RELATION)
        .fetch_one(&mut *tx)
        .await
        .map_err(error)?;
        // Attached rather than made as a partition: that would lock searches out.
        let table = format!(
            "CREATE TABLE embeddings_{relation} (LIKE embeddings INCLUDING DEFAULTS INCLUDING CONSTRAINTS); \
             ALTER TABLE embeddings ATTACH PARTITION embeddings_{relation} FOR VALUES IN ({relation})"
        );
        sqlx::raw_sql(AssertSqlSafe(table)).execute(&mut *tx).await.map_err(error)?;
        let id: i32 = sqlx::query_scalar("SELECT create_workspace($1, $2)")
            .bind(&self.name)
            .bind(relation)
            .fetch_one(&mut *tx)
            .await
            .map_err(error)?;
        tx.commit().await.map_err(error)?;
        Ok((WorkspaceId(id), relation))
    }

    /// Removes the workspace with everything in it. One that is not there is no error.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn remove(&self) -> Result<(), StoreError> {
        remove(&self.owner, &self.name).await
    }

    /// Removes what killed evaluations left behind.
    ///
    /// # Errors
    /// As [`EvalWorkspace::remove`].
    pub async fn remove_left_over(&self) -> Result<(), StoreError> {
        let names: Vec<String> = sqlx::query_scalar(LEFT_OVER)
            .bind(PREFIX)
            .bind(LEFT_OVER_AFTER.as_secs_f64())
            .fetch_all(&self.owner)
            .await
            .map_err(|error| failed("looking for old evaluations", error))?;
        for name in names {
            remove(&self.owner, &name).await?;
        }
        Ok(())
    }

    /// Rows of the workspace, one a window.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn rows(&self, workspace: WorkspaceId) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM embeddings WHERE workspace_id = $1")
            .bind(workspace.0)
            .fetch_one(&self.owner)
            .await
            .map_err(|error| failed("counting vectors", error))?;
        Ok(count.unsigned_abs())
    }

    /// The chunks that are nearest, best first, found by comparing every row: no index can serve the order of an aggregate.
    ///
    /// # Errors
    /// A database that does not answer or has no embedding space.
    pub async fn exact(&self, workspace: WorkspaceId, vector: &[f32], limit: u32) -> Result<Vec<i64>, StoreError> {
        let Some(space) = space::stored(&self.owner).await? else {
            return Err(StoreError::NotFound { what: "embedding space; run `ragline-gateway migrate`" });
        };
        let (operator, element) = (space.operator(), space.type_name());
        let sql = format!(
            "SELECT chunk_id FROM embeddings \
             WHERE relation_id = (SELECT relation_id FROM workspace WHERE id = $2) AND workspace_id = $2 AND space_id = $3 \
             GROUP BY chunk_id ORDER BY min(embedding {operator} $1::vector::{element}), chunk_id LIMIT $4"
        );
        // Made from constants of the space.
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(pgvector::Vector::from(vector.to_vec()))
            .bind(workspace.0)
            .bind(space.id.0)
            .bind(i64::from(limit))
            .fetch_all(&self.owner)
            .await
            .map_err(|error| failed("comparing every row", error))
    }
}

async fn remove(owner: &PgPool, name: &str) -> Result<(), StoreError> {
    let error = |error| failed("removing a workspace", error);
    let mut tx = owner.begin().await.map_err(error)?;
    let found: Option<(i32, i32)> = sqlx::query_as(LOCK).bind(name).fetch_optional(&mut *tx).await.map_err(error)?;
    let Some((workspace, relation)) = found else { return Ok(()) };
    let others: Vec<String> = sqlx::query_scalar(TABLES).bind(&REFERRED_TO[..]).fetch_all(&mut *tx).await.map_err(error)?;
    for table in others.iter().map(String::as_str).chain(REFERRED_TO) {
        // Quoted by the server, or a constant.
        let sql = format!("DELETE FROM {table} WHERE workspace_id = $1");
        sqlx::query(AssertSqlSafe(sql)).bind(workspace).execute(&mut *tx).await.map_err(error)?;
    }
    sqlx::query("DELETE FROM workspace WHERE id = $1").bind(workspace).execute(&mut *tx).await.map_err(error)?;
    tx.commit().await.map_err(error)?;
    drop_relation(owner, relation).await
}

/// Drops the partition, unless another workspace has moved into it. Detached first, which lets searches go on meanwhile.
async fn drop_relation(owner: &PgPool, relation: i32) -> Result<(), StoreError> {
    let error = |error| failed("dropping a relation", error);
    let taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM workspace WHERE relation_id = $1)")
        .bind(relation)
        .fetch_one(owner)
        .await
        .map_err(error)?;
    if taken || relation < FIRST_OWN_RELATION {
        return Ok(());
    }
    for sql in [
        format!("ALTER TABLE embeddings DETACH PARTITION embeddings_{relation} CONCURRENTLY"),
        format!("DROP TABLE embeddings_{relation}"),
        format!("DELETE FROM index_state WHERE relation_id = {relation}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.map_err(error)?;
    }
    Ok(())
}
