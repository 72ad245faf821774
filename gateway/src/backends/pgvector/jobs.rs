//! The queue. Everything that crosses workspaces is a SECURITY DEFINER function of the schema.

mod rows;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::Row;
use uuid::Uuid;

pub(super) use self::rows::item;
use self::rows::{claim, job_from};
use super::{
    Store, failed,
    session::{Tx, commit},
};
use crate::traits::{
    ingest::{Claim, Fault, Job, JobItem, JobStore, NewItem},
    search::{StoreError, WorkspaceId},
};

/// Files of a job that are shown.
pub(super) const ITEMS_SHOWN: u32 = 1_000;
/// A reason is for people; what an outside server said may be long.
const REASON_CHARS: usize = 2_000;
/// A file that may be taken but is locked: somebody is taking it, so look again a little later.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);

const INSERT_ITEMS: &str = "INSERT INTO job_item (job_id, workspace_id, collection_id, source, content_type, metadata, blob_id, size_bytes, content_hash) \
    SELECT $1, $2, c.id, i.source, i.content_type, i.metadata, i.blob_id, i.size_bytes, i.content_hash \
    FROM collection c, unnest($3::text[], $4::text[], $5::jsonb[], $6::uuid[], $7::bigint[], $8::bytea[]) WITH ORDINALITY \
      AS i(source, content_type, metadata, blob_id, size_bytes, content_hash, n) \
    WHERE c.workspace_id = $2 AND c.name = 'default' ORDER BY i.n";

/// Of many files those that failed are shown before others, yet all in the order they came.
const SHOWN_ITEMS: &str = "SELECT * FROM ( \
      SELECT id - min(id) OVER () + 1 AS number, coalesce(filename, source) AS source, status, reason, document_id, chunks_done, chunks_total \
      FROM job_item WHERE job_id = $1 ORDER BY status = 'failed' DESC, id LIMIT $2) shown ORDER BY number";

/// A publish holds the lock on the row while it works; skipping it means that the lease still holds.
const RENEW: &str = "WITH mine AS (SELECT id FROM job_item WHERE id = $1 AND lease = $2 FOR UPDATE SKIP LOCKED) \
    UPDATE job_item SET lease_until = now() + make_interval(secs => $3), chunks_done = $4, chunks_total = $5 \
    FROM mine WHERE job_item.id = mine.id";

