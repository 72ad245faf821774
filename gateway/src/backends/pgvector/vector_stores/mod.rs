//! Vector stores. A store that was deleted or has expired is closed first, so that nobody finds it any more, and then emptied document
//! by document, here or by the upkeep of any gateway.

mod attach;
mod members;
mod rows;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use self::rows::store_from;
use super::{
    Store, failed,
    files::{page, push_slice},
    filter::Builder,
    session::{Server, Tx, commit},
};
use crate::traits::{
    files::Slice,
    ingest::{DocumentStore, Metadata},
    search::{CollectionId, StoreError, WorkspaceId},
    vector_stores::{
        Attached, Attachment, FileBatch, FileQuery, NewVectorStore, VectorStore, VectorStoreChange, VectorStoreFile, VectorStores,
    },
    workspaces::Page,
};

/// Entries of a page at most.
const MOST_ON_PAGE: u32 = 100;
/// A caller that deletes a store waits so long for its documents to be removed; the rest is the upkeep's.
const EMPTY_WITHIN: Duration = Duration::from_secs(10);
/// Stores that one round of the upkeep empties.
const CLOSED_AT_ONCE: i32 = 20;

/// A store with its figures, of those that are not deleted.
const SELECT: &str = "SELECT s.id, s.name, s.description, s.metadata, s.created_at, s.last_active_at, s.expires_after_days, \
      (s.closed_at IS NOT NULL OR s.last_active_at + make_interval(days => s.expires_after_days) < now()) IS TRUE AS expired, \
      f.in_progress, f.completed, f.failed, f.cancelled, \
      (SELECT coalesce(sum(d.size_bytes), 0)::bigint FROM document d WHERE d.collection_id = s.collection_id) AS usage_bytes \
    FROM vector_store s CROSS JOIN LATERAL ( \
      SELECT count(*) FILTER (WHERE status = 'in_progress') AS in_progress, count(*) FILTER (WHERE status = 'completed') AS completed, \
        count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'cancelled') AS cancelled \
      FROM vector_store_file WHERE vector_store_id = s.id) f \
    WHERE NOT s.deleted AND s.workspace_id = ";

const INSERT: &str = "WITH made AS (INSERT INTO collection (workspace_id, name) VALUES ($2, 'vs_' || $1::text) RETURNING id) \
    INSERT INTO vector_store (id, workspace_id, collection_id, name, description, metadata, expires_after_days) \
    SELECT $1, $2, made.id, $3, $4, $5, $6 FROM made";

/// `$3` and `$5`: whether to change it.
const CHANGE: &str = "UPDATE vector_store SET name = coalesce($2, name), \
      metadata = CASE WHEN $3 THEN $4 ELSE metadata END, \
      expires_after_days = CASE WHEN $5 THEN $6 ELSE expires_after_days END, last_active_at = now() \
    WHERE id = $1 AND NOT deleted AND closed_at IS NULL";

/// The collections of the stores that are open; `$more` is a part of its `WITH`.
macro_rules! collections {
    ($more:literal) => {
        concat!(
            "WITH wanted AS (SELECT id, place FROM unnest($1::uuid[]) WITH ORDINALITY AS w(id, place)), \
             open AS (SELECT id, collection_id, last_active_at FROM vector_store WHERE id = ANY($1) AND NOT deleted AND closed_at IS NULL \
               AND (expires_after_days IS NULL OR last_active_at + make_interval(days => expires_after_days) > now()))",
            $more,
            " SELECT open.collection_id FROM wanted LEFT JOIN open USING (id) ORDER BY wanted.place"
        )
    };
}

/// Written at most once a minute: a search should not wait for it.
const COLLECTIONS: &str = collections!(
    ", used AS (UPDATE vector_store SET last_active_at = now() WHERE id IN \
      (SELECT id FROM open WHERE last_active_at < now() - interval '1 minute') RETURNING 1)"
);
/// On a replica, which stands in for the primary and writes nothing.
const COLLECTIONS_UNMARKED: &str = collections!("");

