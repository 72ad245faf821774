//! What stored bytes come to: their hashes, read piece by piece. At most one piece is in memory.

use md5::Md5;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::traits::{
    ingest::{BlobStore, Hash},
    search::{StoreError, WorkspaceId},
};

/// The hashes of some bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digests {
    pub sha256: Hash,
    pub md5: [u8; 16],
}

/// The hashes of these blobs, one behind the other.
///
/// # Errors
/// The store's.
pub async fn digests(blobs: &dyn BlobStore, workspace: WorkspaceId, joined: &[Uuid]) -> Result<Digests, StoreError> {
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    for &blob in joined {
        let mut number = 0;
        while let Some(piece) = blobs.piece(workspace, blob, number).await? {
            sha256.update(&piece);
            md5.update(&piece);
            number += 1;
        }
    }
    Ok(Digests { sha256: sha256.finalize().into(), md5: md5.finalize().into() })
}