#[async_trait]
impl JobStore for Store {
    async fn create(&self, workspace: WorkspaceId, items: Vec<NewItem>) -> Result<Uuid, StoreError> {
        let error = |error| failed("creating a job", error);
        let id = Uuid::now_v7();
        let mut tx = Self::begin(self, workspace).await?;
        sqlx::query("INSERT INTO job (id, workspace_id, total) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(workspace.0)
            .bind(i32::try_from(items.len()).unwrap_or(i32::MAX))
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        insert_items(&mut tx, workspace, id, &items).await?;
        sqlx::query("SELECT finish_job($1)").bind(id).execute(&mut *tx).await.map_err(error)?;
        notify_work(&mut tx).await?;
        commit(tx, "creating a job").await?;
        Ok(id)
    }

    async fn extend(&self, workspace: WorkspaceId, job: Uuid, items: Vec<NewItem>) -> Result<(), StoreError> {
        self.append_items(workspace, job, &items).await
    }

    async fn files(&self, workspace: WorkspaceId, job: Uuid, after: u64, limit: u32) -> Result<Vec<JobItem>, StoreError> {
        self.items_after(workspace, job, after, limit).await
    }

    async fn job(&self, workspace: WorkspaceId, job: Uuid) -> Result<Option<Job>, StoreError> {
        let error = |error| failed("reading a job", error);
        let epoch = self.inner.signals.epoch();
        let mut tx = Self::begin(self, workspace).await?;
        let found = sqlx::query(
            "SELECT j.id, j.status, j.total, j.created_at, j.finished_at, \
               i.done, i.failed, i.cancelled, i.chunks, \
               (SELECT store_version FROM workspace w WHERE w.id = j.workspace_id) AS store_version FROM job j CROSS JOIN LATERAL ( \
               SELECT count(*) FILTER (WHERE status IN ('completed', 'failed', 'cancelled')) AS done, \
                 count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'cancelled') AS cancelled, \
                 coalesce(sum(chunks_done), 0)::bigint AS chunks FROM job_item WHERE job_id = j.id) i \
             WHERE j.id = $1",
        )
        .bind(job)
        .fetch_optional(&mut *tx)
        .await
        .map_err(error)?;
        let Some(row) = found else { return Ok(None) };
        let items = sqlx::query(SHOWN_ITEMS).bind(job).bind(i64::from(ITEMS_SHOWN)).fetch_all(&mut *tx).await.map_err(error)?;
        commit(tx, "reading a job").await?;
        // Who is told that a document is stored will search for it, and may do so before this process has heard of it.
        if let Some(version) = row.try_get("store_version").map_err(error)? {
            self.inner.signals.learn_read(workspace.0, version, epoch);
        }
        let items = items.iter().map(item).collect::<Result<_, _>>().map_err(error)?;
        job_from(&row, items).map(Some).map_err(error)
    }

    async fn cancel(&self, workspace: WorkspaceId, job: Uuid) -> Result<bool, StoreError> {
        let error = |error| failed("cancelling a job", error);
        let mut tx = Self::begin(self, workspace).await?;
        let found = sqlx::query("SELECT 1 FROM job WHERE id = $1").bind(job).fetch_optional(&mut *tx).await.map_err(error)?;
        if found.is_none() {
            return Ok(false);
        }
        sqlx::query("UPDATE job_item SET status = 'cancelled', reason = NULL WHERE job_id = $1 AND status = 'queued'")
            .bind(job)
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        sqlx::query("SELECT finish_job($1)").bind(job).execute(&mut *tx).await.map_err(error)?;
        commit(tx, "cancelling a job").await?;
        Ok(true)
    }

    async fn claim(&self, lease_for: Duration, max_attempts: u32) -> Result<Option<Claim>, StoreError> {
        let lease = Uuid::new_v4();
        let row = sqlx::query("SELECT * FROM claim_job_item($1, $2, $3)")
            .bind(lease)
            .bind(lease_for.as_secs_f64())
            .bind(i32::try_from(max_attempts).unwrap_or(i32::MAX))
            .fetch_optional(&mut *self.connection().await?)
            .await;
        match row {
            Ok(row) => row.map(|row| claim(&row, lease)).transpose().map_err(|error| failed("claiming a file", error)),
            Err(error) => Err(self.not_begun(error).await),
        }
    }

    async fn renew(
        &self,
        claim: &Claim,
        lease_for: Duration,
        chunks_done: u32,
        chunks_total: Option<u32>,
    ) -> Result<bool, StoreError> {
        let error = |error| failed("renewing a lease", error);
        let mut tx = Self::begin(self, claim.workspace).await?;
        let renewed = sqlx::query(RENEW)
            .bind(claim.item_id)
            .bind(claim.lease)
            .bind(lease_for.as_secs_f64())
            .bind(i32::try_from(chunks_done).unwrap_or(i32::MAX))
            .bind(chunks_total.map(|total| i32::try_from(total).unwrap_or(i32::MAX)))
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        let held = renewed.rows_affected() == 1 || holds(&mut tx, claim).await?;
        commit(tx, "renewing a lease").await?;
        Ok(held)
    }

    async fn fail(&self, claim: &Claim, fault: Fault, reason: &str) -> Result<(), StoreError> {
        let mut tx = Self::begin(self, claim.workspace).await?;
        end_item(&mut tx, claim, End::Failed { reason }).await?;
        blame(&mut tx, claim, fault).await?;
        notify_work(&mut tx).await?;
        commit(tx, "failing a file").await
    }

    async fn release(&self, claim: &Claim, delay: Duration, reason: &str) -> Result<(), StoreError> {
        let error = |error| failed("giving a file back", error);
        let mut tx = Self::begin(self, claim.workspace).await?;
        clear_stage(&mut tx, claim.item_id).await?;
        let released = sqlx::query(
            "UPDATE job_item SET status = 'queued', lease = NULL, lease_until = NULL, staged = 0, attempts = attempts - 1, \
               released = released + 1, not_before = now() + make_interval(secs => $3), reason = $4 WHERE id = $1 AND lease = $2",
        )
        .bind(claim.item_id)
        .bind(claim.lease)
        .bind(delay.as_secs_f64())
        .bind(clean(reason))
        .execute(&mut *tx)
        .await
        .map_err(error)?;
        if released.rows_affected() == 0 {
            return Err(StoreError::Conflict { what: "lease" });
        }
        notify_work(&mut tx).await?;
        commit(tx, "giving a file back").await
    }

    async fn wait_for_work(&self, at_most: Duration) {
        // Subscribed before the database is asked, so that nothing falls between.
        let mut work = self.inner.signals.work();
        let waiting = async {
            let pause = match self.next_item_in().await {
                Ok(Some(seconds)) => Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(at_most).max(LOCKED_PAUSE),
                Ok(None) => at_most,
                Err(_) => Duration::from_secs(1),
            };
            // The sender lives as long as the store, so the only other end is the deadline.
            tokio::time::timeout(pause, work.changed()).await.ok();
        };
        tokio::time::timeout(at_most, waiting).await.ok();
    }

    async fn given_up(&self) -> StoreError {
        self.primary_given_up().await
    }
}

impl Store {
    /// Seconds until a file can be claimed; nothing when none waits.
    async fn next_item_in(&self) -> Result<Option<f64>, StoreError> {
        sqlx::query_scalar("SELECT next_job_item_in()")
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("looking for files that wait", error))
    }
}

