//! Vector stores: collections of a workspace that callers make, fill with files and search apart from the rest.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ragline_config::Chunking;
use uuid::Uuid;

use super::{
    files::Slice,
    ingest::{Fault, Metadata},
    search::{CollectionId, StoreError, WorkspaceId},
    workspaces::Page,
};

/// A vector store to be.
#[derive(Clone, Debug, Default)]
pub struct NewVectorStore {
    pub name: String,
    pub description: Option<String>,
    pub metadata: Metadata,
    /// Days without use after which it expires; never when absent.
    pub expires_after_days: Option<u32>,
}

/// What is to change; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct VectorStoreChange {
    pub name: Option<String>,
    pub metadata: Option<Metadata>,
    pub expires_after_days: Option<Option<u32>>,
}

/// Numbers of files by how they stand.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FileCounts {
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// A vector store.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorStore {
    pub id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub metadata: Metadata,
    pub created_at: DateTime<Utc>,
    pub last_active_at: DateTime<Utc>,
    pub expires_after_days: Option<u32>,
    pub expired: bool,
    /// Of the files that can be searched.
    pub usage_bytes: u64,
    pub files: FileCounts,
}

/// How a file in a vector store stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileState {
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

/// A file that is to be put into a vector store.
#[derive(Clone, Debug, Default)]
pub struct Attachment {
    pub file: Uuid,
    pub attributes: Metadata,
    /// `None`: the pipeline's own way.
    pub chunking: Option<Chunking>,
}

/// A file in a vector store.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorStoreFile {
    pub file: Uuid,
    pub store: Uuid,
    pub filename: String,
    pub attributes: Metadata,
    pub chunking: Option<Chunking>,
    pub state: FileState,
    /// Why it failed.
    pub reason: Option<String>,
    /// Whose fault that is; unknown of what failed before that was kept.
    pub fault: Option<Fault>,
    /// Of what can be searched; 0 before.
    pub usage_bytes: u64,
    pub created_at: DateTime<Utc>,
}

/// Files that were put in together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileBatch {
    pub id: Uuid,
    pub store: Uuid,
    pub created_at: DateTime<Utc>,
    pub files: FileCounts,
}

/// Which files of a vector store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileQuery {
    /// Of this batch alone.
    pub batch: Option<Uuid>,
    pub state: Option<FileState>,
    pub slice: Slice,
}

/// What became of putting files in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Attached {
    /// They are on their way; the batch's id where one was asked for.
    Queued { batch: Option<Uuid> },
    /// The workspace has no such file; nothing was put in.
    NoFile(Uuid),
    /// The workspace has no such vector store, or it has expired.
    NoStore,
}

/// Keeps vector stores. Every id is looked up within the workspace.
#[async_trait]
pub trait VectorStores: Send + Sync + std::fmt::Debug {
    async fn create_store(&self, workspace: WorkspaceId, store: NewVectorStore) -> Result<VectorStore, StoreError>;

    async fn vector_store(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<VectorStore>, StoreError>;

    async fn vector_stores(&self, workspace: WorkspaceId, slice: Slice) -> Result<Page<VectorStore>, StoreError>;

    /// Changes a store; `None`: there is none.
    async fn change_store(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        change: VectorStoreChange,
    ) -> Result<Option<VectorStore>, StoreError>;

    /// Deletes a store. Its files stay; what was made of them cannot be searched any more. `false`: there is none.
    async fn delete_store(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError>;

    /// The collections of these stores, in their order; `None` for one that the workspace does not have or that has expired. Being asked
    /// counts as use.
    async fn collections(&self, workspace: WorkspaceId, stores: &[Uuid]) -> Result<Vec<Option<CollectionId>>, StoreError>;

    /// Puts files in, as a batch or one by one. A file that is there already is made anew.
    async fn attach(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        files: Vec<Attachment>,
        as_batch: bool,
    ) -> Result<Attached, StoreError>;

    async fn store_file(&self, workspace: WorkspaceId, store: Uuid, file: Uuid) -> Result<Option<VectorStoreFile>, StoreError>;

    async fn store_files(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        query: FileQuery,
    ) -> Result<Page<VectorStoreFile>, StoreError>;

    /// Gives a file other attributes; `false`: it is not there.
    async fn set_attributes(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
        attributes: Metadata,
    ) -> Result<bool, StoreError>;

    /// Takes a file out; it stays a file. `false`: it is not there.
    async fn detach(&self, workspace: WorkspaceId, store: Uuid, file: Uuid) -> Result<bool, StoreError>;

    /// The texts of a file's chunks in order, at most `limit` of those after `from`.
    async fn texts(
        &self,
        workspace: WorkspaceId,
        store: Uuid,
        file: Uuid,
        from: u32,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    async fn batch(&self, workspace: WorkspaceId, store: Uuid, id: Uuid) -> Result<Option<FileBatch>, StoreError>;

    /// Cancels what of a batch nobody works on yet; `false`: there is none.
    async fn cancel_batch(&self, workspace: WorkspaceId, store: Uuid, id: Uuid) -> Result<bool, StoreError>;
}
