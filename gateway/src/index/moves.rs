//! A workspace that has outgrown the pool moves into a relation of its own: an empty relation → copy in batches → lock the
//! workspace, copy what changed meanwhile, switch → remove the old rows. Each step is committed with what it has done, so a run that
//! is killed anywhere is taken up by the next one. Searches go on in their snapshots; writers wait for the switch alone.

use std::time::{Duration, Instant};

use ragline_config::{Index, index::own_relation_above};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::{IndexError, relations};

/// Moves that one run begins; the next one goes on.
const MOVES_AT_ONCE: i32 = 10;
/// Passes before the switch is tried all the same.
const PASSES: u32 = 100;
/// Chunks of one pass, whose ids are held in memory.
const CHUNKS_AT_ONCE: i64 = 100_000;
/// Chunks of one statement.
const CHUNKS_A_BATCH: usize = 2_000;
/// Rows of one statement that removes.
const ROWS_A_BATCH: i64 = 5_000;
/// Chunks that may be left for the time when writers wait.
const LEFT_FOR_THE_SWITCH: usize = 500;
/// Times that the switch is tried; a document that is being published keeps it waiting.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

const OPEN: &str =
    "SELECT relation_id, moving_workspace, move_phase FROM index_state WHERE moving_workspace IS NOT NULL ORDER BY 1";

/// Rows are never changed in place, so those of a chunk that is there are the right ones.
const MISSING: &str = "SELECT DISTINCT e.chunk_id FROM embeddings e WHERE e.relation_id = 0 AND e.workspace_id = $1 \
      AND NOT EXISTS (SELECT 1 FROM embeddings n WHERE n.relation_id = $2 AND n.chunk_id = e.chunk_id \
        AND n.space_id = e.space_id AND n.window_number = e.window_number) LIMIT $3";

const COPY: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $2, e.workspace_id, e.collection_id, e.chunk_id, e.window_number, e.space_id, e.embedding FROM embeddings e \
    WHERE e.relation_id = 0 AND e.workspace_id = $1 AND e.chunk_id = ANY($3) ON CONFLICT DO NOTHING";

const REMOVE_DELETED: &str = "DELETE FROM embeddings n WHERE n.relation_id = $2 AND n.workspace_id = $1 \
      AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.relation_id = 0 AND e.workspace_id = $1 AND e.chunk_id = n.chunk_id \
        AND e.space_id = n.space_id AND e.window_number = n.window_number)";

const CLEAR: &str =
    "DELETE FROM embeddings_0 WHERE ctid = ANY(ARRAY(SELECT ctid FROM embeddings_0 WHERE workspace_id = $1 LIMIT $2))";

/// A move that a run began or took up.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveReport {
    pub workspace: i32,
    pub relation: i32,
    /// Rows that were copied by this run.
    pub rows: u64,
    /// `false`: writers did not leave a moment for the switch; the next run tries again.
    pub done: bool,
    /// How long writers of the workspace could not go on.
    pub locked_ms: u64,
    pub took_ms: u64,
}

struct Move {
    workspace: i32,
    relation: i32,
    copied: u64,
    locked_ms: u64,
}

/// Takes up the moves that are under way, then begins those that are due.
pub(super) async fn run(connection: &mut PgConnection, config: &Index) -> Result<Vec<MoveReport>, IndexError> {
    let mut reports = Vec::new();
    let open: Vec<(i32, i32, String)> =
        sqlx::query_as(OPEN).fetch_all(&mut *connection).await.map_err(failed("reading the moves under way"))?;
    for (relation, workspace, phase) in open {
        let begun = Instant::now();
        let mut moving = Move { workspace, relation, copied: 0, locked_ms: 0 };
        let done = phase == "clearing" || moving.copy_and_switch(connection).await?;
        reports.push(moving.finish(connection, done, begun).await?);
    }
    let Some(above) = own_relation_above(&config.tiers()) else { return Ok(reports) };
    let largest: Vec<(i32, i64)> = sqlx::query_as("SELECT workspace_id, row_count FROM pool_figures($1)")
        .bind(MOVES_AT_ONCE)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed("looking for large workspaces in the pool"))?;
    for (workspace, rows) in largest.into_iter().filter(|(_, rows)| rows.unsigned_abs() > above) {
        if reports.iter().any(|report: &MoveReport| report.workspace == workspace) {
            continue;
        }
        let begun = Instant::now();
        let Some(relation) = relations::create(connection, workspace, rows).await? else {
            tracing::warn!(workspace, rows, "there are too many relations for another one; the workspace stays in the pool");
            break;
        };
        tracing::info!(workspace, relation, rows, "moving a workspace out of the pool");
        let mut moving = Move { workspace, relation, copied: 0, locked_ms: 0 };
        let done = moving.copy_and_switch(connection).await?;
        reports.push(moving.finish(connection, done, begun).await?);
    }
    Ok(reports)
}

