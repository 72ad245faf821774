//! Uploaded bytes, piece by piece.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{Store, error::code, failed, session::commit};
use crate::traits::{
    ingest::{BLOB_PIECE_BYTES, BlobStore},
    search::{StoreError, WorkspaceId},
};

#[async_trait]
impl BlobStore for Store {
    async fn begin(&self, workspace: WorkspaceId) -> Result<Uuid, StoreError> {
        let id = Uuid::now_v7();
        let mut tx = Self::begin(self, workspace).await?;
        sqlx::query("INSERT INTO blob (id, workspace_id) VALUES ($1, $2)")
            .bind(id)
            .bind(workspace.0)
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("beginning an upload", error))?;
        commit(tx, "beginning an upload").await?;
        Ok(id)
    }

    async fn append(&self, workspace: WorkspaceId, blob: Uuid, number: u32, piece: Bytes) -> Result<(), StoreError> {
        if piece.len() > BLOB_PIECE_BYTES {
            return Err(StoreError::Failed { action: "storing a piece of an upload", source: "the piece is too large".into() });
        }
        let mut tx = Self::begin(self, workspace).await?;
        sqlx::query(
            "INSERT INTO blob_piece (blob_id, number, workspace_id, bytes) SELECT id, $2, $3, $4 FROM blob WHERE id = $1",
        )
        .bind(blob)
        .bind(i32::try_from(number).unwrap_or(i32::MAX))
        .bind(workspace.0)
        .bind(piece.as_ref())
        .execute(&mut *tx)
        .await
        .map_err(|error| match code(&error).as_deref() {
            Some("23505") => StoreError::Conflict { what: "piece of the upload" },
            _ => failed("storing a piece of an upload", error),
        })
        .and_then(|done| if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::NotFound { what: "upload" }) })?;
        commit(tx, "storing a piece of an upload").await
    }

    async fn piece(&self, workspace: WorkspaceId, blob: Uuid, number: u32) -> Result<Option<Bytes>, StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM blob_piece WHERE blob_id = $1 AND number = $2")
            .bind(blob)
            .bind(i32::try_from(number).unwrap_or(i32::MAX))
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| failed("reading a piece of an upload", error))?;
        commit(tx, "reading a piece of an upload").await?;
        Ok(found.map(Bytes::from))
    }

    async fn remove(&self, workspace: WorkspaceId, blob: Uuid) -> Result<(), StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        sqlx::query("DELETE FROM blob WHERE id = $1")
            .bind(blob)
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("removing an upload", error))?;
        commit(tx, "removing an upload").await
    }
}