#[async_trait]
impl VectorStores for Store {
    async fn create_store(&self, workspace: WorkspaceId, new: NewVectorStore) -> Result<VectorStore, StoreError> {
        let id = Uuid::now_v7();
        let mut tx = self.begin(workspace).await?;
        sqlx::query(INSERT)
            .bind(id)
            .bind(workspace.0)
            .bind(&new.name)
            .bind(&new.description)
            .bind(Value::Object(new.metadata))
            .bind(new.expires_after_days.map(|days| i32::try_from(days).unwrap_or(i32::MAX)))
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("making a vector store", error))?;
        let made = read(&mut tx, workspace, id).await?;
        commit(tx, "making a vector store").await?;
        made.ok_or(StoreError::NotFound { what: "workspace" })
    }

    async fn vector_store(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<VectorStore>, StoreError> {
        let mut tx = self.begin(workspace).await?;
        let found = read(&mut tx, workspace, id).await?;
        commit(tx, "reading a vector store").await?;
        Ok(found)
    }

    async fn vector_stores(&self, workspace: WorkspaceId, slice: Slice) -> Result<Page<VectorStore>, StoreError> {
        let error = |error| failed("listing vector stores", error);
        let limit = slice.limit.clamp(1, MOST_ON_PAGE);
        let mut sql = Builder::new(SELECT);
        sql.push_bind(workspace.0);
        push_slice(&mut sql, "s.id", Slice { limit, ..slice });
        let mut tx = self.begin(workspace).await?;
        let rows = sql.build().persistent(false).fetch_all(&mut *tx).await.map_err(error)?;
        commit(tx, "listing vector stores").await?;
        page(&rows, limit, slice, store_from).map_err(error)
    }

    async fn change_store(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        change: VectorStoreChange,
    ) -> Result<Option<VectorStore>, StoreError> {
        let VectorStoreChange { name, metadata, expires_after_days } = change;
        let mut tx = self.begin(workspace).await?;
        sqlx::query(CHANGE)
            .bind(id)
            .bind(name)
            .bind(metadata.is_some())
            .bind(Value::Object(metadata.unwrap_or_default()))
            .bind(expires_after_days.is_some())
            .bind(expires_after_days.flatten().map(|days| i32::try_from(days).unwrap_or(i32::MAX)))
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("changing a vector store", error))?;
        let found = read(&mut tx, workspace, id).await?;
        commit(tx, "changing a vector store").await?;
        Ok(found)
    }

    async fn delete_store(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let mut tx = self.begin(workspace).await?;
        let deleted = sqlx::query(
            "UPDATE vector_store SET deleted = true, closed_at = coalesce(closed_at, now()) WHERE id = $1 AND NOT deleted",
        )
        .bind(id)
        .execute(&mut *tx)
        .await
        .map_err(|error| failed("deleting a vector store", error))?;
        commit(tx, "deleting a vector store").await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        self.empty(workspace, id, Instant::now() + EMPTY_WITHIN).await?;
        Ok(true)
    }

    async fn collections(&self, workspace: WorkspaceId, stores: &[Uuid]) -> Result<Vec<Option<CollectionId>>, StoreError> {
        let look_up = |server: Arc<Server>| async move {
            let is_primary = Arc::ptr_eq(&server, &self.inner.primary);
            let mut tx = if is_primary { server.begin(workspace).await? } else { server.begin_snapshot_of(workspace).await? };
            let found: Vec<Option<i32>> = sqlx::query_scalar(if is_primary { COLLECTIONS } else { COLLECTIONS_UNMARKED })
                .bind(stores)
                .fetch_all(&mut *tx)
                .await
                .map_err(|error| failed("looking up vector stores", error))?;
            commit(tx, "looking up vector stores").await?;
            Ok(found)
        };
        let found = self.reading(look_up).await?;
        Ok(found.into_iter().map(|id| id.map(CollectionId)).collect())
    }

    async fn attach(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        files: Vec<Attachment>,
        as_batch: bool,
    ) -> Result<Attached, StoreError> {
        self.attach_files(workspace, store, &files, as_batch).await
    }

    async fn store_file(&self, workspace: WorkspaceId, store: Uuid, file: Uuid) -> Result<Option<VectorStoreFile>, StoreError> {
        self.member(workspace, store, file).await
    }

    async fn store_files(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        query: FileQuery,
    ) -> Result<Page<VectorStoreFile>, StoreError> {
        self.members(workspace, store, query).await
    }

    async fn set_attributes(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
        attributes: Metadata,
    ) -> Result<bool, StoreError> {
        self.change_attributes(workspace, store, file, attributes).await
    }

    async fn detach(&self, workspace: WorkspaceId, store: Uuid, file: Uuid) -> Result<bool, StoreError> {
        self.take_out(workspace, store, file).await
    }

    async fn texts(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
        from: u32,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.texts_of(workspace, store, file, from, limit).await
    }

    async fn batch(&self, workspace: WorkspaceId, store: Uuid, id: Uuid) -> Result<Option<FileBatch>, StoreError> {
        self.batch_of(workspace, store, id).await
    }

    async fn cancel_batch(&self, workspace: WorkspaceId, store: Uuid, id: Uuid) -> Result<bool, StoreError> {
        self.cancel_batch_of(workspace, store, id).await
    }
}

