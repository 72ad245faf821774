//! Streams uploaded bytes into the blob table in pieces, hashing on the way. At most one piece of a file is in memory. Blobs that
//! are not kept are removed, also when the caller goes away in the middle.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::traits::{
    ingest::{BLOB_PIECE_BYTES, BlobStore, Hash},
    search::{StoreError, WorkspaceId},
};

/// The blobs of one upload.
#[derive(Debug)]
pub struct Uploads {
    blobs: Arc<dyn BlobStore>,
    workspace: WorkspaceId,
    begun: Vec<Uuid>,
}

/// A blob that is being written.
#[derive(Debug)]
pub struct BlobWriter {
    blobs: Arc<dyn BlobStore>,
    workspace: WorkspaceId,
    id: Uuid,
    limit: u64,
    written: u64,
    pieces: u32,
    pending: BytesMut,
    hasher: Sha256,
}

/// A blob that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoredBlob {
    pub id: Uuid,
    pub size_bytes: u64,
    pub content_hash: Hash,
}

/// Why a file was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("the file is larger than the limit")]
    TooLarge,
    #[error("the file could not be stored")]
    Store(#[source] StoreError),
}

impl Uploads {
    pub fn new(blobs: Arc<dyn BlobStore>, workspace: WorkspaceId) -> Self {
        Self { blobs, workspace, begun: Vec::new() }
    }

    /// Begins a blob of at most `limit` bytes.
    ///
    /// # Errors
    /// The store refuses.
    pub async fn begin(&mut self, limit: u64) -> Result<BlobWriter, UploadError> {
        let id = self.blobs.begin(self.workspace).await.map_err(UploadError::Store)?;
        self.begun.push(id);
        Ok(BlobWriter {
            blobs: Arc::clone(&self.blobs),
            workspace: self.workspace,
            id,
            limit,
            written: 0,
            pieces: 0,
            pending: BytesMut::new(),
            hasher: Sha256::new(),
        })
    }

    /// The blobs belong to a job now.
    pub fn keep(mut self) {
        self.begun.clear();
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        let begun = std::mem::take(&mut self.begun);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if begun.is_empty() {
            return;
        }
        let (blobs, workspace) = (Arc::clone(&self.blobs), self.workspace);
        runtime.spawn(async move {
            for id in begun {
                if let Err(error) = blobs.remove(workspace, id).await {
                    tracing::warn!(blob.id = %id, error.cause = %error, "bytes of a broken upload stay until the clean-up finds them");
                }
            }
        });
    }
}

impl BlobWriter {
    /// Adds bytes.
    ///
    /// # Errors
    /// More bytes than the limit, or the store refuses.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), UploadError> {
        self.written += bytes.len() as u64;
        if self.written > self.limit {
            return Err(UploadError::TooLarge);
        }
        self.hasher.update(&bytes);
        while !bytes.is_empty() {
            let room = BLOB_PIECE_BYTES - self.pending.len();
            self.pending.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.pending.len() == BLOB_PIECE_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The store refuses.
    pub async fn finish(mut self) -> Result<StoredBlob, UploadError> {
        if !self.pending.is_empty() {
            self.flush().await?;
        }
        Ok(StoredBlob { id: self.id, size_bytes: self.written, content_hash: self.hasher.finalize().into() })
    }

    async fn flush(&mut self) -> Result<(), UploadError> {
        let piece = self.pending.split().freeze();
        self.blobs.append(self.workspace, self.id, self.pieces, piece).await.map_err(UploadError::Store)?;
        self.pieces += 1;
        Ok(())
    }
}
