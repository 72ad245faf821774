//! Builds an index beside the one that serves.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{
    IndexError,
    definition::Definition,
    leftovers::drop_index,
    memory::{Allowed, bytes},
    state::{begin_build, end_build},
};
use crate::backends::pgvector::space::Space;

/// Builds and checks. Nothing serves from it yet.
pub(super) async fn build(
    connection: &mut PgConnection,
    definition: &Definition,
    space: &Space,
    rows: u64,
) -> Result<(), IndexError> {
    let memory = bytes(&definition.kind, &definition.name, rows, space.dimensions, allowed(connection).await?)?;
    sqlx::query("SELECT set_config('maintenance_work_mem', $1, false)")
        .bind(format!("{}kB", memory / 1024))
        .execute(&mut *connection)
        .await
        .map_err(|source| IndexError::Sql { act: "setting maintenance_work_mem", source })?;
    begin_build(connection, definition.relation, &definition.name).await?;
    tracing::info!(index = definition.name, rows, memory_mb = memory >> 20, "building a vector index");
    sqlx::raw_sql(AssertSqlSafe(definition.sql.clone()))
        .execute(&mut *connection)
        .await
        .map_err(|source| IndexError::Build { index: definition.name.clone(), source })?;
    // A concurrent build that met an error leaves an index that is there and serves nothing.
    let valid: Option<bool> =
        sqlx::query_scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident($1))")
            .bind(&definition.name)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|source| IndexError::Sql { act: "checking the index", source })?;
    if valid != Some(true) {
        return Err(IndexError::Invalid { index: definition.name.clone() });
    }
    // Rows have come in numbers; until the statistics know of them, a filtered search takes ten times as long. And an index alone tells
    // what passes once it is known which rows everybody sees.
    for upkeep in ["ANALYZE (SKIP_LOCKED) chunk", "VACUUM (ANALYZE, SKIP_LOCKED) attribute"] {
        if let Err(error) = sqlx::raw_sql(upkeep).execute(&mut *connection).await {
            tracing::warn!(error = %error, "the statistics could not be renewed; autovacuum does it by and by");
        }
    }
    Ok(())
}

/// Notes the failure and drops what was begun. What fails here is mended by the next run.
pub(super) async fn give_up(connection: &mut PgConnection, definition: &Definition, error: &IndexError) {
    let reason = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    for result in
        [drop_index(connection, &definition.name).await, end_build(connection, definition.relation, Some(&reason)).await]
    {
        if let Err(error) = result {
            tracing::warn!(error = %error, index = definition.name, "a failed build could not be cleared away; the next run does it");
        }
    }
}

/// What the server was given for maintenance.
async fn allowed(connection: &mut PgConnection) -> Result<Allowed, IndexError> {
    let error = |source| IndexError::Sql { act: "reading maintenance_work_mem", source };
    // `reset_val` is what the session began with, whatever an earlier build set on this connection.
    let sql = "SELECT reset_val::bigint * 1024 AS bytes, boot_val <> reset_val AS chosen FROM pg_settings \
               WHERE name = 'maintenance_work_mem'";
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(error)?;
    Ok(Allowed {
        bytes: row.try_get::<i64, _>("bytes").map_err(error)?.unsigned_abs(),
        chosen: row.try_get("chosen").map_err(error)?,
    })
}
