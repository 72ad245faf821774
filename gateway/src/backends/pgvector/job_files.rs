//! Jobs of more files than one request brings: files are added while others are worked on, and read page by page.

use uuid::Uuid;

use super::{
    Store, failed,
    jobs::{ITEMS_SHOWN, insert_items, item, notify_work},
    session::commit,
};
use crate::traits::{
    ingest::{JobItem, NewItem},
    search::{StoreError, WorkspaceId},
};

/// Files of one job.
const MOST_FILES: i32 = 1_000_000;

/// The row is locked until the commit, so that a file which ends meanwhile does not end the job. One that has ended goes on.
const REOPEN: &str = "UPDATE job SET total = total + $2, status = CASE status WHEN 'queued' THEN 'queued' ELSE 'running' END, \
    finished_at = NULL WHERE id = $1 AND status <> 'cancelled' AND total <= $3 - $2";

/// Numbers begin at 1 with the job's first file.
const AFTER: &str = "SELECT job_item.id - first.id + 1 AS number, coalesce(filename, source) AS source, status, reason, document_id, chunks_done, chunks_total \
    FROM job_item CROSS JOIN (SELECT min(id) AS id FROM job_item WHERE job_id = $1) first \
    WHERE job_id = $1 AND job_item.id >= first.id + $2 ORDER BY job_item.id LIMIT $3";

impl Store {
    pub(super) async fn append_items(&self, workspace: WorkspaceId, job: Uuid, items: &[NewItem]) -> Result<(), StoreError> {
        let error = |error| failed("adding files to a job", error);
        let mut tx = Self::begin(self, workspace).await?;
        let reopened = sqlx::query(REOPEN)
            .bind(job)
            .bind(i32::try_from(items.len()).unwrap_or(i32::MAX))
            .bind(MOST_FILES)
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        if reopened.rows_affected() == 0 {
            let found: Option<i32> =
                sqlx::query_scalar("SELECT 1 FROM job WHERE id = $1").bind(job).fetch_optional(&mut *tx).await.map_err(error)?;
            return Err(found.map_or(StoreError::NotFound { what: "job" }, |_| StoreError::Conflict { what: "job" }));
        }
        insert_items(&mut tx, workspace, job, items).await?;
        sqlx::query("SELECT finish_job($1)").bind(job).execute(&mut *tx).await.map_err(error)?;
        notify_work(&mut tx).await?;
        commit(tx, "adding files to a job").await
    }

    pub(super) async fn items_after(
        &self,
        workspace: WorkspaceId,
        job: Uuid,
        after: u64,
        limit: u32,
    ) -> Result<Vec<JobItem>, StoreError> {
        let error = |error| failed("reading a job", error);
        let mut tx = Self::begin(self, workspace).await?;
        let rows = sqlx::query(AFTER)
            .bind(job)
            .bind(i64::from(u32::try_from(after).unwrap_or(u32::MAX)))
            .bind(i64::from(limit.min(ITEMS_SHOWN)))
            .fetch_all(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "reading a job").await?;
        rows.iter().map(item).collect::<Result<_, _>>().map_err(error)
    }
}
