//! Relations: partitions of `embeddings` that are made and dropped while everything goes on. Neither takes a lock that a search or
//! an ingest would wait for.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::{
    IndexError,
    definition::{quoted, table},
};

/// More relations than this make every plan slow; workspaces beyond stay in the pool, where they are searched exactly.
const MOST_RELATIONS: i64 = 500;

/// Relations of nobody. The first two are the schema's.
const UNUSED: &str = "SELECT s.relation_id FROM index_state s WHERE s.relation_id > 1 \
      AND NOT EXISTS (SELECT 1 FROM workspace w WHERE w.relation_id = s.relation_id OR w.id = s.moving_workspace) ORDER BY 1";

/// Makes an empty relation for a workspace that is to move there. `None`: there are too many already.
pub(super) async fn create(connection: &mut PgConnection, workspace: i32, rows: i64) -> Result<Option<i32>, IndexError> {
    let error = |source| IndexError::Sql { act: "making a relation", source };
    let mut tx = connection.begin().await.map_err(error)?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM index_state").fetch_one(&mut *tx).await.map_err(error)?;
    if count >= MOST_RELATIONS {
        return Ok(None);
    }
    let number: i64 = sqlx::query_scalar("SELECT nextval('relation_number')").fetch_one(&mut *tx).await.map_err(error)?;
    let relation = i32::try_from(number).unwrap_or(i32::MAX);
    // Attaching lets others read and write the parent; a partition that is created as one would keep them out.
    let sql = format!(
        "SET LOCAL lock_timeout = '10s'; CREATE TABLE {child} (LIKE embeddings INCLUDING ALL) WITH (toast_tuple_target = 8160); \
         ALTER TABLE embeddings ATTACH PARTITION {child} FOR VALUES IN ({relation})",
        child = quoted(&table(relation))
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.map_err(error)?;
    sqlx::query(
        "INSERT INTO index_state (relation_id, moving_workspace, move_phase, moving_since, moving_rows) \
         VALUES ($1, $2, 'copying', now(), $3)",
    )
    .bind(relation)
    .bind(workspace)
    .bind(rows)
    .execute(&mut *tx)
    .await
    .map_err(error)?;
    tx.commit().await.map_err(error)?;
    Ok(Some(relation))
}

/// Drops the relation of a workspace that is gone, with its rows and its indexes. `false`: a workspace still uses it, or it is one
/// of the two that belong to the schema. May be called again after it was interrupted; the next index run does so too.
///
/// # Errors
/// A database that does not answer, or transactions that keep the relation open for a minute.
pub async fn drop_relation(owner: &PgPool, relation: i32) -> Result<bool, IndexError> {
    let mut connection = owner.acquire().await.map_err(|source| IndexError::Sql { act: "connecting as the owner", source })?;
    remove(&mut connection, relation).await
}

/// Drops every relation that nobody uses.
pub(super) async fn drop_unused(connection: &mut PgConnection) -> Result<(), IndexError> {
    let unused: Vec<i32> = sqlx::query_scalar(UNUSED)
        .fetch_all(&mut *connection)
        .await
        .map_err(|source| IndexError::Sql { act: "looking for relations of nobody", source })?;
    for relation in unused {
        tracing::info!(relation, "dropping a relation that no workspace uses");
        remove(connection, relation).await?;
    }
    Ok(())
}

async fn remove(connection: &mut PgConnection, relation: i32) -> Result<bool, IndexError> {
    let error = |source| IndexError::Sql { act: "dropping a relation", source };
    let used: bool = sqlx::query_scalar("SELECT $1 <= 1 OR EXISTS (SELECT 1 FROM workspace WHERE relation_id = $1)")
        .bind(relation)
        .fetch_one(&mut *connection)
        .await
        .map_err(error)?;
    if used {
        return Ok(false);
    }
    let child = quoted(&table(relation));
    let pending: Option<bool> = sqlx::query_scalar("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass($1)")
        .bind(&child)
        .fetch_optional(&mut *connection)
        .await
        .map_err(error)?;
    if let Some(pending) = pending {
        // Dropping an attached partition would keep every search out while it waits for the longest one.
        let how = if pending { "FINALIZE" } else { "CONCURRENTLY" };
        let sql = format!("ALTER TABLE embeddings DETACH PARTITION {child} {how}");
        sqlx::raw_sql("SET lock_timeout = '60s'").execute(&mut *connection).await.map_err(error)?;
        let detached = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await;
        sqlx::raw_sql("SET lock_timeout = 0").execute(&mut *connection).await.map_err(error)?;
        detached.map_err(error)?;
    }
    let sql = format!("DROP TABLE IF EXISTS {child}; DELETE FROM index_state WHERE relation_id = {relation}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map_err(error)?;
    Ok(true)
}
