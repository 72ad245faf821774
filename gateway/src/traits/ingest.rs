//! Writing: uploads, jobs and documents.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use ragline_config::Chunking;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    place::{ChunkKind, Place},
    search::{StoreError, WorkspaceId},
};

/// SHA-256.
pub type Hash = [u8; 32];
/// A JSON object.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// Bytes of one piece of a blob.
pub const BLOB_PIECE_BYTES: usize = 1 << 20;

/// Keeps uploaded bytes. A blob that no job or document names after an hour is removed.
#[async_trait]
pub trait BlobStore: Send + Sync + std::fmt::Debug {
    async fn begin(&self, workspace: WorkspaceId) -> Result<Uuid, StoreError>;

    /// Appends piece `number`, counted from 0, of at most [`BLOB_PIECE_BYTES`].
    async fn append(&self, workspace: WorkspaceId, blob: Uuid, number: u32, piece: Bytes) -> Result<(), StoreError>;

    /// Piece `number`, `None` past the end.
    async fn piece(&self, workspace: WorkspaceId, blob: Uuid, number: u32) -> Result<Option<Bytes>, StoreError>;

    async fn remove(&self, workspace: WorkspaceId, blob: Uuid) -> Result<(), StoreError>;
}

/// A file to be ingested.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Identity within the collection; the same source again replaces.
    pub source: String,
    pub content_type: Option<String>,
    pub metadata: Metadata,
    pub blob: Uuid,
    pub size_bytes: u64,
    pub content_hash: Hash,
}

/// State of a job or of one of its files.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// A job as it stands. It is `completed` once every file has ended and one at least succeeded, `failed` when all failed.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: Uuid,
    pub status: JobStatus,
    pub total: u32,
    pub done: u32,
    pub failed: u32,
    pub cancelled: u32,
    /// Chunks of all files so far.
    pub chunks: u64,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// At most 1,000 files in the order they came; of more, those that failed are chosen first.
    pub items: Vec<JobItem>,
}

#[derive(Clone, Debug)]
pub struct JobItem {
    /// Rises from file to file of the job, from 1 on.
    pub number: u64,
    pub source: String,
    pub status: JobStatus,
    /// Why it failed, or what it waits for while it is queued again, for people.
    pub reason: Option<String>,
    pub document_id: Option<Uuid>,
    pub chunks_done: u32,
    pub chunks_total: Option<u32>,
}

/// Whose fault it is that a file failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Its format is none that is read here.
    Format,
    /// It is broken, empty, too large or gone.
    File,
    /// What works on it or is asked for it failed: another try may help.
    Server,
}

impl Fault {
    pub fn word(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::File => "file",
            Self::Server => "server",
        }
    }
}

/// A file that this worker may process until the lease ends.
#[derive(Clone, Debug)]
pub struct Claim {
    pub item_id: i64,
    pub job_id: Uuid,
    pub workspace: WorkspaceId,
    /// Names the holder; a publish under a lost lease is refused.
    pub lease: Uuid,
    /// Tries that ended without a word (a lost lease), this one included. A release does not count.
    pub attempt: u32,
    /// Times it was given back by [`JobStore::release`].
    pub released: u32,
    pub source: String,
    /// What the file is called, where the source is not its name.
    pub filename: Option<String>,
    pub content_type: Option<String>,
    pub metadata: Metadata,
    /// How it is to be cut; `None`: the pipeline's own way.
    pub chunking: Option<Chunking>,
    /// `None`: the document that the bytes belong to was deleted or replaced since.
    pub blob: Option<Uuid>,
    pub size_bytes: u64,
    pub content_hash: Hash,
}

/// The queue of files, in the database: it survives every restart.
#[async_trait]
pub trait JobStore: Send + Sync + std::fmt::Debug {
    async fn create(&self, workspace: WorkspaceId, items: Vec<NewItem>) -> Result<Uuid, StoreError>;
    /// Adds files to a job; one that had ended goes on. Refused with [`StoreError::Conflict`] when the job was cancelled or is full.
    async fn extend(&self, workspace: WorkspaceId, job: Uuid, items: Vec<NewItem>) -> Result<(), StoreError>;
    /// At most `limit` files of a job whose number is above `after`, in the order they came.
    async fn files(&self, workspace: WorkspaceId, job: Uuid, after: u64, limit: u32) -> Result<Vec<JobItem>, StoreError>;
    async fn job(&self, workspace: WorkspaceId, job: Uuid) -> Result<Option<Job>, StoreError>;
    /// Files not begun are cancelled; one under way ends first.
    async fn cancel(&self, workspace: WorkspaceId, job: Uuid) -> Result<bool, StoreError>;
    /// The next file of any workspace, `None` when there is nothing to do. A file whose lease ran out is given out again; after
    /// `max_attempts` it fails instead.
    async fn claim(&self, lease_for: Duration, max_attempts: u32) -> Result<Option<Claim>, StoreError>;
    /// `false`: the lease is lost, stop.
    async fn renew(
        &self,
        claim: &Claim,
        lease_for: Duration,
        chunks_done: u32,
        chunks_total: Option<u32>,
    ) -> Result<bool, StoreError>;
    async fn fail(&self, claim: &Claim, fault: Fault, reason: &str) -> Result<(), StoreError>;
    /// Gives the file back to the queue, to be tried again after `delay`. The try is not counted in `attempt` but in `released`;
    /// `reason` is shown with the file meanwhile.
    async fn release(&self, claim: &Claim, delay: Duration, reason: &str) -> Result<(), StoreError>;
    /// Resolves when a file may have come in, at the latest after `at_most`.
    async fn wait_for_work(&self, at_most: Duration);
    /// As [`Directory::given_up`](super::search::Directory::given_up).
    async fn given_up(&self) -> StoreError {
        std::future::pending().await
    }
}

