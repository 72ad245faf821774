//! The transaction that makes staged chunks a document. Whatever breaks in it, a search sees the old document or the new one,
//! never a part.

use serde_json::Value;
use uuid::Uuid;

use super::{
    Store, failed,
    jobs::{End, end_item, notify_work},
    lexical::{count_small, index_document},
    session::{Tx, commit},
    space::Space,
    stage::{LockedItem, lock_item},
};
use crate::traits::{
    ingest::{Claim, Hash, NewDocument, Published},
    search::StoreError,
};

/// A document of any size is one transaction, and each row of an HNSW index costs a millisecond.
const STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout = '1h'";

const LOCK_DOCUMENT: &str = "SELECT id, blob_id FROM document WHERE collection_id = $1 AND source = $2 FOR UPDATE";

/// `xmax = 0` would tell an insert from an update, but the id does as well: it is ours only when the row is new.
const UPSERT_DOCUMENT: &str = "INSERT INTO document \
      (id, workspace_id, collection_id, source, content_type, title, metadata, size_bytes, content_hash, chunking_fingerprint, space_id, chunks, blob_id, \
       file_id, filename, chunking) \
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, i.file_id, i.filename, i.chunking FROM job_item i WHERE i.id = $14 \
    ON CONFLICT (collection_id, source) DO UPDATE SET content_type = excluded.content_type, title = excluded.title, \
      metadata = excluded.metadata, size_bytes = excluded.size_bytes, content_hash = excluded.content_hash, \
      chunking_fingerprint = excluded.chunking_fingerprint, space_id = excluded.space_id, chunks = excluded.chunks, \
      blob_id = excluded.blob_id, file_id = excluded.file_id, filename = excluded.filename, chunking = excluded.chunking, \
      updated_at = now() \
    RETURNING id";

/// Chunk ids rise, and the document's row is locked: what is above this number is of the new generation.
const LAST_OLD_CHUNK: &str = "SELECT coalesce(max(id), 0) FROM chunk WHERE document_id = $1";

const COPY_CHUNKS: &str = "INSERT INTO chunk \
      (workspace_id, collection_id, document_id, position, text, tokens, heading_path, page, sheet, line_start, line_end, \
       kind, content_hash, metadata) \
    SELECT workspace_id, $3, $2, position, text, tokens, heading_path, page, sheet, line_start, line_end, kind, content_hash, metadata \
    FROM stage_chunk WHERE item_id = $1 ORDER BY position";

const COPY_EMBEDDINGS: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $4, c.workspace_id, c.collection_id, c.id, s.window_number, $5, s.embedding \
    FROM stage_embedding s JOIN chunk c ON c.document_id = $2 AND c.position = s.position AND c.id > $3 WHERE s.item_id = $1";

/// For each chunk that brought no vectors: those of another chunk of the same hash, this document's included.
const REUSE_EMBEDDINGS: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $4, c.workspace_id, c.collection_id, c.id, e.window_number, $5, e.embedding \
    FROM stage_chunk s JOIN chunk c ON c.document_id = $2 AND c.position = s.position AND c.id > $3 \
    CROSS JOIN LATERAL ( \
      SELECT o.id FROM chunk o WHERE o.workspace_id = c.workspace_id AND o.content_hash = c.content_hash AND o.id <> c.id \
        AND EXISTS (SELECT 1 FROM embeddings x WHERE x.relation_id = $4 AND x.chunk_id = o.id AND x.space_id = $5) \
      LIMIT 1) same \
    JOIN embeddings e ON e.relation_id = $4 AND e.chunk_id = same.id AND e.space_id = $5 \
    WHERE s.item_id = $1 AND s.reuse";

const COUNT: &str = "SELECT count(*), count(*) FILTER (WHERE s.reuse), \
      count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.relation_id = $4 AND e.chunk_id = c.id AND e.space_id = $5)) \
    FROM stage_chunk s JOIN chunk c ON c.document_id = $2 AND c.position = s.position AND c.id > $3 WHERE s.item_id = $1";

