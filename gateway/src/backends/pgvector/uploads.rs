//! Files that come in parts. The bytes of a part are a blob of its own; completing moves its pieces, without copying them, into the
//! blob of the file.

use async_trait::async_trait;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Store, failed,
    files::{INSERT as INSERT_FILE, stored},
    session::{Tx, commit},
};
use crate::traits::{
    files::{FileStore, StoredFile},
    ingest::Hash,
    search::{StoreError, WorkspaceId},
    uploads::{MOST_PARTS, MOST_TIMES, NewUpload, Taken, Upload, UploadPart, UploadStatus, UploadStore},
};

const INSERT: &str = "INSERT INTO upload (id, workspace_id, filename, content_type, purpose, size_bytes, expires_after) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *, status AS now_status";

const ONE: &str = "SELECT *, CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired' ELSE status END AS now_status \
    FROM upload WHERE id = $1";

/// Parts that come at once are counted one after the other.
const LOCKED: &str = "SELECT *, CASE WHEN status = 'pending' AND expires_at <= now() THEN 'expired' ELSE status END AS now_status \
    FROM upload WHERE id = $1 FOR UPDATE";

const TAKEN: &str = "SELECT count(*), coalesce(sum(size_bytes), 0)::bigint FROM upload_part WHERE upload_id = $1";

const INSERT_PART: &str = "INSERT INTO upload_part (id, upload_id, workspace_id, blob_id, size_bytes) VALUES ($1, $2, $3, $4, $5) \
    RETURNING id, blob_id, size_bytes, created_at";

const PARTS: &str = "SELECT p.id, p.blob_id, p.size_bytes, p.created_at FROM unnest($2::uuid[]) WITH ORDINALITY AS w(id, n) \
    JOIN upload_part p ON p.id = w.id AND p.upload_id = $1 ORDER BY w.n";

/// Values of bytes that are stored apart from their row stay where they are.
const MOVE_PIECES: &str = "UPDATE blob_piece SET blob_id = $1, number = number + $3 WHERE blob_id = $2";

const REMOVE_PARTS: &str =
    "WITH gone AS (DELETE FROM upload_part WHERE upload_id = $1 RETURNING blob_id) SELECT blob_id FROM gone";

#[async_trait]
impl UploadStore for Store {
    async fn create_upload(&self, workspace: WorkspaceId, upload: NewUpload) -> Result<Upload, StoreError> {
        let error = |error| failed("beginning an upload in parts", error);
        let NewUpload { filename, content_type, purpose, size_bytes, expires_after } = upload;
        let mut tx = self.begin(workspace).await?;
        let row = sqlx::query(INSERT)
            .bind(Uuid::now_v7())
            .bind(workspace.0)
            .bind(filename)
            .bind(content_type)
            .bind(purpose)
            .bind(i64::try_from(size_bytes).unwrap_or(i64::MAX))
            .bind(expires_after.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)))
            .fetch_one(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "beginning an upload in parts").await?;
        read(&row, None).map_err(error)
    }

    async fn upload(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<Upload>, StoreError> {
        let error = |error| failed("reading an upload", error);
        let mut tx = self.begin(workspace).await?;
        let row = sqlx::query(ONE).bind(id).fetch_optional(&mut *tx).await.map_err(error)?;
        commit(tx, "reading an upload").await?;
        let Some(row) = row else { return Ok(None) };
        let file = match row.try_get::<Option<Uuid>, _>("file_id").map_err(error)? {
            Some(file) => FileStore::file(self, workspace, file).await?,
            None => None,
        };
        read(&row, file).map(Some).map_err(error)
    }

    async fn add_part(
        &self,
        workspace: WorkspaceId,
        upload: Uuid,
        blob: Uuid,
        size_bytes: u64,
    ) -> Result<Taken<UploadPart>, StoreError> {
        let error = |error| failed("adding a part to an upload", error);
        let mut tx = self.begin(workspace).await?;
        let open = match open(&mut tx, upload).await? {
            Taken::Done(open) => open,
            other => return Ok(other.without()),
        };
        let (parts, bytes): (i64, i64) = sqlx::query_as(TAKEN).bind(upload).fetch_one(&mut *tx).await.map_err(error)?;
        let room = open.size_bytes.saturating_mul(MOST_TIMES);
        if parts >= i64::from(MOST_PARTS) || bytes.unsigned_abs().saturating_add(size_bytes) > room {
            return Ok(Taken::Full);
        }
        let row = sqlx::query(INSERT_PART)
            .bind(Uuid::now_v7())
            .bind(upload)
            .bind(workspace.0)
            .bind(blob)
            .bind(i64::try_from(size_bytes).unwrap_or(i64::MAX))
            .fetch_one(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "adding a part to an upload").await?;
        part(&row).map(Taken::Done).map_err(error)
    }

    async fn parts(&self, workspace: WorkspaceId, upload: Uuid, ids: &[Uuid]) -> Result<Vec<UploadPart>, StoreError> {
        let error = |error| failed("reading the parts of an upload", error);
        let mut tx = self.begin(workspace).await?;
        let rows = sqlx::query(PARTS).bind(upload).bind(ids).fetch_all(&mut *tx).await.map_err(error)?;
        commit(tx, "reading the parts of an upload").await?;
        rows.iter().map(part).collect::<Result<_, _>>().map_err(error)
    }

    async fn complete_upload(
        &self,
        workspace: WorkspaceId,
        upload: Uuid,
        parts: &[Uuid],
        content_hash: Hash,
    ) -> Result<Taken<Upload>, StoreError> {
        let error = |error| failed("completing an upload", error);
        let mut tx = self.begin(workspace).await?;
        let open = match open(&mut tx, upload).await? {
            Taken::Done(open) => open,
            other => return Ok(other.without()),
        };
        let rows = sqlx::query(PARTS).bind(upload).bind(parts).fetch_all(&mut *tx).await.map_err(error)?;
        if rows.len() != parts.len() {
            return Ok(Taken::NoPart);
        }
        let blob = Uuid::now_v7();
        sqlx::query("INSERT INTO blob (id, workspace_id) VALUES ($1, $2)")
            .bind(blob)
            .bind(workspace.0)
            .execute(&mut *tx)
            .await
            .map_err(error)?;
        let mut number = 0_i64;
        for row in &rows {
            let from: Uuid = row.try_get("blob_id").map_err(error)?;
            let first = i32::try_from(number).unwrap_or(i32::MAX);
            let moved = sqlx::query(MOVE_PIECES).bind(blob).bind(from).bind(first).execute(&mut *tx).await.map_err(error)?;
            number += i64::try_from(moved.rows_affected()).unwrap_or(i64::MAX);
        }
        remove_parts(&mut tx, upload).await?;
        let file = sqlx::query(INSERT_FILE)
            .bind(Uuid::now_v7())
            .bind(workspace.0)
            .bind(&open.filename)
            .bind(&open.content_type)
            .bind(&open.purpose)
            .bind(i64::try_from(open.size_bytes).unwrap_or(i64::MAX))
            .bind(content_hash.as_slice())
            .bind(blob)
            .bind(open.expires_after.map(f64::from))
            .fetch_one(&mut *tx)
            .await
            .and_then(|row| stored(&row))
            .map_err(error)?;
        let row =
            sqlx::query("UPDATE upload SET status = 'completed', file_id = $2 WHERE id = $1 RETURNING *, status AS now_status")
                .bind(upload)
                .bind(file.id)
                .fetch_one(&mut *tx)
                .await
                .map_err(error)?;
        commit(tx, "completing an upload").await?;
        read(&row, Some(file)).map(Taken::Done).map_err(error)
    }

    async fn cancel_upload(&self, workspace: WorkspaceId, upload: Uuid) -> Result<Taken<Upload>, StoreError> {
        let error = |error| failed("cancelling an upload", error);
        let mut tx = self.begin(workspace).await?;
        match open(&mut tx, upload).await? {
            Taken::Done(_) => {}
            other => return Ok(other.without()),
        }
        remove_parts(&mut tx, upload).await?;
        let row = sqlx::query("UPDATE upload SET status = 'cancelled' WHERE id = $1 RETURNING *, status AS now_status")
            .bind(upload)
            .fetch_one(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "cancelling an upload").await?;
        read(&row, None).map(Taken::Done).map_err(error)
    }
}

