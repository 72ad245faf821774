//! Rows of vector stores as values.

use sqlx::{Row, postgres::PgRow, types::Json};

use crate::traits::{
    ingest::{Fault, Metadata},
    vector_stores::{FileBatch, FileCounts, FileState, VectorStore, VectorStoreFile},
};

pub(super) fn store_from(row: &PgRow) -> Result<VectorStore, sqlx::Error> {
    let metadata: Json<Metadata> = row.try_get("metadata")?;
    Ok(VectorStore {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        metadata: metadata.0,
        created_at: row.try_get("created_at")?,
        last_active_at: row.try_get("last_active_at")?,
        expires_after_days: row.try_get::<Option<i32>, _>("expires_after_days")?.map(i32::unsigned_abs),
        expired: row.try_get("expired")?,
        usage_bytes: row.try_get::<i64, _>("usage_bytes")?.unsigned_abs(),
        files: counts_from(row)?,
    })
}

pub(super) fn batch_from(row: &PgRow) -> Result<FileBatch, sqlx::Error> {
    Ok(FileBatch {
        id: row.try_get("id")?,
        store: row.try_get("vector_store_id")?,
        created_at: row.try_get("created_at")?,
        files: counts_from(row)?,
    })
}

pub(super) fn member_from(row: &PgRow) -> Result<VectorStoreFile, sqlx::Error> {
    let attributes: Json<Metadata> = row.try_get("attributes")?;
    let chunking: Option<Json<_>> = row.try_get("chunking")?;
    Ok(VectorStoreFile {
        file: row.try_get("file_id")?,
        store: row.try_get("vector_store_id")?,
        filename: row.try_get("filename")?,
        attributes: attributes.0,
        chunking: chunking.map(|chunking| chunking.0),
        state: state(row.try_get("status")?),
        reason: row.try_get("reason")?,
        fault: row.try_get::<Option<&str>, _>("fault")?.map(fault),
        usage_bytes: row.try_get::<i64, _>("usage_bytes")?.unsigned_abs(),
        created_at: row.try_get("created_at")?,
    })
}

fn counts_from(row: &PgRow) -> Result<FileCounts, sqlx::Error> {
    let count = |column| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)?.unsigned_abs());
    Ok(FileCounts {
        in_progress: count("in_progress")?,
        completed: count("completed")?,
        failed: count("failed")?,
        cancelled: count("cancelled")?,
    })
}

pub(super) fn word(state: FileState) -> &'static str {
    match state {
        FileState::InProgress => "in_progress",
        FileState::Completed => "completed",
        FileState::Failed => "failed",
        FileState::Cancelled => "cancelled",
    }
}

fn state(word: &str) -> FileState {
    match word {
        "completed" => FileState::Completed,
        "failed" => FileState::Failed,
        "cancelled" => FileState::Cancelled,
        _ => FileState::InProgress,
    }
}

fn fault(word: &str) -> Fault {
    match word {
        "format" => Fault::Format,
        "file" => Fault::File,
        _ => Fault::Server,
    }
}
