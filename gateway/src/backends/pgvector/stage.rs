//! The staging area: chunks of one try, invisible to every search, until [`super::publish`] makes them a document. Only what is too
//! much to be kept in memory until then goes here.

use uuid::Uuid;

use super::{
    Store,
    error::code,
    failed,
    rows::{bind_chunks, int, small_int},
    session::{Tx, commit},
    space::Space,
};
use crate::traits::{
    ingest::{Claim, StagedChunk},
    search::StoreError,
};

/// Rows of one statement: about 1.5 MB of vectors.
pub(super) const ROWS_AT_ONCE: usize = 1_000;

const INSERT_CHUNKS: &str = "INSERT INTO stage_chunk \
      (item_id, lease, workspace_id, position, text, tokens, heading_path, page, sheet, line_start, line_end, kind, content_hash, \
       metadata, reuse) \
    SELECT $1, $2, $3, s.position, s.text, s.tokens, s.heading_path::text[], s.page, s.sheet, \
      s.line_start, s.line_end, s.kind, s.content_hash, s.metadata, s.reuse \
    FROM unnest($4::int[], $5::text[], $6::int[], $7::text[], $8::int[], $9::text[], $10::int[], $11::int[], $12::text[], \
      $13::bytea[], $14::jsonb[], $15::boolean[]) \
      AS s(position, text, tokens, heading_path, page, sheet, line_start, line_end, kind, content_hash, metadata, reuse)";

const INSERT_EMBEDDINGS: &str = "INSERT INTO stage_embedding (item_id, workspace_id, position, window_number, embedding) \
    SELECT $1, $2, s.position, s.window_number, s.embedding \
    FROM unnest($3::int[], $4::smallint[], $5::vector[]) AS s(position, window_number, embedding)";

impl Store {
    pub(super) async fn stage_chunks(&self, claim: &Claim, chunks: Vec<StagedChunk>) -> Result<(), StoreError> {
        let (space, _) = self.space().await?;
        check_vectors(space, &chunks)?;
        let mut tx = Self::begin(self, claim.workspace).await?;
        count(&mut tx, claim, chunks.len()).await?;
        for piece in chunks.chunks(ROWS_AT_ONCE) {
            insert_chunks(&mut tx, claim, piece).await?;
        }
        let windows: Vec<_> = chunks
            .into_iter()
            .flat_map(|chunk| {
                let windows = chunk.windows.unwrap_or_default();
                windows.into_iter().enumerate().map(move |(number, vector)| (chunk.position, number, vector))
            })
            .collect();
        for piece in windows.chunks(ROWS_AT_ONCE) {
            insert_embeddings(&mut tx, claim, piece).await?;
        }
        commit(tx, "staging chunks").await
    }
}

/// Refuses vectors that the space has no place for.
pub(super) fn check_vectors(space: &Space, chunks: &[StagedChunk]) -> Result<(), StoreError> {
    let fits = |vector: &Vec<f32>| vector.len() == space.dimensions as usize && vector.iter().all(|number| number.is_finite());
    if chunks.iter().flat_map(|chunk| chunk.windows.iter().flatten()).all(fits) {
        return Ok(());
    }
    Err(StoreError::Failed {
        action: "storing vectors",
        source: "a vector has the wrong dimensions or a number that is not finite".into(),
    })
}

/// Counts the chunks in the item, and refuses a lost lease by it.
async fn count(tx: &mut Tx, claim: &Claim, chunks: usize) -> Result<(), StoreError> {
    let counted = sqlx::query("UPDATE job_item SET staged = staged + $3 WHERE id = $1 AND lease = $2")
        .bind(claim.item_id)
        .bind(claim.lease)
        .bind(i32::try_from(chunks).unwrap_or(i32::MAX))
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("staging chunks", error))?;
    if counted.rows_affected() == 0 { Err(StoreError::Conflict { what: "lease" }) } else { Ok(()) }
}

async fn insert_chunks(tx: &mut Tx, claim: &Claim, chunks: &[StagedChunk]) -> Result<(), StoreError> {
    let statement = sqlx::query(INSERT_CHUNKS).bind(claim.item_id).bind(claim.lease).bind(claim.workspace.0);
    bind_chunks(statement, chunks)
        .bind(chunks.iter().map(|chunk| chunk.windows.is_none()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(staged_twice)?;
    Ok(())
}

async fn insert_embeddings(tx: &mut Tx, claim: &Claim, windows: &[(u32, usize, Vec<f32>)]) -> Result<(), StoreError> {
    sqlx::query(INSERT_EMBEDDINGS)
        .bind(claim.item_id)
        .bind(claim.workspace.0)
        .bind(windows.iter().map(|(position, _, _)| int(*position)).collect::<Vec<_>>())
        .bind(windows.iter().map(|(_, number, _)| small_int(*number)).collect::<Vec<_>>())
        .bind(windows.iter().map(|(_, _, vector)| pgvector::Vector::from(vector.clone())).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(staged_twice)?;
    Ok(())
}

fn staged_twice(error: sqlx::Error) -> StoreError {
    match code(&error).as_deref() {
        Some("23505") => StoreError::Conflict { what: "staging area" },
        _ => failed("staging chunks", error),
    }
}

/// The item as it stands, locked until the transaction ends.
pub(super) struct LockedItem {
    pub(super) collection_id: i32,
    pub(super) blob_id: Option<Uuid>,
    pub(super) staged: i32,
    /// Of its workspace, which cannot move to another one before the transaction ends.
    pub(super) relation_id: i32,
}

/// Locks the claim's item. Refused when the lease is lost.
pub(super) async fn lock_item(tx: &mut Tx, claim: &Claim) -> Result<LockedItem, StoreError> {
    let row: Option<(i32, Option<Uuid>, i32, i32)> = sqlx::query_as(
        "SELECT i.collection_id, i.blob_id, i.staged, w.relation_id FROM job_item i JOIN workspace w ON w.id = i.workspace_id \
         WHERE i.id = $1 AND i.lease = $2 FOR UPDATE OF i FOR KEY SHARE OF w",
    )
    .bind(claim.item_id)
    .bind(claim.lease)
    .fetch_optional(&mut **tx)
    .await
    .map_err(|error| failed("locking a file", error))?;
    let (collection_id, blob_id, staged, relation_id) = row.ok_or(StoreError::Conflict { what: "lease" })?;
    Ok(LockedItem { collection_id, blob_id, staged, relation_id })
}
