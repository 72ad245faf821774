//! Files that callers keep. Their bytes are blobs.

use async_trait::async_trait;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Store, failed, publish::remove_blob, session::commit, vector_stores::give_up_files};
use crate::traits::{
    files::{FileStore, NewFile, Slice, StoredFile},
    ingest::DocumentStore,
    search::{StoreError, WorkspaceId},
    workspaces::Page,
};

/// Entries of a page at most.
const MOST_ON_PAGE: u32 = 10_000;
/// Files past their time that one sweep removes.
const EXPIRED_AT_ONCE: i32 = 100;

const COLUMNS: &str = "id, filename, content_type, purpose, blob_id, size_bytes, created_at, expires_at";

pub(super) const INSERT: &str = "INSERT INTO file (id, workspace_id, filename, content_type, purpose, size_bytes, content_hash, blob_id, expires_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9)) \
    RETURNING id, filename, content_type, purpose, blob_id, size_bytes, created_at, expires_at";

const ONE: &str = "SELECT id, filename, content_type, purpose, blob_id, size_bytes, created_at, expires_at FROM file \
    WHERE id = $1 AND (expires_at IS NULL OR expires_at > now())";

#[async_trait]
impl FileStore for Store {
    async fn create_file(&self, workspace: WorkspaceId, file: NewFile) -> Result<StoredFile, StoreError> {
        let error = |error| failed("keeping a file", error);
        let mut tx = self.begin(workspace).await?;
        let row = sqlx::query(INSERT)
            .bind(Uuid::now_v7())
            .bind(workspace.0)
            .bind(&file.filename)
            .bind(&file.content_type)
            .bind(&file.purpose)
            .bind(i64::try_from(file.size_bytes).unwrap_or(i64::MAX))
            .bind(file.content_hash.as_slice())
            .bind(file.blob)
            .bind(file.expires_after.map(f64::from))
            .fetch_one(&mut *tx)
            .await
            .map_err(error)?;
        commit(tx, "keeping a file").await?;
        stored(&row).map_err(error)
    }

    async fn file(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<StoredFile>, StoreError> {
        let error = |error| failed("reading a file", error);
        let mut tx = self.begin(workspace).await?;
        let row = sqlx::query(ONE).bind(id).fetch_optional(&mut *tx).await.map_err(error)?;
        commit(tx, "reading a file").await?;
        row.as_ref().map(stored).transpose().map_err(error)
    }

    async fn files_of(
        &self,
        workspace: WorkspaceId,
        purpose: Option<&str>,
        slice: Slice,
    ) -> Result<Page<StoredFile>, StoreError> {
        let error = |error| failed("listing files", error);
        let limit = slice.limit.clamp(1, MOST_ON_PAGE);
        let mut sql = super::filter::Builder::new(format!("SELECT {COLUMNS} FROM file WHERE workspace_id = "));
        sql.push_bind(workspace.0).push(" AND (expires_at IS NULL OR expires_at > now())");
        if let Some(purpose) = purpose {
            sql.push(" AND purpose = ").push_bind(purpose.to_owned());
        }
        push_slice(&mut sql, "id", slice);
        let mut tx = self.begin(workspace).await?;
        let rows = sql.build().persistent(false).fetch_all(&mut *tx).await.map_err(error)?;
        commit(tx, "listing files").await?;
        page(&rows, limit, slice, stored).map_err(error)
    }

    async fn delete_file(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let error = |error| failed("deleting a file", error);
        let mut tx = self.begin(workspace).await?;
        let found: Option<i32> =
            sqlx::query_scalar("SELECT 1 FROM file WHERE id = $1").bind(id).fetch_optional(&mut *tx).await.map_err(error)?;
        if found.is_none() {
            return Ok(false);
        }
        give_up_files(&mut tx, "file_id = $1", &[id]).await?;
        let documents: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM document WHERE file_id = $1").bind(id).fetch_all(&mut *tx).await.map_err(error)?;
        commit(tx, "deleting a file").await?;
        for document in documents {
            DocumentStore::delete(self, workspace, document).await?;
        }
        let mut tx = self.begin(workspace).await?;
        let blob: Option<Uuid> = sqlx::query_scalar("DELETE FROM file WHERE id = $1 RETURNING blob_id")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(error)?;
        if let Some(blob) = blob {
            remove_blob(&mut tx, blob).await?;
        }
        commit(tx, "deleting a file").await?;
        Ok(blob.is_some())
    }
}

impl Store {
    /// Deletes files past their time. Told to the log; what fails is tried again later.
    pub(super) async fn delete_expired_files(&self) {
        let expired: Result<Vec<(i32, Uuid)>, StoreError> = async {
            sqlx::query_as("SELECT workspace_id, file_id FROM expired_files($1)")
                .bind(EXPIRED_AT_ONCE)
                .fetch_all(&mut *self.connection().await?)
                .await
                .map_err(|error| failed("looking for expired files", error))
        }
        .await;
        let deleted = async {
            for (workspace, file) in expired? {
                self.delete_file(WorkspaceId(workspace), file).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = deleted.await {
            tracing::warn!(error = %error, "expired files could not be deleted yet, trying again later");
        }
    }
}

/// ` AND … ORDER BY … LIMIT …` of a list that is ordered by a column of version 7 UUIDs. One entry more than asked for tells whether
/// there are more. Entries before a cursor come in the opposite order; see [`page`].
pub(super) fn push_slice(sql: &mut super::filter::Builder, column: &'static str, slice: Slice) {
    let Slice { limit, ascending, after, before } = slice;
    let (later, earlier) = if ascending { (" > ", " < ") } else { (" < ", " > ") };
    if let Some(after) = after {
        sql.push(" AND ").push(column).push(later).push_bind(after);
    }
    if let Some(before) = before {
        sql.push(" AND ").push(column).push(earlier).push_bind(before);
    }
    sql.push(" ORDER BY ").push(column);
    sql.push(if ascending == is_backwards(slice) { " DESC" } else { " ASC" });
    sql.push(" LIMIT ").push_bind(i64::from(limit.clamp(1, MOST_ON_PAGE)) + 1);
}

fn is_backwards(slice: Slice) -> bool {
    slice.before.is_some() && slice.after.is_none()
}

/// Rows that [`push_slice`] brought, in the order that was asked for.
pub(super) fn page<T>(
    rows: &[PgRow],
    limit: u32,
    slice: Slice,
    read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Page<T>, sqlx::Error> {
    let has_more = rows.len() > limit as usize;
    let mut items: Vec<T> = rows.iter().take(limit as usize).map(read).collect::<Result<_, _>>()?;
    if is_backwards(slice) {
        items.reverse();
    }
    Ok(Page { items, has_more })
}

pub(super) fn stored(row: &PgRow) -> Result<StoredFile, sqlx::Error> {
    Ok(StoredFile {
        id: row.try_get("id")?,
        filename: row.try_get("filename")?,
        content_type: row.try_get("content_type")?,
        purpose: row.try_get("purpose")?,
        blob: row.try_get("blob_id")?,
        size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
