//! Rows of the queue as what they stand for.

use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::traits::{
    ingest::{Claim, Hash, Job, JobItem, JobStatus, Metadata},
    search::WorkspaceId,
};

fn status(word: &str) -> JobStatus {
    match word {
        "running" => JobStatus::Running,
        "completed" => JobStatus::Completed,
        "failed" => JobStatus::Failed,
        "cancelled" => JobStatus::Cancelled,
        _ => JobStatus::Queued,
    }
}

pub(super) fn job_from(row: &PgRow, items: Vec<JobItem>) -> Result<Job, sqlx::Error> {
    Ok(Job {
        id: row.try_get("id")?,
        status: status(row.try_get("status")?),
        total: row.try_get::<i32, _>("total")?.unsigned_abs(),
        done: u32::try_from(row.try_get::<i64, _>("done")?).unwrap_or(u32::MAX),
        failed: u32::try_from(row.try_get::<i64, _>("failed")?).unwrap_or(u32::MAX),
        cancelled: u32::try_from(row.try_get::<i64, _>("cancelled")?).unwrap_or(u32::MAX),
        chunks: row.try_get::<i64, _>("chunks")?.unsigned_abs(),
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
        items,
    })
}

pub(in crate::backends::pgvector) fn item(row: &PgRow) -> Result<JobItem, sqlx::Error> {
    Ok(JobItem {
        number: row.try_get::<i64, _>("number")?.unsigned_abs(),
        source: row.try_get("source")?,
        status: status(row.try_get("status")?),
        reason: row.try_get("reason")?,
        document_id: row.try_get("document_id")?,
        chunks_done: row.try_get::<i32, _>("chunks_done")?.unsigned_abs(),
        chunks_total: row.try_get::<Option<i32>, _>("chunks_total")?.map(i32::unsigned_abs),
    })
}

pub(super) fn claim(row: &PgRow, lease: Uuid) -> Result<Claim, sqlx::Error> {
    let hash: Vec<u8> = row.try_get("content_hash")?;
    let metadata: sqlx::types::Json<Metadata> = row.try_get("metadata")?;
    Ok(Claim {
        item_id: row.try_get("id")?,
        job_id: row.try_get("job_id")?,
        workspace: WorkspaceId(row.try_get("workspace_id")?),
        lease,
        attempt: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
        released: row.try_get::<i32, _>("released")?.unsigned_abs(),
        source: row.try_get("source")?,
        filename: row.try_get("filename")?,
        content_type: row.try_get("content_type")?,
        metadata: metadata.0,
        chunking: row.try_get::<Option<sqlx::types::Json<_>>, _>("chunking")?.map(|chunking| chunking.0),
        blob: row.try_get("blob_id")?,
        size_bytes: row.try_get::<i64, _>("size_bytes")?.unsigned_abs(),
        content_hash: Hash::try_from(hash.as_slice()).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}
