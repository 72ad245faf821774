//! There are no uploads; one is begun and forgotten.

use async_trait::async_trait;
use chrono::DateTime;
use ragline_gateway::traits::{
    ingest::Hash,
    search::{StoreError, WorkspaceId},
    uploads::{NewUpload, Taken, Upload, UploadPart, UploadStatus, UploadStore},
};
use uuid::Uuid;

use crate::http_fakes::FakeStore;

#[async_trait]
impl UploadStore for FakeStore {
    async fn create_upload(&self, _: WorkspaceId, upload: NewUpload) -> Result<Upload, StoreError> {
        let NewUpload { filename, content_type: _, purpose, size_bytes, expires_after: _ } = upload;
        let (id, status, epoch) = (Uuid::now_v7(), UploadStatus::Pending, DateTime::UNIX_EPOCH);
        Ok(Upload { id, filename, purpose, size_bytes, status, created_at: epoch, expires_at: epoch, file: None })
    }

    async fn upload(&self, _: WorkspaceId, _: Uuid) -> Result<Option<Upload>, StoreError> {
        Ok(None)
    }

    async fn add_part(&self, _: WorkspaceId, _: Uuid, _: Uuid, _: u64) -> Result<Taken<UploadPart>, StoreError> {
        Ok(Taken::NoUpload)
    }

    async fn parts(&self, _: WorkspaceId, _: Uuid, _: &[Uuid]) -> Result<Vec<UploadPart>, StoreError> {
        Ok(Vec::new())
    }

    async fn complete_upload(&self, _: WorkspaceId, _: Uuid, _: &[Uuid], _: Hash) -> Result<Taken<Upload>, StoreError> {
        Ok(Taken::NoUpload)
    }

    async fn cancel_upload(&self, _: WorkspaceId, _: Uuid) -> Result<Taken<Upload>, StoreError> {
        Ok(Taken::NoUpload)
    }
}
