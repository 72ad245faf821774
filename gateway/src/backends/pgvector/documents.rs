//! Documents: whether one is stored already, lists, and deletion. Storing is in [`super::stage`] and [`super::publish`].

use std::collections::HashSet;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{
    Store, failed,
    jobs::{End, end_item, notify_work},
    publish::{bump_version, remove_blob, remove_chunks},
    session::commit,
    stage::lock_item,
};
use crate::traits::{
    ingest::{Claim, Document, DocumentPage, DocumentStore, Hash, NewDocument, Published, Rechunk, StagedChunk},
    search::{StoreError, WorkspaceId},
};

const UNCHANGED: &str = "SELECT d.id FROM document d JOIN job_item i ON i.collection_id = d.collection_id AND i.source = d.source \
    WHERE i.id = $1 AND d.content_hash = $2 AND d.metadata = $3 AND d.chunking_fingerprint = $4 AND d.space_id = $5";

const EMBEDDED: &str = "SELECT DISTINCT c.content_hash FROM chunk c WHERE c.workspace_id = $1 AND c.content_hash = ANY($2) \
    AND EXISTS (SELECT 1 FROM embeddings e \
      WHERE e.relation_id = (SELECT relation_id FROM workspace WHERE id = $1) AND e.chunk_id = c.id AND e.space_id = $3)";

const LIST: &str = "SELECT id, coalesce(filename, source) AS source, content_type, title, metadata, size_bytes, chunks, chunking_fingerprint, \
      blob_id IS NOT NULL AS has_bytes, created_at, updated_at FROM document \
    WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";

const ONE: &str = "SELECT id, coalesce(filename, source) AS source, content_type, title, metadata, size_bytes, chunks, chunking_fingerprint, \
      blob_id IS NOT NULL AS has_bytes, created_at, updated_at FROM document WHERE id = $1";

/// A file that is cut anew from these bytes is waited for: it and the deletion would otherwise wait for each other.
const LOCK_FILES: &str =
    "SELECT id FROM job_item WHERE blob_id = (SELECT blob_id FROM document WHERE id = $1) ORDER BY id FOR UPDATE";

/// A vector store that has no document of a file any more has no file.
const LEAVE_STORE: &str = "DELETE FROM vector_store_file m USING document d, vector_store s WHERE d.id = $1 AND m.file_id = d.file_id \
    AND s.id = m.vector_store_id AND s.collection_id = d.collection_id AND m.status = 'completed'";

#[async_trait]
impl DocumentStore for Store {
    async fn is_unchanged(&self, claim: &Claim, chunking_fingerprint: &Hash) -> Result<Option<Uuid>, StoreError> {
        let (space, _) = self.space().await?;
        let mut tx = Self::begin(self, claim.workspace).await?;
        let found = sqlx::query_scalar(UNCHANGED)
            .bind(claim.item_id)
            .bind(claim.content_hash.as_slice())
            .bind(Value::Object(claim.metadata.clone()))
            .bind(chunking_fingerprint.as_slice())
            .bind(space.id.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| failed("comparing a document", error))?;
        commit(tx, "comparing a document").await?;
        Ok(found)
    }

