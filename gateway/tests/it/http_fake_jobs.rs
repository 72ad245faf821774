//! Jobs in memory: each item is taken once at a time, by a lease that runs out.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use ragline_gateway::traits::{
    ingest::{Claim, Fault, Job, JobItem, JobStatus, JobStore, NewItem},
    search::{StoreError, WorkspaceId},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::http_fakes::{FakeItem, FakeJob, FakeStore};

#[async_trait]
impl JobStore for FakeStore {
    async fn create(&self, workspace: WorkspaceId, items: Vec<NewItem>) -> Result<Uuid, StoreError> {
        let id = Uuid::now_v7();
        self.here()?.jobs.push(FakeJob { id, workspace, items: Vec::new() });
        self.extend(workspace, id, items).await.map(|()| id)
    }

    async fn extend(&self, workspace: WorkspaceId, job: Uuid, items: Vec<NewItem>) -> Result<(), StoreError> {
        let mut inner = self.here()?;
        let first = inner.jobs.iter().map(|job| job.items.len()).sum::<usize>();
        let found = inner.jobs.iter_mut().find(|found| found.id == job && found.workspace == workspace);
        let job = found.ok_or(StoreError::NotFound { what: "job" })?;
        let before = job.items.len();
        let item = |(number, new): (usize, NewItem)| FakeItem {
            number: (first + number) as i64,
            view: JobItem {
                number: (before + number) as u64 + 1,
                source: new.source.clone(),
                status: JobStatus::Queued,
                reason: None,
                document_id: None,
                chunks_done: 0,
                chunks_total: None,
            },
            new,
            lease: None,
            not_before: None,
            attempt: 0,
            released: 0,
            fault: None,
        };
        job.items.extend(items.into_iter().enumerate().map(item));
        self.work.notify_waiters();
        Ok(())
    }

    async fn files(&self, workspace: WorkspaceId, job: Uuid, after: u64, limit: u32) -> Result<Vec<JobItem>, StoreError> {
        let items = self.job(workspace, job).await?.map(|job| job.items).unwrap_or_default();
        Ok(items.into_iter().filter(|item| item.number > after).take(limit as usize).collect())
    }

    async fn job(&self, workspace: WorkspaceId, job: Uuid) -> Result<Option<Job>, StoreError> {
        let inner = self.here()?;
        let found = inner.jobs.iter().find(|found| found.id == job && found.workspace == workspace);
        Ok(found.map(|job| {
            let count = |wanted: &[JobStatus]| job.items.iter().filter(|item| wanted.contains(&item.view.status)).count() as u32;
            let total = job.items.len() as u32;
            let (failed, cancelled) = (count(&[JobStatus::Failed]), count(&[JobStatus::Cancelled]));
            let done = count(&[JobStatus::Completed]) + failed + cancelled;
            let status = match () {
                () if done < total && count(&[JobStatus::Queued]) == total => JobStatus::Queued,
                () if done < total => JobStatus::Running,
                () if failed == total => JobStatus::Failed,
                () if cancelled == total => JobStatus::Cancelled,
                () => JobStatus::Completed,
            };
            let chunks = job.items.iter().map(|item| u64::from(item.view.chunks_done)).sum();
            let items = job.items.iter().map(|item| item.view.clone()).collect();
            Job { id: job.id, status, total, done, failed, cancelled, chunks, created_at: Utc::now(), finished_at: None, items }
        }))
    }

    async fn cancel(&self, workspace: WorkspaceId, job: Uuid) -> Result<bool, StoreError> {
        let mut inner = self.here()?;
        let Some(job) = inner.jobs.iter_mut().find(|found| found.id == job && found.workspace == workspace) else {
            return Ok(false);
        };
        for item in job.items.iter_mut().filter(|item| item.view.status == JobStatus::Queued) {
            item.view.status = JobStatus::Cancelled;
        }
        Ok(true)
    }

    async fn claim(&self, lease_for: Duration, _: u32) -> Result<Option<Claim>, StoreError> {
        let mut inner = self.here()?;
        let now = Instant::now();
        for job in &mut inner.jobs {
            let (job_id, workspace) = (job.id, job.workspace);
            let free = |item: &&mut FakeItem| match item.view.status {
                JobStatus::Queued => item.not_before.is_none_or(|at| at <= now),
                JobStatus::Running => item.lease.is_some_and(|(_, until)| until <= now),
                JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => false,
            };
            let Some(item) = job.items.iter_mut().find(free) else { continue };
            let lease = Uuid::new_v4();
            item.lease = Some((lease, now + lease_for));
            item.view.status = JobStatus::Running;
            item.attempt += 1;
            let NewItem { source, content_type, metadata, blob, size_bytes, content_hash } = item.new.clone();
            let (item_id, attempt, released) = (item.number, item.attempt, item.released);
            inner.staged.remove(&item_id);
            return Ok(Some(Claim {
                item_id,
                job_id,
                workspace,
                lease,
                attempt,
                released,
                source,
                filename: None,
                content_type,
                metadata,
                chunking: None,
                blob: Some(blob),
                size_bytes,
                content_hash,
            }));
        }
        Ok(None)
    }

    async fn renew(&self, claim: &Claim, lease_for: Duration, done: u32, total: Option<u32>) -> Result<bool, StoreError> {
        let renewed = self.held(claim, |item| {
            item.lease = Some((claim.lease, Instant::now() + lease_for));
            (item.view.chunks_done, item.view.chunks_total) = (done, total);
        });
        match renewed {
            Err(StoreError::Conflict { .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    async fn fail(&self, claim: &Claim, fault: Fault, reason: &str) -> Result<(), StoreError> {
        self.held(claim, |item| {
            item.fault = Some(fault);
            item.view.status = JobStatus::Failed;
            item.view.reason = Some(reason.to_owned());
            item.lease = None;
        })
    }

    async fn release(&self, claim: &Claim, delay: Duration, reason: &str) -> Result<(), StoreError> {
        self.held(claim, |item| {
            item.view.status = JobStatus::Queued;
            item.view.reason = Some(reason.to_owned());
            item.not_before = Some(Instant::now() + delay);
            item.lease = None;
            item.attempt -= 1;
            item.released += 1;
        })
    }

    async fn wait_for_work(&self, _: Duration) {
        let soon = Duration::from_millis(20);
        tokio::time::timeout(soon, self.work.notified()).await.ok();
    }
}