pub(super) async fn insert_items(tx: &mut Tx, workspace: WorkspaceId, job: Uuid, items: &[NewItem]) -> Result<(), StoreError> {
    sqlx::query(INSERT_ITEMS)
        .bind(job)
        .bind(workspace.0)
        .bind(items.iter().map(|item| item.source.as_str()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.content_type.as_deref()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| Value::Object(item.metadata.clone())).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.blob).collect::<Vec<_>>())
        .bind(items.iter().map(|item| i64::try_from(item.size_bytes).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.content_hash.as_slice()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("queueing files", error))?;
    Ok(())
}

/// How a file leaves the queue.
pub(super) enum End<'a> {
    Completed { document: Uuid, chunks: i32 },
    Failed { reason: &'a str },
}

/// Ends the file and sums up its job. Refused when the lease is lost.
pub(super) async fn end_item(tx: &mut Tx, claim: &Claim, end: End<'_>) -> Result<(), StoreError> {
    close_item(tx, claim, end).await?;
    clear_stage(tx, claim.item_id).await?;
    sqlx::query("SELECT finish_job($1)")
        .bind(claim.job_id)
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("ending a file", error))?;
    Ok(())
}

/// Ends the file alone. Refused when the lease is lost.
pub(super) async fn close_item(tx: &mut Tx, claim: &Claim, end: End<'_>) -> Result<(), StoreError> {
    let (status, reason, document, chunks) = match end {
        End::Completed { document, chunks } => ("completed", None, Some(document), Some(chunks)),
        End::Failed { reason } => ("failed", Some(clean(reason)), None, None),
    };
    let ended = sqlx::query(
        "UPDATE job_item SET status = $3, reason = $4, document_id = $5, lease = NULL, lease_until = NULL, staged = 0, \
           chunks_done = coalesce($6, chunks_done), chunks_total = coalesce($6, chunks_total) WHERE id = $1 AND lease = $2",
    )
    .bind(claim.item_id)
    .bind(claim.lease)
    .bind(status)
    .bind(reason)
    .bind(document)
    .bind(chunks)
    .execute(&mut **tx)
    .await
    .map_err(|error| failed("ending a file", error))?;
    if ended.rows_affected() == 0 { Err(StoreError::Conflict { what: "lease" }) } else { Ok(()) }
}

/// Tells the vector store, which a trigger has just told of the end, whose fault it is.
async fn blame(tx: &mut Tx, claim: &Claim, fault: Fault) -> Result<(), StoreError> {
    sqlx::query("UPDATE vector_store_file SET fault = $2 WHERE job_item_id = $1")
        .bind(claim.item_id)
        .bind(fault.word())
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("ending a file", error))?;
    Ok(())
}

pub(super) async fn clear_stage(tx: &mut Tx, item: i64) -> Result<(), StoreError> {
    for sql in ["DELETE FROM stage_embedding WHERE item_id = $1", "DELETE FROM stage_chunk WHERE item_id = $1"] {
        sqlx::query(sql).bind(item).execute(&mut **tx).await.map_err(|error| failed("clearing the staging area", error))?;
    }
    Ok(())
}

/// A file has come in, or one that held others of its source back has ended.
pub(super) async fn notify_work(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify('ragline_work', '')")
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("telling of work", error))?;
    Ok(())
}

async fn holds(tx: &mut Tx, claim: &Claim) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM job_item WHERE id = $1 AND lease = $2)")
        .bind(claim.item_id)
        .bind(claim.lease)
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| failed("checking a lease", error))
}

/// PostgreSQL's text holds no NUL.
fn clean(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(REASON_CHARS).collect()
}