/// One chunk that is ready to be stored.
#[derive(Clone, Debug)]
pub struct StagedChunk {
    /// Number in the document, from 0.
    pub position: u32,
    pub text: String,
    pub tokens: u32,
    pub heading_path: Vec<String>,
    pub place: Place,
    pub kind: ChunkKind,
    /// Over the text that was embedded.
    pub content_hash: Hash,
    pub metadata: Metadata,
    /// One vector a window, in order; `None`: the stored ones of the same hash are taken.
    pub windows: Option<Vec<Vec<f32>>>,
}

/// What the document is.
#[derive(Clone, Debug)]
pub struct NewDocument {
    pub content_type: String,
    pub title: Option<String>,
    /// The last chunks of the document, which were not staged: all of them, where they fit into memory.
    pub rest: Vec<StagedChunk>,
}

/// What a publish did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Published {
    pub document_id: Uuid,
    pub chunks: u32,
    /// Chunks that kept stored vectors.
    pub reused: u32,
}

/// A stored document.
#[derive(Clone, Debug)]
pub struct Document {
    pub id: Uuid,
    pub source: String,
    pub content_type: String,
    pub title: Option<String>,
    pub metadata: Metadata,
    pub size_bytes: u64,
    pub chunks: u32,
    /// Of the settings that it was cut with.
    pub chunking_fingerprint: Hash,
    /// Whether its bytes are kept, so that it can be cut anew.
    pub has_bytes: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What was set in motion to cut documents anew.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rechunk {
    /// `None`: no document can be cut anew.
    pub job: Option<Uuid>,
    /// Documents that must be uploaded again, since their bytes are kept no more.
    pub without_bytes: u64,
}

/// One page of a list, newest first.
#[derive(Clone, Debug)]
pub struct DocumentPage {
    pub documents: Vec<Document>,
    pub has_more: bool,
}

/// Stores documents.
#[async_trait]
pub trait DocumentStore: Send + Sync + std::fmt::Debug {
    /// Whether the source is already stored with these very bytes, metadata, and the same chunking and model.
    async fn is_unchanged(&self, claim: &Claim, chunking_fingerprint: &Hash) -> Result<Option<Uuid>, StoreError>;
    /// Completes the item with a document that [`DocumentStore::is_unchanged`] found, and drops the bytes uploaded again.
    async fn complete_unchanged(&self, claim: &Claim, document: Uuid) -> Result<(), StoreError>;
    /// Those of the hashes whose vectors are stored in the workspace.
    async fn embedded(&self, workspace: WorkspaceId, hashes: &[Hash]) -> Result<HashSet<Hash>, StoreError>;
    /// Adds chunks to the claim's staging area. Nothing of it can be searched yet. For documents that are too large to be kept in memory
    /// until they are published: what is staged is written twice.
    async fn stage(&self, claim: &Claim, chunks: Vec<StagedChunk>) -> Result<(), StoreError>;
    /// Makes the staged chunks and those that come along the document in one transaction, replacing an older one of the same source, and
    /// completes the item.
    async fn publish(&self, claim: &Claim, document: NewDocument, chunking_fingerprint: &Hash) -> Result<Published, StoreError>;
    async fn list(&self, workspace: WorkspaceId, after: Option<Uuid>, limit: u32) -> Result<DocumentPage, StoreError>;
    /// As [`DocumentStore::list`], of documents that were cut otherwise than `chunking_fingerprint` says.
    async fn list_stale(
        &self,
        workspace: WorkspaceId,
        chunking_fingerprint: &Hash,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<DocumentPage, StoreError>;
    /// Makes a job of the documents that were cut otherwise and whose bytes are kept, but for those that are on their way already.
    async fn rechunk(&self, workspace: WorkspaceId, chunking_fingerprint: &Hash) -> Result<Rechunk, StoreError>;
    async fn document(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<Document>, StoreError>;
    /// Removes the document with its chunks, vectors and bytes at once. `false`: there is none.
    async fn delete(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError>;
}