    async fn complete_unchanged(&self, claim: &Claim, document: Uuid) -> Result<(), StoreError> {
        let mut tx = Self::begin(self, claim.workspace).await?;
        let item = lock_item(&mut tx, claim).await?;
        let stored: Option<(i32, Option<Uuid>)> = sqlx::query_as("SELECT chunks, blob_id FROM document WHERE id = $1 FOR SHARE")
            .bind(document)
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| failed("completing a file", error))?;
        let (chunks, kept) = stored.ok_or(StoreError::Conflict { what: "document" })?;
        end_item(&mut tx, claim, End::Completed { document, chunks }).await?;
        if let Some(blob) = item.blob_id.filter(|blob| Some(*blob) != kept) {
            remove_blob(&mut tx, blob).await?;
        }
        notify_work(&mut tx).await?;
        commit(tx, "completing a file").await
    }

    async fn embedded(&self, workspace: WorkspaceId, hashes: &[Hash]) -> Result<HashSet<Hash>, StoreError> {
        let error = |error| failed("looking for stored vectors", error);
        let (space, _) = self.space().await?;
        let mut tx = Self::begin(self, workspace).await?;
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(EMBEDDED)
            .bind(workspace.0)
            .bind(hashes.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
            .bind(space.id.0)
            .fetch_all(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "looking for stored vectors").await?;
        Ok(rows.iter().filter_map(|hash| Hash::try_from(hash.as_slice()).ok()).collect())
    }

    async fn stage(&self, claim: &Claim, chunks: Vec<StagedChunk>) -> Result<(), StoreError> {
        self.stage_chunks(claim, chunks).await
    }

    async fn publish(&self, claim: &Claim, document: NewDocument, chunking_fingerprint: &Hash) -> Result<Published, StoreError> {
        self.publish_chunks(claim, document, chunking_fingerprint).await
    }

    async fn list(&self, workspace: WorkspaceId, after: Option<Uuid>, limit: u32) -> Result<DocumentPage, StoreError> {
        let error = |error| failed("listing documents", error);
        let limit = limit.clamp(1, 1_000);
        let mut tx = Self::begin(self, workspace).await?;
        // One more than asked tells whether there are more.
        let rows = sqlx::query(LIST)
            .bind(workspace.0)
            .bind(after)
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "listing documents").await?;
        let has_more = rows.len() > limit as usize;
        let documents = rows.iter().take(limit as usize).map(from_row).collect::<Result<_, _>>().map_err(error)?;
        Ok(DocumentPage { documents, has_more })
    }

    async fn list_stale(
        &self,
        workspace: WorkspaceId,
        chunking_fingerprint: &Hash,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<DocumentPage, StoreError> {
        self.stale_page(workspace, chunking_fingerprint, after, limit).await
    }

    async fn rechunk(&self, workspace: WorkspaceId, chunking_fingerprint: &Hash) -> Result<Rechunk, StoreError> {
        self.queue_stale(workspace, chunking_fingerprint).await
    }

    async fn document(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<Document>, StoreError> {
        let error = |error| failed("reading a document", error);
        let mut tx = Self::begin(self, workspace).await?;
        let row = sqlx::query(ONE).bind(id).fetch_optional(&mut *tx).await.map_err(error)?;
        commit(tx, "reading a document").await?;
        row.map(|row| from_row(&row)).transpose().map_err(error)
    }

    async fn delete(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let error = |error| failed("deleting a document", error);
        let mut tx = Self::begin(self, workspace).await?;
        let relation: Option<i32> = sqlx::query_scalar("SELECT relation_id FROM workspace WHERE id = $1 FOR KEY SHARE")
            .bind(workspace.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(error)?;
        sqlx::query(LOCK_FILES).bind(id).execute(&mut *tx).await.map_err(error)?;
        let found: Option<(Option<Uuid>,)> = sqlx::query_as("SELECT blob_id FROM document WHERE id = $1 FOR UPDATE")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(error)?;
        let (Some(relation), Some((blob,))) = (relation, found) else { return Ok(false) };
        remove_chunks(&mut tx, id, i64::MAX, relation).await?;
        sqlx::query(LEAVE_STORE).bind(id).execute(&mut *tx).await.map_err(error)?;
        sqlx::query("DELETE FROM document WHERE id = $1").bind(id).execute(&mut *tx).await.map_err(error)?;
        if let Some(blob) = blob {
            remove_blob(&mut tx, blob).await?;
        }
        let version = bump_version(&mut tx, workspace.0).await?;
        commit(tx, "deleting a document").await?;
        self.inner.signals.learn(workspace.0, version);
        Ok(true)
    }
}

pub(super) fn from_row(row: &PgRow) -> Result<Document, sqlx::Error> {
    let fingerprint: Vec<u8> = row.try_get("chunking_fingerprint")?;
    let metadata: Json<crate::traits::ingest::Metadata> = row.try_get("metadata")?;
    Ok(Document {
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        content_type: row.try_get("content_type")?,
        title: row.try_get("title")?,
        metadata: metadata.0,
        size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
        chunks: row.try_get::<i32, _>("chunks")?.unsigned_abs(),
        chunking_fingerprint: Hash::try_from(fingerprint.as_slice()).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        has_bytes: row.try_get("has_bytes")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
