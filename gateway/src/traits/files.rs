//! Files that callers keep to put them into vector stores.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    ingest::Hash,
    search::{StoreError, WorkspaceId},
    workspaces::Page,
};

/// A file to be kept. Its bytes are in the blob store already.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub filename: String,
    pub content_type: Option<String>,
    pub purpose: String,
    pub blob: Uuid,
    pub size_bytes: u64,
    pub content_hash: Hash,
    /// Seconds from now after which it is gone; never when absent.
    pub expires_after: Option<u32>,
}

/// A file that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredFile {
    pub id: Uuid,
    pub filename: String,
    pub content_type: Option<String>,
    pub purpose: String,
    pub blob: Uuid,
    pub size_bytes: u64,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which entries of a list, in the order of their creation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slice {
    pub limit: u32,
    /// Oldest first; else newest first.
    pub ascending: bool,
    /// The entries that come after this one in the order asked for.
    pub after: Option<Uuid>,
    /// The entries that come before this one in the order asked for, the nearest ones.
    pub before: Option<Uuid>,
}

/// Keeps files. One past its time is gone.
#[async_trait]
pub trait FileStore: Send + Sync + std::fmt::Debug {
    /// Keeps a file.
    async fn create_file(&self, workspace: WorkspaceId, file: NewFile) -> Result<StoredFile, StoreError>;

    async fn file(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<StoredFile>, StoreError>;

    /// Those of a purpose, or all.
    async fn files_of(&self, workspace: WorkspaceId, purpose: Option<&str>, slice: Slice)
    -> Result<Page<StoredFile>, StoreError>;

    /// Removes a file, its bytes, and what vector stores have of it; `false`: there is none.
    async fn delete_file(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError>;
}
