//! Putting files into a vector store: one transaction makes a job of them, an item for each.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    backends::pgvector::{
        Store, failed,
        jobs::notify_work,
        session::{Tx, commit},
    },
    traits::{
        search::{StoreError, WorkspaceId},
        vector_stores::{Attached, Attachment},
    },
};

/// The row is held, so that the store is not closed before the items are there.
const OPEN: &str = "UPDATE vector_store SET last_active_at = now() WHERE id = $1 AND NOT deleted AND closed_at IS NULL \
    AND (expires_after_days IS NULL OR last_active_at + make_interval(days => expires_after_days) > now()) RETURNING collection_id";

const MISSING: &str = "SELECT w.id FROM unnest($1::uuid[]) AS w(id) WHERE NOT EXISTS \
    (SELECT FROM file f WHERE f.id = w.id AND (f.expires_at IS NULL OR f.expires_at > now())) LIMIT 1";

/// Held, so that none is deleted before its item is there.
const LOCK: &str = "SELECT id FROM file WHERE id = ANY($1) ORDER BY id FOR SHARE";

const ITEMS: &str = "INSERT INTO job_item (job_id, workspace_id, collection_id, source, content_type, metadata, blob_id, size_bytes, \
      content_hash, file_id, filename, chunking) \
    SELECT $1, $2, $3, 'file-' || f.id::text, f.content_type, w.attributes, f.blob_id, f.size_bytes, f.content_hash, f.id, f.filename, w.chunking \
    FROM unnest($4::uuid[], $5::jsonb[], $6::jsonb[]) WITH ORDINALITY AS w(id, attributes, chunking, n) JOIN file f ON f.id = w.id ORDER BY w.n";

const MEMBERS: &str = "INSERT INTO vector_store_file (vector_store_id, file_id, workspace_id, batch_id, attributes, chunking, job_item_id, status) \
    SELECT $1, i.file_id, i.workspace_id, $3, i.metadata, i.chunking, i.id, 'in_progress' FROM job_item i WHERE i.job_id = $2 \
    ON CONFLICT (vector_store_id, file_id) DO UPDATE SET batch_id = excluded.batch_id, attributes = excluded.attributes, \
      chunking = excluded.chunking, job_item_id = excluded.job_item_id, status = 'in_progress', reason = NULL, fault = NULL";

impl Store {
    pub(super) async fn attach_files(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        files: &[Attachment],
        as_batch: bool,
    ) -> Result<Attached, StoreError> {
        // The last wins where one is named twice.
        let files: HashMap<Uuid, &Attachment> = files.iter().map(|attachment| (attachment.file, attachment)).collect();
        let mut tx = self.begin(workspace).await?;
        let Some(collection) = open(&mut tx, store).await? else { return Ok(Attached::NoStore) };
        let ids: Vec<Uuid> = files.keys().copied().collect();
        if let Some(missing) = missing(&mut tx, &ids).await? {
            return Ok(Attached::NoFile(missing));
        }
        let job = Uuid::now_v7();
        queue(&mut tx, workspace, job, collection, &files).await?;
        let batch = as_batch.then(Uuid::now_v7);
        if let Some(batch) = batch {
            sqlx::query("INSERT INTO file_batch (id, workspace_id, vector_store_id, job_id) VALUES ($1, $2, $3, $4)")
                .bind(batch)
                .bind(workspace.0)
                .bind(store)
                .bind(job)
                .execute(&mut *tx)
                .await
                .map_err(error)?;
        }
        sqlx::query(MEMBERS).bind(store).bind(job).bind(batch).execute(&mut *tx).await.map_err(error)?;
        sqlx::query("SELECT finish_job($1)").bind(job).execute(&mut *tx).await.map_err(error)?;
        notify_work(&mut tx).await?;
        commit(tx, "putting files into a vector store").await?;
        Ok(Attached::Queued { batch })
    }
}

async fn open(tx: &mut Tx, store: Uuid) -> Result<Option<i32>, StoreError> {
    sqlx::query_scalar(OPEN).bind(store).fetch_optional(&mut **tx).await.map_err(error)
}

async fn missing(tx: &mut Tx, ids: &[Uuid]) -> Result<Option<Uuid>, StoreError> {
    sqlx::query(LOCK).bind(ids).execute(&mut **tx).await.map_err(error)?;
    sqlx::query_scalar(MISSING).bind(ids).fetch_optional(&mut **tx).await.map_err(error)
}

async fn queue(
    tx: &mut Tx,
    workspace: WorkspaceId,
    job: Uuid,
    collection: i32,
    files: &HashMap<Uuid, &Attachment>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO job (id, workspace_id, total) VALUES ($1, $2, $3)")
        .bind(job)
        .bind(workspace.0)
        .bind(i32::try_from(files.len()).unwrap_or(i32::MAX))
        .execute(&mut **tx)
        .await
        .map_err(error)?;
    let chunking = |attachment: &&Attachment| attachment.chunking.as_ref().map(serde_json::to_value).transpose();
    let chunking = files.values().map(chunking).collect::<Result<Vec<_>, _>>();
    let chunking =
        chunking.map_err(|source| StoreError::Failed { action: "putting files into a vector store", source: source.into() })?;
    sqlx::query(ITEMS)
        .bind(job)
        .bind(workspace.0)
        .bind(collection)
        .bind(files.keys().copied().collect::<Vec<_>>())
        .bind(files.values().map(|attachment| Value::Object(attachment.attributes.clone())).collect::<Vec<_>>())
        .bind(chunking)
        .execute(&mut **tx)
        .await
        .map_err(error)?;
    Ok(())
}

fn error(error: sqlx::Error) -> StoreError {
    failed("putting files into a vector store", error)
}