impl Move {
    /// Copies until little is left, then switches. `false`: the switch found no moment.
    async fn copy_and_switch(&mut self, connection: &mut PgConnection) -> Result<bool, IndexError> {
        for attempt in 0..TRIES {
            let mut passes = 0;
            while self.copy(connection).await? > LEFT_FOR_THE_SWITCH && passes < PASSES {
                passes += 1;
            }
            if attempt == 0 {
                // The switch and every search after it are planned by these statistics.
                let sql = format!("ANALYZE {}", super::definition::quoted(&super::definition::table(self.relation)));
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                    .execute(&mut *connection)
                    .await
                    .map_err(failed("gathering statistics"))?;
            }
            if self.switch(connection).await? {
                return Ok(true);
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Ok(false)
    }

    /// One pass over what is missing. Gives the number of chunks that were.
    async fn copy(&mut self, connection: &mut PgConnection) -> Result<usize, IndexError> {
        let missing: Vec<i64> = sqlx::query_scalar(MISSING)
            .bind(self.workspace)
            .bind(self.relation)
            .bind(CHUNKS_AT_ONCE)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed("looking for rows to copy"))?;
        for batch in missing.chunks(CHUNKS_A_BATCH) {
            let done = sqlx::query(COPY)
                .bind(self.workspace)
                .bind(self.relation)
                .bind(batch)
                .execute(&mut *connection)
                .await
                .map_err(failed("copying rows"))?;
            self.copied += done.rows_affected();
            sqlx::query("UPDATE index_state SET moved_rows = moved_rows + $2, updated_at = now() WHERE relation_id = $1")
                .bind(self.relation)
                .bind(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
                .execute(&mut *connection)
                .await
                .map_err(failed("noting the progress of a move"))?;
        }
        Ok(missing.len())
    }

    /// Keeps writers of the workspace out, takes over what they did since, and makes the relation the one that serves. A workspace
    /// that is gone is left to [`relations::drop_unused`].
    async fn switch(&mut self, connection: &mut PgConnection) -> Result<bool, IndexError> {
        let error = failed("switching a workspace to its relation");
        let mut tx = connection.begin().await.map_err(&error)?;
        sqlx::raw_sql("SET LOCAL lock_timeout = '2s'").execute(&mut *tx).await.map_err(&error)?;
        // Writers hold the key until they commit; this waits for them, and they for this.
        let locked: Result<Option<i32>, _> = sqlx::query_scalar("SELECT relation_id FROM workspace WHERE id = $1 FOR UPDATE")
            .bind(self.workspace)
            .fetch_optional(&mut *tx)
            .await;
        let begun = Instant::now();
        match locked {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(false),
            Err(busy) if is_busy(&busy) => return Ok(false),
            Err(other) => return Err(error(other)),
        }
        sqlx::raw_sql("SET LOCAL lock_timeout = 0").execute(&mut *tx).await.map_err(&error)?;
        let missing: Vec<i64> = sqlx::query_scalar(MISSING)
            .bind(self.workspace)
            .bind(self.relation)
            .bind(CHUNKS_AT_ONCE)
            .fetch_all(&mut *tx)
            .await
            .map_err(&error)?;
        if missing.len() > LEFT_FOR_THE_SWITCH * 4 {
            // A large document came in between: it is copied while writers go on.
            return Ok(false);
        }
        let both = |sql| sqlx::query(sql).bind(self.workspace).bind(self.relation);
        let copied = both(COPY).bind(&missing).execute(&mut *tx).await.map_err(&error)?.rows_affected();
        both(REMOVE_DELETED).execute(&mut *tx).await.map_err(&error)?;
        both("UPDATE workspace SET relation_id = $2 WHERE id = $1").execute(&mut *tx).await.map_err(&error)?;
        both(
            "UPDATE index_state SET move_phase = 'clearing', updated_at = now() WHERE relation_id = $2 AND moving_workspace = $1",
        )
        .execute(&mut *tx)
        .await
        .map_err(&error)?;
        sqlx::query("SELECT bump_store_version($1)").bind(self.workspace).execute(&mut *tx).await.map_err(&error)?;
        tx.commit().await.map_err(&error)?;
        self.copied += copied;
        self.locked_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(true)
    }

    /// Removes the old rows of a workspace that is served from its relation.
    async fn finish(self, connection: &mut PgConnection, done: bool, begun: Instant) -> Result<MoveReport, IndexError> {
        let Self { workspace, relation, copied, locked_ms } = self;
        if done {
            let error = failed("removing the old rows of a move");
            let mut removed = ROWS_A_BATCH.unsigned_abs();
            while removed >= ROWS_A_BATCH.unsigned_abs() {
                let batch = sqlx::query(CLEAR).bind(workspace).bind(ROWS_A_BATCH).execute(&mut *connection).await;
                removed = batch.map_err(&error)?.rows_affected();
            }
            sqlx::query(
                "UPDATE index_state SET moving_workspace = NULL, move_phase = NULL, updated_at = now() WHERE relation_id = $1",
            )
            .bind(relation)
            .execute(connection)
            .await
            .map_err(&error)?;
        }
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(workspace, relation, rows = copied, locked_ms, took_ms, done, "a workspace moves out of the pool");
        Ok(MoveReport { workspace, relation, rows: copied, done, locked_ms, took_ms })
    }
}

fn failed(act: &'static str) -> impl Fn(sqlx::Error) -> IndexError {
    move |source| IndexError::Sql { act, source }
}

/// Somebody else holds the lock, or waits for one of ours.
fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
}
