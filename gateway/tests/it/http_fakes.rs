//! The traits behind the API in memory, for tests that need no database. Workspace 1 is `default`, workspace 2 another's.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use ragline_gateway::traits::{
    ingest::{
        BlobStore, Claim, Document, DocumentPage, DocumentStore, Hash, Job, JobItem, JobStatus, JobStore, NewDocument, NewItem,
        Published, Rechunk, StagedChunk,
    },
    responses::StoredResponse,
    search::{Directory, KeyPrint, Principal, StoreError, WorkspaceId},
    workspaces::{KeyHolder, Scope},
};
use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

pub(crate) const OURS: WorkspaceId = WorkspaceId(1);
pub(crate) const THEIRS: WorkspaceId = WorkspaceId(2);
pub(crate) const FIRST_KEY: &str = "first-key";
pub(crate) const THEIR_KEY: &str = "their-key";
/// Of the same workspace as [`THEIR_KEY`].
pub(crate) const READING_KEY: &str = "reading-key";
/// The version of the keys when the store cannot hear of changes.
pub(crate) const UNHEARD: u64 = u64::MAX;

/// Everything that a store keeps.
#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    inner: Mutex<Inner>,
    work: Notify,
    /// Every call fails as if PostgreSQL were away.
    pub(crate) away: AtomicBool,
    pub(crate) keys_version: AtomicU64,
    pub(crate) key_look_ups: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) blobs: BTreeMap<Uuid, (WorkspaceId, Vec<Bytes>)>,
    pub(crate) jobs: Vec<FakeJob>,
    pub(crate) documents: Vec<FakeDocument>,
    staged: HashMap<i64, Vec<StagedChunk>>,
    pub(crate) responses: Vec<(WorkspaceId, StoredResponse)>,
}

#[derive(Debug)]
pub(crate) struct FakeJob {
    id: Uuid,
    workspace: WorkspaceId,
    pub(crate) items: Vec<FakeItem>,
}

#[derive(Debug)]
pub(crate) struct FakeItem {
    number: i64,
    new: NewItem,
    pub(crate) view: JobItem,
    pub(crate) lease: Option<(Uuid, Instant)>,
    not_before: Option<Instant>,
    attempt: u32,
    pub(crate) released: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeDocument {
    pub(crate) workspace: WorkspaceId,
    pub(crate) view: Document,
    pub(crate) chunks: Vec<StagedChunk>,
    content_hash: Hash,
    fingerprint: Hash,
}

impl FakeStore {
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn here(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        if self.away.load(Ordering::Relaxed) { Err(StoreError::Unreachable("switched off".into())) } else { Ok(self.inner()) }
    }

    fn held(&self, claim: &Claim, act: impl FnOnce(&mut FakeItem)) -> Result<(), StoreError> {
        let mut inner = self.here()?;
        let item = inner.item(claim.item_id);
        if item.lease.is_none_or(|(lease, _)| lease != claim.lease) {
            return Err(StoreError::Conflict { what: "lease" });
        }
        act(item);
        drop(inner);
        self.work.notify_waiters();
        Ok(())
    }
}

impl Inner {
    fn item(&mut self, number: i64) -> &mut FakeItem {
        self.jobs.iter_mut().flat_map(|job| &mut job.items).find(|item| item.number == number).unwrap()
    }
}

#[async_trait]
impl Directory for FakeStore {
    async fn key_holder(&self, key_sha256: &[u8; 32]) -> Result<Option<KeyHolder>, StoreError> {
        drop(self.here()?);
        let theirs: Hash = Sha256::digest(THEIR_KEY).into();
        self.key_look_ups.fetch_add(1, Ordering::Relaxed);
        let reading: Hash = Sha256::digest(READING_KEY).into();
        let principal =
            Principal { workspace: THEIRS, workspace_name: "theirs".into(), admin: false, key: KeyPrint(*key_sha256) };
        let scope = if *key_sha256 == reading { Scope::Read } else { Scope::Write };
        Ok([theirs, reading].contains(key_sha256).then_some(KeyHolder { principal, scope }))
    }

    fn keys_version(&self) -> Option<u64> {
        Some(self.keys_version.load(Ordering::Relaxed)).filter(|version| *version != UNHEARD)
    }

    async fn workspace(&self, name: &str) -> Result<Option<WorkspaceId>, StoreError> {
        drop(self.here()?);
        Ok(match name {
            "default" => Some(OURS),
            "theirs" => Some(THEIRS),
            _ => None,
        })
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.here().map(drop)
    }
}

#[async_trait]
impl BlobStore for FakeStore {
    async fn begin(&self, workspace: WorkspaceId) -> Result<Uuid, StoreError> {
        let id = Uuid::now_v7();
        self.here()?.blobs.insert(id, (workspace, Vec::new()));
        Ok(id)
    }

    async fn append(&self, _: WorkspaceId, blob: Uuid, number: u32, piece: Bytes) -> Result<(), StoreError> {
        let mut inner = self.here()?;
        let (_, pieces) = inner.blobs.get_mut(&blob).unwrap();
        assert_eq!(pieces.len(), number as usize);
        assert!(piece.len() <= 1 << 20 && !piece.is_empty());
        pieces.push(piece);
        Ok(())
    }

