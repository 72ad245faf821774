//! Responses that callers come back to.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{Store, failed, session::commit};
use crate::traits::{
    responses::{Exchange, MOST_RESPONSES, Reach, ResponseStore, Said, StoredResponse},
    search::{StoreError, WorkspaceId},
};

/// Nothing is kept once the workspace is being deleted.
const KEEP: &str = "INSERT INTO response (id, workspace_id, previous_id, open, input, answer, body) \
    SELECT $1, id, $3, $4, $5, $6, $7 FROM workspace WHERE id = $2 AND deleting_at IS NULL FOR KEY SHARE";

/// The sweep would do it, but a caller in a hurry keeps more than it comes by for.
const GIVE_WAY: &str = "DELETE FROM response WHERE id IN \
    (SELECT id FROM response WHERE workspace_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 100)";

const END: &str = "UPDATE response SET open = false, answer = $2, body = $3 WHERE id = $1 AND open";

const ONE: &str = "SELECT id, previous_id, open, input, answer, body FROM response WHERE id = $1";

/// `depth` ends what would never end: no response goes on from a later one, but nothing in the table says so.
const CONVERSATION: &str = "WITH RECURSIVE back AS ( \
      SELECT previous_id, input, answer, 1 AS depth, octet_length(input::text)::bigint + octet_length(answer) AS bytes \
        FROM response WHERE id = $1 AND NOT open \
      UNION ALL \
      SELECT r.previous_id, r.input, r.answer, back.depth + 1, back.bytes + octet_length(r.input::text) + octet_length(r.answer) \
        FROM back JOIN response r ON r.id = back.previous_id WHERE back.depth < $2 AND back.bytes < $3 \
    ) SELECT previous_id, input, answer FROM back ORDER BY depth DESC";

#[async_trait]
impl ResponseStore for Store {
    async fn keep(&self, workspace: WorkspaceId, response: &StoredResponse) -> Result<(), StoreError> {
        let error = |error| failed("keeping a response", error);
        let StoredResponse { id, previous, open, input, answer, body } = response;
        let mut tx = Self::begin(self, workspace).await?;
        sqlx::query(KEEP)
            .bind(id)
            .bind(workspace.0)
            .bind(previous)
            .bind(open)
            .bind(Json(input))
            .bind(answer)
            .bind(Json(body))
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        sqlx::query(GIVE_WAY).bind(workspace.0).bind(i64::from(MOST_RESPONSES)).execute(&mut *tx).await.map_err(error)?;
        commit(tx, "keeping a response").await
    }

    async fn end(&self, workspace: WorkspaceId, id: Uuid, answer: &str, body: &Value) -> Result<bool, StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        let done = sqlx::query(END)
            .bind(id)
            .bind(answer)
            .bind(Json(body))
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("ending a response", error))?;
        commit(tx, "ending a response").await?;
        Ok(done.rows_affected() == 1)
    }

    async fn response(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<StoredResponse>, StoreError> {
        let error = |error| failed("reading a response", error);
        let mut tx = Self::begin(self, workspace).await?;
        let row = sqlx::query(ONE).bind(id).fetch_optional(&mut *tx).await.map_err(error)?;
        commit(tx, "reading a response").await?;
        row.map(|row| from_row(&row)).transpose().map_err(error)
    }

    async fn conversation(&self, workspace: WorkspaceId, id: Uuid, reach: Reach) -> Result<Vec<Exchange>, StoreError> {
        let error = |error| failed("reading a conversation", error);
        let mut tx = Self::begin(self, workspace).await?;
        let rows = sqlx::query(CONVERSATION)
            .bind(id)
            .bind(i32::try_from(reach.exchanges).unwrap_or(i32::MAX))
            .bind(i64::from(reach.bytes))
            .fetch_all(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "reading a conversation").await?;
        let exchange = |row: &PgRow| {
            let Json(input) = row.try_get::<Json<Vec<Said>>, _>("input")?;
            Ok(Exchange { previous: row.try_get("previous_id")?, input, answer: row.try_get("answer")? })
        };
        rows.iter().map(exchange).collect::<Result<_, _>>().map_err(error)
    }

    async fn forget(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        let done = sqlx::query("DELETE FROM response WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("deleting a response", error))?;
        commit(tx, "deleting a response").await?;
        Ok(done.rows_affected() == 1)
    }
}

fn from_row(row: &PgRow) -> Result<StoredResponse, sqlx::Error> {
    let Json(input) = row.try_get("input")?;
    let Json(body) = row.try_get("body")?;
    Ok(StoredResponse {
        id: row.try_get("id")?,
        previous: row.try_get("previous_id")?,
        open: row.try_get("open")?,
        input,
        answer: row.try_get("answer")?,
        body,
    })
}
