//! Files that come in parts, which may come in any order and at once.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    files::StoredFile,
    ingest::Hash,
    search::{StoreError, WorkspaceId},
};

/// Parts of one upload.
pub const MOST_PARTS: u32 = 1_000;
/// What the parts of an upload may add up to, in sizes of its file: one that came twice does no harm.
pub const MOST_TIMES: u64 = 2;

/// A file that is to come.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub filename: String,
    pub content_type: Option<String>,
    pub purpose: String,
    pub size_bytes: u64,
    /// Seconds after its completion after which the file is gone; never when absent.
    pub expires_after: Option<u32>,
}

/// How an upload stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UploadStatus {
    /// It takes parts.
    Pending,
    Completed,
    Cancelled,
    /// It is past its time, and its parts are gone.
    Expired,
}

/// A file that comes, or has come, in parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upload {
    pub id: Uuid,
    pub filename: String,
    pub purpose: String,
    pub size_bytes: u64,
    pub status: UploadStatus,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// What a completed one became, unless it was deleted since.
    pub file: Option<StoredFile>,
}

/// A part that has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UploadPart {
    pub id: Uuid,
    pub blob: Uuid,
    pub size_bytes: u64,
    pub created_at: DateTime<Utc>,
}

/// What became of a part or of the parts together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken<T> {
    Done(T),
    NoUpload,
    /// It takes nothing any more: it is completed, cancelled or past its time.
    Closed(UploadStatus),
    /// It has [`MOST_PARTS`], or would have more than [`MOST_TIMES`] of its bytes.
    Full,
    /// One of the parts is not of this upload.
    NoPart,
}

/// Keeps uploads for an hour, and for a day what became of them.
#[async_trait]
pub trait UploadStore: Send + Sync + std::fmt::Debug {
    async fn create_upload(&self, workspace: WorkspaceId, upload: NewUpload) -> Result<Upload, StoreError>;

    async fn upload(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<Upload>, StoreError>;

    /// Adds a part, whose bytes are in the blob store already.
    async fn add_part(
        &self,
        workspace: WorkspaceId,
        upload: Uuid,
        blob: Uuid,
        size_bytes: u64,
    ) -> Result<Taken<UploadPart>, StoreError>;

    /// The parts of these ids in this order; those that the upload has not are left out.
    async fn parts(&self, workspace: WorkspaceId, upload: Uuid, ids: &[Uuid]) -> Result<Vec<UploadPart>, StoreError>;

    /// Makes the parts, in this order, a file whose bytes have this hash, and removes all others.
    async fn complete_upload(
        &self,
        workspace: WorkspaceId,
        upload: Uuid,
        parts: &[Uuid],
        content_hash: Hash,
    ) -> Result<Taken<Upload>, StoreError>;

    /// Removes its parts.
    async fn cancel_upload(&self, workspace: WorkspaceId, upload: Uuid) -> Result<Taken<Upload>, StoreError>;
}
