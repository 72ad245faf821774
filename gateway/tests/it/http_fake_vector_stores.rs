//! A file is taken and forgotten, and there are no vector stores, but that workspace 1 can search one: number 7 is collection 7.

use async_trait::async_trait;
use chrono::DateTime;
use ragline_gateway::traits::{
    files::{FileStore, NewFile, Slice, StoredFile},
    ingest::Metadata,
    search::{CollectionId, StoreError, WorkspaceId},
    vector_stores::{
        Attached, Attachment, FileBatch, FileQuery, NewVectorStore, VectorStore, VectorStoreChange, VectorStoreFile, VectorStores,
    },
    workspaces::Page,
};
use uuid::Uuid;

use crate::http_fakes::{FakeStore, OURS};

#[async_trait]
impl FileStore for FakeStore {
    async fn create_file(&self, _: WorkspaceId, file: NewFile) -> Result<StoredFile, StoreError> {
        let NewFile { filename, content_type, purpose, blob, size_bytes, content_hash: _, expires_after: _ } = file;
        let (id, created_at) = (Uuid::now_v7(), DateTime::UNIX_EPOCH);
        Ok(StoredFile { id, filename, content_type, purpose, blob, size_bytes, created_at, expires_at: None })
    }

    async fn file(&self, _: WorkspaceId, _: Uuid) -> Result<Option<StoredFile>, StoreError> {
        Ok(None)
    }

    async fn files_of(&self, _: WorkspaceId, _: Option<&str>, _: Slice) -> Result<Page<StoredFile>, StoreError> {
        Ok(Page { items: Vec::new(), has_more: false })
    }

    async fn delete_file(&self, _: WorkspaceId, _: Uuid) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[async_trait]
impl VectorStores for FakeStore {
    async fn create_store(&self, _: WorkspaceId, new: NewVectorStore) -> Result<VectorStore, StoreError> {
        let NewVectorStore { name, description, metadata, expires_after_days } = new;
        Ok(VectorStore {
            id: Uuid::now_v7(),
            name,
            description,
            metadata,
            created_at: DateTime::UNIX_EPOCH,
            last_active_at: DateTime::UNIX_EPOCH,
            expires_after_days,
            expired: false,
            usage_bytes: 0,
            files: Default::default(),
        })
    }

    async fn vector_store(&self, _: WorkspaceId, _: Uuid) -> Result<Option<VectorStore>, StoreError> {
        Ok(None)
    }

    async fn vector_stores(&self, _: WorkspaceId, _: Slice) -> Result<Page<VectorStore>, StoreError> {
        Ok(Page { items: Vec::new(), has_more: false })
    }

    async fn change_store(&self, _: WorkspaceId, _: Uuid, _: VectorStoreChange) -> Result<Option<VectorStore>, StoreError> {
        Ok(None)
    }

    async fn delete_store(&self, _: WorkspaceId, _: Uuid) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn collections(&self, workspace: WorkspaceId, stores: &[Uuid]) -> Result<Vec<Option<CollectionId>>, StoreError> {
        let found = |store: &Uuid| (workspace == OURS && *store == Uuid::from_u128(7)).then_some(CollectionId(7));
        Ok(stores.iter().map(found).collect())
    }

    async fn attach(&self, _: WorkspaceId, _: Uuid, _: Vec<Attachment>, _: bool) -> Result<Attached, StoreError> {
        Ok(Attached::NoStore)
    }

    async fn store_file(&self, _: WorkspaceId, _: Uuid, _: Uuid) -> Result<Option<VectorStoreFile>, StoreError> {
        Ok(None)
    }

    async fn store_files(&self, _: WorkspaceId, _: Uuid, _: FileQuery) -> Result<Page<VectorStoreFile>, StoreError> {
        Ok(Page { items: Vec::new(), has_more: false })
    }

    async fn set_attributes(&self, _: WorkspaceId, _: Uuid, _: Uuid, _: Metadata) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn detach(&self, _: WorkspaceId, _: Uuid, _: Uuid) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn texts(&self, _: WorkspaceId, _: Uuid, _: Uuid, _: u32, _: u32) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn batch(&self, _: WorkspaceId, _: Uuid, _: Uuid) -> Result<Option<FileBatch>, StoreError> {
        Ok(None)
    }

    async fn cancel_batch(&self, _: WorkspaceId, _: Uuid, _: Uuid) -> Result<bool, StoreError> {
        Ok(false)
    }
}
