//! The transaction that makes chunks a document. Whatever breaks in it, a search sees the old document or the new one,
//! never a part.

use std::sync::Arc;

use serde_json::Value;
use sqlx::Row;
use uuid::Uuid;

use super::{
    Store, failed,
    fill::Generation,
    jobs::{End, clear_stage, close_item},
    lexical::{Words, index_document, indexed},
    rows::clean,
    session::{Tx, commit},
    space::Space,
    stage::{LockedItem, check_vectors, lock_item},
};
use crate::traits::{
    ingest::{Claim, Hash, NewDocument, Published},
    search::StoreError,
};

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
const LAST_CHUNK: &str = "SELECT coalesce(max(id), 0) FROM chunk WHERE document_id = $1";

/// The version last, before the commit: it locks the workspace's row, which puts versions in the order of the commits.
const CLOSE: &str = "SELECT finish_job($1), pg_notify('ragline_work', ''), bump_store_version($2) AS version";

const REMOVE_BLOB: &str = "DELETE FROM blob WHERE id = $1 AND NOT EXISTS (SELECT FROM file WHERE blob_id = $1) \
    AND NOT EXISTS (SELECT FROM document WHERE blob_id = $1)";

impl Store {
    pub(super) async fn publish_chunks(
        &self,
        claim: &Claim,
        document: NewDocument,
        fingerprint: &Hash,
    ) -> Result<Published, StoreError> {
        let (space, _) = self.space().await?;
        let NewDocument { content_type, title, rest } = document;
        check_vectors(space, &rest)?;
        let rest = Arc::new(rest);
        let mut tx = self.begin_long(claim.workspace).await?;
        let item = lock_item(&mut tx, claim).await?;
        if item.blob_id.is_none() {
            // The document was deleted while it was cut anew; it must not come back.
            return Err(StoreError::Conflict { what: "document" });
        }
        // The words are read while the server stores. What was staged is read back for it, and the rest with it.
        let words = (item.staged == 0).then(|| Words::read(&rest));
        let chunks = usize::try_from(item.staged).unwrap_or(0) + rest.len();
        let described = Described { content_type, title, fingerprint, chunks };
        let (document_id, old) = upsert(&mut tx, claim, &item, described, space).await?;
        let boundary = if old.is_some() { last_chunk(&mut tx, document_id).await? } else { 0 };
        let filled = Generation { claim, item: &item, document_id, boundary, space }.fill(&mut tx, &rest).await?;
        match words {
            Some(words) => words.write(&mut tx, claim.workspace, &filled.direct).await?,
            None => index_document(&mut tx, claim.workspace, document_id, boundary).await?,
        }
        if let Some(old) = &old {
            remove_chunks(&mut tx, document_id, boundary, item.relation_id).await?;
            if let Some(blob) = old.blob_id.filter(|old| Some(*old) != item.blob_id) {
                remove_blob(&mut tx, blob).await?;
            }
        }
        let small_segments = indexed(&mut tx, claim.workspace, document_id).await?;
        close_item(&mut tx, claim, End::Completed { document: document_id, chunks: count(filled.chunks) }).await?;
        if item.staged > 0 {
            clear_stage(&mut tx, claim.item_id).await?;
        }
        let version = close(&mut tx, claim).await?;
        commit(tx, "publishing a document").await?;
        self.inner.signals.learn(claim.workspace.0, version);
        self.merge_if_crowded(claim.workspace, small_segments).await;
        let (chunks, reused) = (count(filled.chunks).unsigned_abs(), count(filled.reused).unsigned_abs());
        Ok(Published { document_id, chunks, reused })
    }
}

/// What is known of the document besides its item.
struct Described<'a> {
    content_type: String,
    title: Option<String>,
    fingerprint: &'a Hash,
    chunks: usize,
}

/// The document that is replaced.
struct Old {
    blob_id: Option<Uuid>,
}

async fn upsert(
    tx: &mut Tx,
    claim: &Claim,
    item: &LockedItem,
    described: Described<'_>,
    space: &Space,
) -> Result<(Uuid, Option<Old>), StoreError> {
    let Described { content_type, title, fingerprint, chunks } = described;
    let locked: Option<(Uuid, Option<Uuid>)> = sqlx::query_as(LOCK_DOCUMENT)
        .bind(item.collection_id)
        .bind(&claim.source)
        .fetch_optional(&mut **tx)
        .await
        .map_err(unpublished)?;
    let wanted = locked.map_or_else(Uuid::now_v7, |(id, _)| id);
    let id: Uuid = sqlx::query_scalar(UPSERT_DOCUMENT)
        .bind(wanted)
        .bind(claim.workspace.0)
        .bind(item.collection_id)
        .bind(&claim.source)
        .bind(content_type)
        .bind(title.as_deref().map(clean))
        .bind(Value::Object(claim.metadata.clone()))
        .bind(i64::try_from(claim.size_bytes).unwrap_or(i64::MAX))
        .bind(claim.content_hash.as_slice())
        .bind(fingerprint.as_slice())
        .bind(space.id.0)
        .bind(count(chunks))
        .bind(item.blob_id)
        .bind(claim.item_id)
        .fetch_one(&mut **tx)
        .await
        .map_err(unpublished)?;
    // One that came between the two statements has chunks too; its bytes are left to the sweep.
    let old = locked.map(|(_, blob_id)| Old { blob_id }).or_else(|| (id != wanted).then_some(Old { blob_id: None }));
    Ok((id, old))
}

async fn last_chunk(tx: &mut Tx, document: Uuid) -> Result<i64, StoreError> {
    sqlx::query_scalar(LAST_CHUNK).bind(document).fetch_one(&mut **tx).await.map_err(unpublished)
}

/// The end of a publish in one statement: sums up the job, tells of the file that may come next, and raises the version.
async fn close(tx: &mut Tx, claim: &Claim) -> Result<i64, StoreError> {
    let row = sqlx::query(CLOSE).bind(claim.job_id).bind(claim.workspace.0).fetch_one(&mut **tx).await.map_err(unpublished)?;
    row.try_get("version").map_err(unpublished)
}

fn unpublished(error: sqlx::Error) -> StoreError {
    failed("publishing a document", error)
}

fn count(chunks: usize) -> i32 {
    i32::try_from(chunks).unwrap_or(i32::MAX)
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