const REMOVE_BLOB: &str = "DELETE FROM blob WHERE id = $1 AND NOT EXISTS (SELECT FROM file WHERE blob_id = $1) \
    AND NOT EXISTS (SELECT FROM document WHERE blob_id = $1)";

impl Store {
    pub(super) async fn publish_staged(
        &self,
        claim: &Claim,
        document: NewDocument,
        fingerprint: &Hash,
    ) -> Result<Published, StoreError> {
        let (space, _) = self.space().await?;
        let mut tx = Self::begin(self, claim.workspace).await?;
        sqlx::raw_sql(STATEMENT_TIMEOUT).execute(&mut *tx).await.map_err(|error| failed("publishing a document", error))?;
        let item = lock_item(&mut tx, claim).await?;
        if item.blob_id.is_none() {
            // The document was deleted while it was cut anew; it must not come back.
            return Err(StoreError::Conflict { what: "document" });
        }
        let relation = lock_relation(&mut tx, claim).await?;
        let (document_id, old_blob) = upsert(&mut tx, claim, &item, document, fingerprint, space).await?;
        let boundary: i64 = sqlx::query_scalar(LAST_OLD_CHUNK)
            .bind(document_id)
            .fetch_one(&mut *tx)
            .await
            .map_err(|error| failed("publishing a document", error))?;
        let generation = Generation { item: claim.item_id, document_id, boundary, relation, space: space.id.0 };
        let (chunks, reused) = generation.fill(&mut tx, &item).await?;
        index_document(&mut tx, claim.workspace, document_id, boundary).await?;
        generation.remove_old(&mut tx).await?;
        let small_segments = count_small(&mut tx, claim.workspace).await?;
        if let Some(blob) = old_blob.filter(|old| Some(*old) != item.blob_id) {
            remove_blob(&mut tx, blob).await?;
        }
        end_item(&mut tx, claim, End::Completed { document: document_id, chunks }).await?;
        notify_work(&mut tx).await?;
        let version = bump_version(&mut tx, claim.workspace.0).await?;
        commit(tx, "publishing a document").await?;
        self.inner.signals.learn(claim.workspace.0, version);
        self.merge_if_crowded(claim.workspace, small_segments).await;
        Ok(Published { document_id, chunks: chunks.unsigned_abs(), reused: reused.unsigned_abs() })
    }
}

/// The relation of the workspace; it cannot move to another one before the transaction ends.
pub(super) async fn lock_relation(tx: &mut Tx, claim: &Claim) -> Result<i32, StoreError> {
    sqlx::query_scalar("SELECT relation_id FROM workspace WHERE id = $1 FOR KEY SHARE")
        .bind(claim.workspace.0)
        .fetch_optional(&mut **tx)
        .await
        .map_err(|error| failed("locking the workspace", error))?
        .ok_or(StoreError::NotFound { what: "workspace" })
}

async fn upsert(
    tx: &mut Tx,
    claim: &Claim,
    item: &LockedItem,
    document: NewDocument,
    fingerprint: &Hash,
    space: &Space,
) -> Result<(Uuid, Option<Uuid>), StoreError> {
    let error = |error| failed("publishing a document", error);
    let old: Option<(Uuid, Option<Uuid>)> = sqlx::query_as(LOCK_DOCUMENT)
        .bind(item.collection_id)
        .bind(&claim.source)
        .fetch_optional(&mut **tx)
        .await
        .map_err(error)?;
    let id: Uuid = sqlx::query_scalar(UPSERT_DOCUMENT)
        .bind(old.map_or_else(Uuid::now_v7, |(id, _)| id))
        .bind(claim.workspace.0)
        .bind(item.collection_id)
        .bind(&claim.source)
        .bind(document.content_type)
        .bind(document.title.map(|title| title.replace('\0', "\u{fffd}")))
        .bind(Value::Object(claim.metadata.clone()))
        .bind(i64::try_from(claim.size_bytes).unwrap_or(i64::MAX))
        .bind(claim.content_hash.as_slice())
        .bind(fingerprint.as_slice())
        .bind(space.id.0)
        .bind(item.staged)
        .bind(item.blob_id)
        .bind(claim.item_id)
        .fetch_one(&mut **tx)
        .await
        .map_err(error)?;
    Ok((id, old.and_then(|(_, blob)| blob)))
}

