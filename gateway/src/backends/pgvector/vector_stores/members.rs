//! The files of a vector store, and the batches they came in.

use serde_json::Value;
use uuid::Uuid;

use super::{
    MOST_ON_PAGE, give_up_files,
    rows::{batch_from, member_from, word},
};
use crate::{
    backends::pgvector::{
        Store, failed,
        files::page,
        filter::Builder,
        publish::bump_version,
        session::{Tx, commit},
    },
    traits::{
        files::Slice,
        ingest::{DocumentStore, Metadata},
        search::{StoreError, WorkspaceId},
        vector_stores::{FileBatch, FileQuery, VectorStoreFile},
        workspaces::Page,
    },
};

/// Of stores that are open.
const SELECT: &str = "SELECT m.vector_store_id, m.file_id, m.attributes, m.chunking, m.status, m.reason, m.fault, m.created_at, f.filename, \
      coalesce((SELECT d.size_bytes FROM document d WHERE d.collection_id = s.collection_id AND d.source = 'file-' || m.file_id::text), 0) \
        AS usage_bytes \
    FROM vector_store_file m JOIN vector_store s ON s.id = m.vector_store_id AND NOT s.deleted JOIN file f ON f.id = m.file_id \
    WHERE m.vector_store_id = ";

const DOCUMENT: &str = "SELECT d.id FROM document d JOIN vector_store s ON s.collection_id = d.collection_id AND NOT s.deleted \
    WHERE s.id = $1 AND d.source = 'file-' || $2::text";

const OF_MEMBER: &str = "file_id = $2 AND collection_id = (SELECT collection_id FROM vector_store WHERE id = $1)";

const TEXTS: &str = "SELECT c.text FROM chunk c WHERE c.document_id = $1 AND c.position >= $2 ORDER BY c.position LIMIT $3";

const BATCH: &str = "SELECT b.id, b.vector_store_id, b.created_at, \
      count(*) FILTER (WHERE m.status = 'in_progress') AS in_progress, count(*) FILTER (WHERE m.status = 'completed') AS completed, \
      count(*) FILTER (WHERE m.status = 'failed') AS failed, count(*) FILTER (WHERE m.status = 'cancelled') AS cancelled \
    FROM file_batch b JOIN vector_store s ON s.id = b.vector_store_id AND NOT s.deleted LEFT JOIN vector_store_file m ON m.batch_id = b.id \
    WHERE b.id = $1 AND b.vector_store_id = $2 GROUP BY b.id";

const CANCEL: &str = "WITH ended AS (UPDATE job_item SET status = 'cancelled', reason = NULL WHERE status = 'queued' AND job_id = \
      (SELECT job_id FROM file_batch WHERE id = $1) RETURNING job_id) \
    SELECT finish_job(job_id) FROM (SELECT DISTINCT job_id FROM ended) jobs";

impl Store {
    pub(super) async fn member(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
    ) -> Result<Option<VectorStoreFile>, StoreError> {
        let mut sql = Builder::new(SELECT);
        sql.push_bind(store).push(" AND m.file_id = ").push_bind(file);
        let mut tx = self.begin(workspace).await?;
        let row = sql.build().fetch_optional(&mut *tx).await.map_err(reading)?;
        commit(tx, "reading files of a vector store").await?;
        row.as_ref().map(member_from).transpose().map_err(reading)
    }

    pub(super) async fn members(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        query: FileQuery,
    ) -> Result<Page<VectorStoreFile>, StoreError> {
        let FileQuery { batch, state, slice } = query;
        let limit = slice.limit.clamp(1, MOST_ON_PAGE);
        let mut sql = Builder::new(SELECT);
        sql.push_bind(store);
        if let Some(batch) = batch {
            sql.push(" AND m.batch_id = ").push_bind(batch);
        }
        if let Some(state) = state {
            sql.push(" AND m.status = ").push_bind(word(state));
        }
        push_places(&mut sql, store, slice);
        let mut tx = self.begin(workspace).await?;
        let rows = sql.build().persistent(false).fetch_all(&mut *tx).await.map_err(reading)?;
        commit(tx, "reading files of a vector store").await?;
        page(&rows, limit, slice, member_from).map_err(reading)
    }