/// An upload that takes parts; nobody else changes it before the transaction ends.
struct Open {
    filename: String,
    content_type: Option<String>,
    purpose: String,
    size_bytes: u64,
    expires_after: Option<i32>,
}

async fn open(tx: &mut Tx, upload: Uuid) -> Result<Taken<Open>, StoreError> {
    let error = |error| failed("reading an upload", error);
    let row = sqlx::query(LOCKED).bind(upload).fetch_optional(&mut **tx).await.map_err(error)?;
    let Some(row) = row else { return Ok(Taken::NoUpload) };
    let read = || {
        Ok(match status(row.try_get("now_status")?) {
            UploadStatus::Pending => Taken::Done(Open {
                filename: row.try_get("filename")?,
                content_type: row.try_get("content_type")?,
                purpose: row.try_get("purpose")?,
                size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
                expires_after: row.try_get("expires_after")?,
            }),
            closed => Taken::Closed(closed),
        })
    };
    read().map_err(error)
}

impl Taken<Open> {
    /// The same of something else; what was done is none of it.
    fn without<T>(self) -> Taken<T> {
        match self {
            Self::Done(_) | Self::NoUpload => Taken::NoUpload,
            Self::Closed(status) => Taken::Closed(status),
            Self::Full => Taken::Full,
            Self::NoPart => Taken::NoPart,
        }
    }
}

/// With their bytes.
async fn remove_parts(tx: &mut Tx, upload: Uuid) -> Result<(), StoreError> {
    let error = |error| failed("removing the parts of an upload", error);
    let blobs: Vec<Uuid> = sqlx::query_scalar(REMOVE_PARTS).bind(upload).fetch_all(&mut **tx).await.map_err(error)?;
    sqlx::query("DELETE FROM blob WHERE id = ANY($1)").bind(blobs).execute(&mut **tx).await.map_err(error)?;
    Ok(())
}

fn read(row: &PgRow, file: Option<StoredFile>) -> Result<Upload, sqlx::Error> {
    Ok(Upload {
        id: row.try_get("id")?,
        filename: row.try_get("filename")?,
        purpose: row.try_get("purpose")?,
        size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
        status: status(row.try_get("now_status")?),
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        file,
    })
}

fn part(row: &PgRow) -> Result<UploadPart, sqlx::Error> {
    Ok(UploadPart {
        id: row.try_get("id")?,
        blob: row.try_get("blob_id")?,
        size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
        created_at: row.try_get("created_at")?,
    })
}

fn status(word: &str) -> UploadStatus {
    match word {
        "pending" => UploadStatus::Pending,
        "completed" => UploadStatus::Completed,
        "cancelled" => UploadStatus::Cancelled,
        _ => UploadStatus::Expired,
    }
}
