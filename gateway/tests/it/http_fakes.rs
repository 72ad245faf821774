//! The traits behind the API in memory, for tests that need no database. Workspace 1 is `default`, workspace 2 another's.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use ragline_gateway::traits::{
    ingest::{BlobStore, Claim, Document, Fault, Hash, JobItem, NewItem, StagedChunk},
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
    pub(crate) work: Notify,
    /// Every call fails as if PostgreSQL were away.
    pub(crate) away: AtomicBool,
    /// The end of a response is never written down, as if PostgreSQL had gone silent.
    pub(crate) silent: AtomicBool,
    pub(crate) keys_version: AtomicU64,
    pub(crate) key_look_ups: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) blobs: BTreeMap<Uuid, (WorkspaceId, Vec<Bytes>)>,
    pub(crate) jobs: Vec<FakeJob>,
    pub(crate) documents: Vec<FakeDocument>,
    pub(crate) staged: HashMap<i64, Vec<StagedChunk>>,
    pub(crate) responses: Vec<(WorkspaceId, StoredResponse)>,
}

#[derive(Debug)]
pub(crate) struct FakeJob {
    pub(crate) id: Uuid,
    pub(crate) workspace: WorkspaceId,
    pub(crate) items: Vec<FakeItem>,
}

#[derive(Debug)]
pub(crate) struct FakeItem {
    pub(crate) number: i64,
    pub(crate) new: NewItem,
    pub(crate) view: JobItem,
    pub(crate) lease: Option<(Uuid, Instant)>,
    pub(crate) not_before: Option<Instant>,
    pub(crate) attempt: u32,
    pub(crate) released: u32,
    pub(crate) fault: Option<Fault>,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeDocument {
    pub(crate) workspace: WorkspaceId,
    pub(crate) view: Document,
    pub(crate) chunks: Vec<StagedChunk>,
    pub(crate) content_hash: Hash,
    pub(crate) fingerprint: Hash,
}

impl FakeStore {
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn here(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        if self.away.load(Ordering::Relaxed) { Err(StoreError::Unreachable("switched off".into())) } else { Ok(self.inner()) }
    }

    pub(crate) fn held(&self, claim: &Claim, act: impl FnOnce(&mut FakeItem)) -> Result<(), StoreError> {
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

/// A store in an [`Arc`].
pub(crate) fn store() -> Arc<FakeStore> {
    Arc::default()
}