impl Store {
    /// Closes stores that have expired and goes on removing what closed ones hold. Told to the log; what fails is tried again later.
    pub(super) async fn tend_vector_stores(&self) {
        let tended = async {
            let closed: Vec<(i32, Uuid)> = sqlx::query_as("SELECT workspace_id, vector_store_id FROM close_vector_stores($1)")
                .bind(CLOSED_AT_ONCE)
                .fetch_all(&mut *self.connection().await?)
                .await
                .map_err(|error| failed("looking for closed vector stores", error))?;
            for (workspace, store) in closed {
                self.empty(WorkspaceId(workspace), store, Instant::now() + EMPTY_WITHIN).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = tended.await {
            tracing::warn!(error = %error, "closed vector stores could not be emptied yet, trying again later");
        }
    }

    /// Removes what a closed store holds, and the store itself where it was deleted, as far as the deadline lets.
    async fn empty(&self, workspace: WorkspaceId, store: Uuid, deadline: Instant) -> Result<(), StoreError> {
        let error = |error| failed("emptying a vector store", error);
        let mut tx = self.begin(workspace).await?;
        let collection: Option<i32> = sqlx::query_scalar("SELECT collection_id FROM vector_store WHERE id = $1")
            .bind(store)
            .fetch_optional(&mut *tx)
            .await
            .map_err(error)?;
        let Some(collection) = collection else { return Ok(()) };
        give_up_files(&mut tx, "collection_id = (SELECT collection_id FROM vector_store WHERE id = $1)", &[store]).await?;
        commit(tx, "emptying a vector store").await?;
        loop {
            let mut tx = self.begin(workspace).await?;
            let documents: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM document WHERE collection_id = $1 LIMIT 100")
                .bind(collection)
                .fetch_all(&mut *tx)
                .await
                .map_err(error)?;
            if documents.is_empty() {
                for sql in [
                    "DELETE FROM vector_store_file WHERE vector_store_id = $1",
                    "DELETE FROM job WHERE id IN (SELECT i.job_id FROM job_item i JOIN vector_store s ON s.collection_id = i.collection_id \
                       WHERE s.id = $1 AND s.deleted)",
                    "WITH gone AS (DELETE FROM vector_store WHERE id = $1 AND deleted RETURNING collection_id) \
                     SELECT collection_id FROM gone",
                ] {
                    sqlx::query(sql).bind(store).execute(&mut *tx).await.map_err(error)?;
                }
                return commit(tx, "emptying a vector store").await;
            }
            commit(tx, "emptying a vector store").await?;
            for document in documents {
                if Instant::now() >= deadline {
                    return Ok(());
                }
                DocumentStore::delete(self, workspace, document).await?;
            }
        }
    }
}

async fn read(tx: &mut Tx, workspace: WorkspaceId, id: Uuid) -> Result<Option<VectorStore>, StoreError> {
    let error = |error| failed("reading a vector store", error);
    let mut sql = Builder::new(SELECT);
    sql.push_bind(workspace.0).push(" AND s.id = ").push_bind(id);
    let row = sql.build().fetch_optional(&mut **tx).await.map_err(error)?;
    row.as_ref().map(store_from).transpose().map_err(error)
}

/// Ends the open items that the condition on the ids `$1`, `$2`, … names: those that wait are cancelled, one under way loses its bytes, so that it
/// cannot be published any more.
pub(super) async fn give_up_files(tx: &mut Tx, condition: &'static str, ids: &[Uuid]) -> Result<(), StoreError> {
    let sql = format!(
        "WITH ended AS (UPDATE job_item SET blob_id = NULL, status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END \
           WHERE status IN ('queued', 'running') AND {condition} RETURNING job_id) \
         SELECT finish_job(job_id) FROM (SELECT DISTINCT job_id FROM ended) jobs"
    );
    // Made from constants.
    let query = ids.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), |query, id| query.bind(*id));
    query.execute(&mut **tx).await.map_err(|error| failed("giving files up", error))?;
    Ok(())
}
