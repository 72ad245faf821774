//! Documents that were cut with other settings than the gateway's: found, counted, and queued to be cut anew from the kept bytes.

use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Store, documents::from_row, failed, jobs::notify_work, session::commit};
use crate::traits::{
    ingest::{DocumentPage, Hash, Rechunk},
    search::{StoreError, WorkspaceId},
};

/// Documents of one job; the rest is taken by the next call.
const MOST_AT_ONCE: i64 = 100_000;

const LIST: &str = "SELECT id, coalesce(filename, source) AS source, content_type, title, metadata, size_bytes, chunks, chunking_fingerprint, \
      blob_id IS NOT NULL AS has_bytes, created_at, updated_at FROM document \
    WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) AND (chunking_fingerprint < $4 OR chunking_fingerprint > $4) \
      AND chunking IS NULL ORDER BY id DESC LIMIT $3";

/// What was cut as a caller asked is not stale. What is on its way already is cut with the new settings when its turn comes.
const QUEUE: &str = "INSERT INTO job_item (job_id, workspace_id, collection_id, source, content_type, metadata, blob_id, size_bytes, content_hash, \
      file_id, filename) \
    SELECT $1, d.workspace_id, d.collection_id, d.source, d.content_type, d.metadata, d.blob_id, d.size_bytes, d.content_hash, \
      d.file_id, d.filename \
    FROM document d WHERE d.workspace_id = $2 AND (d.chunking_fingerprint < $3 OR d.chunking_fingerprint > $3) \
      AND d.chunking IS NULL AND d.blob_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM job_item i \
        WHERE i.collection_id = d.collection_id AND i.source = d.source AND i.status IN ('queued', 'running')) \
    ORDER BY d.id LIMIT $4";

const WITHOUT_BYTES: &str = "SELECT count(*) FROM document WHERE workspace_id = $1 AND blob_id IS NULL AND chunking IS NULL \
    AND (chunking_fingerprint < $2 OR chunking_fingerprint > $2)";

impl Store {
    pub(super) async fn stale_page(
        &self,
        workspace: WorkspaceId,
        fingerprint: &Hash,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<DocumentPage, StoreError> {
        let error = |error| failed("listing documents", error);
        let limit = limit.clamp(1, 1_000);
        let mut tx = Self::begin(self, workspace).await?;
        let rows: Vec<PgRow> = sqlx::query(LIST)
            .bind(workspace.0)
            .bind(after)
            .bind(i64::from(limit) + 1)
            .bind(fingerprint.as_slice())
            .fetch_all(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "listing documents").await?;
        let has_more = rows.len() > limit as usize;
        let documents = rows.iter().take(limit as usize).map(from_row).collect::<Result<_, _>>().map_err(error)?;
        Ok(DocumentPage { documents, has_more })
    }

    pub(super) async fn queue_stale(&self, workspace: WorkspaceId, fingerprint: &Hash) -> Result<Rechunk, StoreError> {
        let error = |error| failed("queueing documents to be cut anew", error);
        let job = Uuid::now_v7();
        let mut tx = Self::begin(self, workspace).await?;
        sqlx::query("INSERT INTO job (id, workspace_id, total) VALUES ($1, $2, 0)")
            .bind(job)
            .bind(workspace.0)
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        let queued = sqlx::query(QUEUE)
            .bind(job)
            .bind(workspace.0)
            .bind(fingerprint.as_slice())
            .bind(MOST_AT_ONCE)
            .execute(&mut *tx)
            .await
            .map_err(error)?
            .rows_affected();
        let without_bytes: i64 = sqlx::query_scalar(WITHOUT_BYTES)
            .bind(workspace.0)
            .bind(fingerprint.as_slice())
            .fetch_one(&mut *tx)
            .await
            .map_err(error)?;
        let without_bytes = without_bytes.unsigned_abs();
        if queued == 0 {
            // Takes the empty job back.
            return Ok(Rechunk { job: None, without_bytes });
        }
        sqlx::query("UPDATE job SET total = $2 WHERE id = $1")
            .bind(job)
            .bind(i32::try_from(queued).unwrap_or(i32::MAX))
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        notify_work(&mut tx).await?;
        commit(tx, "queueing documents to be cut anew").await?;
        Ok(Rechunk { job: Some(job), without_bytes })
    }

    /// Documents of all workspaces that were cut otherwise than this says.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count_stale(&self, fingerprint: &Hash) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT count_stale_documents($1) AS stale")
            .bind(fingerprint.as_slice())
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("counting stale documents", error))?;
        let stale: i64 = row.try_get("stale").map_err(|error| failed("counting stale documents", error))?;
        Ok(stale.unsigned_abs())
    }
}