    async fn piece(&self, _: WorkspaceId, blob: Uuid, number: u32) -> Result<Option<Bytes>, StoreError> {
        Ok(self.here()?.blobs.get(&blob).and_then(|(_, pieces)| pieces.get(number as usize).cloned()))
    }

    async fn remove(&self, _: WorkspaceId, blob: Uuid) -> Result<(), StoreError> {
        self.here()?.blobs.remove(&blob);
        Ok(())
    }
}

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

    async fn fail(&self, claim: &Claim, reason: &str) -> Result<(), StoreError> {
        self.held(claim, |item| {
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

#[async_trait]
impl DocumentStore for FakeStore {
    async fn is_unchanged(&self, claim: &Claim, fingerprint: &Hash) -> Result<Option<Uuid>, StoreError> {
        let inner = self.here()?;
        let same = |document: &&FakeDocument| {
            document.workspace == claim.workspace
                && document.view.source == claim.source
                && document.view.metadata == claim.metadata
                && document.content_hash == claim.content_hash
                && document.fingerprint == *fingerprint
        };
        Ok(inner.documents.iter().find(same).map(|document| document.view.id))
    }

    async fn complete_unchanged(&self, claim: &Claim, document: Uuid) -> Result<(), StoreError> {
        self.held(claim, |item| {
            item.view.status = JobStatus::Completed;
            item.view.document_id = Some(document);
            item.lease = None;
        })
    }

    async fn embedded(&self, workspace: WorkspaceId, hashes: &[Hash]) -> Result<HashSet<Hash>, StoreError> {
        let inner = self.here()?;
        let stored =
            inner.documents.iter().filter(|document| document.workspace == workspace).flat_map(|document| &document.chunks);
        Ok(stored.map(|chunk| chunk.content_hash).filter(|hash| hashes.contains(hash)).collect())
    }

    async fn stage(&self, claim: &Claim, chunks: Vec<StagedChunk>) -> Result<(), StoreError> {
        self.held(claim, |_| {})?;
        self.here()?.staged.entry(claim.item_id).or_default().extend(chunks);
        Ok(())
    }

    async fn publish(&self, claim: &Claim, document: NewDocument, fingerprint: &Hash) -> Result<Published, StoreError> {
        let mut chunks = self.here()?.staged.remove(&claim.item_id).unwrap_or_default();
        chunks.extend(document.rest);
        let id = Uuid::now_v7();
        let published = Published {
            document_id: id,
            chunks: chunks.len() as u32,
            reused: chunks.iter().filter(|chunk| chunk.windows.is_none()).count() as u32,
        };
        self.held(claim, |item| {
            item.view.status = JobStatus::Completed;
            item.view.reason = None;
            item.view.document_id = Some(id);
            (item.view.chunks_done, item.view.chunks_total) = (published.chunks, Some(published.chunks));
            item.lease = None;
        })?;
        let view = Document {
            id,
            source: claim.source.clone(),
            content_type: document.content_type,
            title: document.title,
            metadata: claim.metadata.clone(),
            size_bytes: claim.size_bytes,
            chunks: published.chunks,
            chunking_fingerprint: *fingerprint,
            has_bytes: true,
            created_at: Utc::now(),
            updated_at: Utc::now(),
        };
        let mut inner = self.here()?;
        inner.documents.retain(|old| old.workspace != claim.workspace || old.view.source != claim.source);
        let (workspace, content_hash, fingerprint) = (claim.workspace, claim.content_hash, *fingerprint);
        inner.documents.push(FakeDocument { workspace, view, chunks, content_hash, fingerprint });
        Ok(published)
    }

    async fn list(&self, workspace: WorkspaceId, after: Option<Uuid>, limit: u32) -> Result<DocumentPage, StoreError> {
        let inner = self.here()?;
        let ours =
            inner.documents.iter().rev().filter(|document| document.workspace == workspace).map(|document| document.view.clone());
        let rest: Vec<_> = match after {
            None => ours.collect(),
            Some(id) => ours.skip_while(|view| view.id != id).skip(1).collect(),
        };
        let has_more = rest.len() > limit as usize;
        Ok(DocumentPage { documents: rest.into_iter().take(limit as usize).collect(), has_more })
    }

    async fn list_stale(
        &self,
        workspace: WorkspaceId,
        fingerprint: &Hash,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<DocumentPage, StoreError> {
        let mut page = self.list(workspace, after, limit).await?;
        page.documents.retain(|document| document.chunking_fingerprint != *fingerprint);
        Ok(page)
    }

    async fn rechunk(&self, _: WorkspaceId, _: &Hash) -> Result<Rechunk, StoreError> {
        Ok(Rechunk::default())
    }

    async fn document(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<Document>, StoreError> {
        let inner = self.here()?;
        Ok(inner
            .documents
            .iter()
            .find(|found| found.workspace == workspace && found.view.id == id)
            .map(|found| found.view.clone()))
    }

    async fn delete(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let mut inner = self.here()?;
        let before = inner.documents.len();
        inner.documents.retain(|found| found.workspace != workspace || found.view.id != id);
        Ok(inner.documents.len() < before)
    }
}

/// A store in an [`Arc`].
pub(crate) fn store() -> Arc<FakeStore> {
    Arc::default()
}