    pub(super) async fn change_attributes(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
        attributes: Metadata,
    ) -> Result<bool, StoreError> {
        let error = |error| failed("changing attributes", error);
        let attributes = Value::Object(attributes);
        let mut tx = self.begin(workspace).await?;
        let changed = sqlx::query("UPDATE vector_store_file SET attributes = $3 WHERE vector_store_id = $1 AND file_id = $2")
            .bind(store)
            .bind(file)
            .bind(&attributes)
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        // One that is on its way takes them along.
        sqlx::query(
            "UPDATE job_item SET metadata = $3 WHERE status IN ('queued', 'running') AND file_id = $2 \
               AND collection_id = (SELECT collection_id FROM vector_store WHERE id = $1)",
        )
        .bind(store)
        .bind(file)
        .bind(&attributes)
        .execute(&mut *tx)
        .await
        .map_err(error)?;
        let mut version = None;
        if let Some(document) = document(&mut tx, store, file).await? {
            let change = sqlx::query("UPDATE document SET metadata = $2 WHERE id = $1").bind(document).bind(&attributes);
            change.execute(&mut *tx).await.map_err(error)?;
            sqlx::query("SELECT fill_attributes(ARRAY[$1])").bind(document).execute(&mut *tx).await.map_err(error)?;
            version = Some(bump_version(&mut tx, workspace.0).await?);
        }
        commit(tx, "changing attributes").await?;
        if let Some(version) = version {
            self.inner.signals.learn(workspace.0, version);
        }
        Ok(true)
    }

    pub(super) async fn take_out(&self, workspace: WorkspaceId, store: Uuid, file: Uuid) -> Result<bool, StoreError> {
        let error = |error| failed("taking a file out of a vector store", error);
        let mut tx = self.begin(workspace).await?;
        let known: Option<Uuid> = sqlx::query_scalar(
            "SELECT m.file_id FROM vector_store_file m JOIN vector_store s ON s.id = m.vector_store_id AND NOT s.deleted \
             WHERE m.vector_store_id = $1 AND m.file_id = $2",
        )
        .bind(store)
        .bind(file)
        .fetch_optional(&mut *tx)
        .await
        .map_err(error)?;
        if known.is_none() {
            return Ok(false);
        }
        give_up_files(&mut tx, OF_MEMBER, &[store, file]).await?;
        let document = document(&mut tx, store, file).await?;
        commit(tx, "taking a file out of a vector store").await?;
        if let Some(document) = document {
            DocumentStore::delete(self, workspace, document).await?;
        }
        let mut tx = self.begin(workspace).await?;
        sqlx::query("DELETE FROM vector_store_file WHERE vector_store_id = $1 AND file_id = $2")
            .bind(store)
            .bind(file)
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "taking a file out of a vector store").await?;
        Ok(true)
    }

    pub(super) async fn texts_of(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
        from: u32,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin(workspace).await?;
        let Some(document) = document(&mut tx, store, file).await? else { return Ok(Vec::new()) };
        let texts = sqlx::query_scalar(TEXTS)
            .bind(document)
            .bind(i32::try_from(from).unwrap_or(i32::MAX))
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| failed("reading the text of a file", error))?;
        commit(tx, "reading the text of a file").await?;
        Ok(texts)
    }

    pub(super) async fn batch_of(&self, workspace: WorkspaceId, store: Uuid, id: Uuid) -> Result<Option<FileBatch>, StoreError> {
        let error = |error| failed("reading a batch of files", error);
        let mut tx = self.begin(workspace).await?;
        let row = sqlx::query(BATCH).bind(id).bind(store).fetch_optional(&mut *tx).await.map_err(error)?;
        commit(tx, "reading a batch of files").await?;
        row.as_ref().map(batch_from).transpose().map_err(error)
    }

    pub(super) async fn cancel_batch_of(&self, workspace: WorkspaceId, store: Uuid, id: Uuid) -> Result<bool, StoreError> {
        if self.batch_of(workspace, store, id).await?.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin(workspace).await?;
        sqlx::query(CANCEL).bind(id).execute(&mut *tx).await.map_err(|error| failed("cancelling a batch of files", error))?;
        commit(tx, "cancelling a batch of files").await?;
        Ok(true)
    }
}

async fn document(tx: &mut Tx, store: Uuid, file: Uuid) -> Result<Option<Uuid>, StoreError> {
    sqlx::query_scalar(DOCUMENT).bind(store).bind(file).fetch_optional(&mut **tx).await.map_err(reading)
}

/// As `push_slice`, in the order in which the files came; a cursor that is no member any more stands for the end.
fn push_places(sql: &mut Builder, store: Uuid, slice: Slice) {
    let Slice { limit, ascending, after, before } = slice;
    let (later, earlier) = if ascending { (" > ", " < ") } else { (" < ", " > ") };
    for (cursor, side) in [(after, later), (before, earlier)] {
        if let Some(cursor) = cursor {
            sql.push(" AND (m.created_at, m.file_id)").push(side);
            sql.push("(SELECT created_at, file_id FROM vector_store_file WHERE vector_store_id = ").push_bind(store);
            sql.push(" AND file_id = ").push_bind(cursor).push(")");
        }
    }
    let direction = if ascending == (before.is_some() && after.is_none()) { " DESC" } else { " ASC" };
    sql.push(" ORDER BY m.created_at").push(direction).push(", m.file_id").push(direction);
    sql.push(" LIMIT ").push_bind(i64::from(limit.clamp(1, MOST_ON_PAGE)) + 1);
}

fn reading(error: sqlx::Error) -> StoreError {
    failed("reading files of a vector store", error)
}