/// The chunks of a document that one publish makes, and what tells them from the older ones.
struct Generation {
    item: i64,
    document_id: Uuid,
    boundary: i64,
    relation: i32,
    space: i32,
}

impl Generation {
    /// Copies the staged chunks and gives each its vectors. Gives their number and how many kept stored vectors.
    async fn fill(&self, tx: &mut Tx, item: &LockedItem) -> Result<(i32, i32), StoreError> {
        let error = |error| failed("publishing chunks", error);
        let copied = sqlx::query(COPY_CHUNKS)
            .bind(self.item)
            .bind(self.document_id)
            .bind(item.collection_id)
            .execute(&mut **tx)
            .await
            .map_err(error)?;
        if copied.rows_affected() != u64::from(item.staged.unsigned_abs()) {
            // The server crashed and emptied the staging area.
            return Err(StoreError::Conflict { what: "staging area" });
        }
        for sql in [COPY_EMBEDDINGS, REUSE_EMBEDDINGS] {
            self.bind(sql).execute(&mut **tx).await.map_err(error)?;
        }
        let (chunks, reused, bare): (i64, i64, i64) = sqlx::query_as(COUNT)
            .bind(self.item)
            .bind(self.document_id)
            .bind(self.boundary)
            .bind(self.relation)
            .bind(self.space)
            .fetch_one(&mut **tx)
            .await
            .map_err(error)?;
        if bare > 0 {
            // Another document's deletion took them away since they were promised.
            return Err(StoreError::Conflict { what: "set of stored vectors" });
        }
        Ok((i32::try_from(chunks).unwrap_or(i32::MAX), i32::try_from(reused).unwrap_or(i32::MAX)))
    }

    fn bind(&self, sql: &'static str) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(sql).bind(self.item).bind(self.document_id).bind(self.boundary).bind(self.relation).bind(self.space)
    }

    async fn remove_old(&self, tx: &mut Tx) -> Result<(), StoreError> {
        remove_chunks(tx, self.document_id, self.boundary, self.relation).await
    }
}

/// Removes the chunks of a document up to and including an id, with their vectors.
pub(super) async fn remove_chunks(tx: &mut Tx, document: Uuid, up_to: i64, relation: i32) -> Result<(), StoreError> {
    let error = |error| failed("removing chunks", error);
    sqlx::query("DELETE FROM embeddings WHERE relation_id = $3 AND chunk_id = ANY(ARRAY(SELECT id FROM chunk WHERE document_id = $1 AND id <= $2))")
        .bind(document)
        .bind(up_to)
        .bind(relation)
        .execute(&mut **tx)
        .await
        .map_err(error)?;
    sqlx::query("DELETE FROM chunk WHERE document_id = $1 AND id <= $2")
        .bind(document)
        .bind(up_to)
        .execute(&mut **tx)
        .await
        .map_err(error)?;
    Ok(())
}

/// Removes bytes that no other document and no file needs.
pub(super) async fn remove_blob(tx: &mut Tx, blob: Uuid) -> Result<(), StoreError> {
    sqlx::query(REMOVE_BLOB).bind(blob).execute(&mut **tx).await.map_err(|error| failed("removing bytes", error))?;
    Ok(())
}

/// Last before the commit: it locks the workspace's row, which puts versions in the order of the commits.
pub(super) async fn bump_version(tx: &mut Tx, workspace: i32) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT bump_store_version($1)")
        .bind(workspace)
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| failed("raising the version", error))
}
