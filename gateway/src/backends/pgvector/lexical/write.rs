//! Writes postings of level 0, in the transaction that writes the chunks: whoever sees a document finds it by its words.

use sqlx::Row;
use uuid::Uuid;

use super::corrupt;
use crate::{
    backends::{
        lexical::{
            FORMAT, blob,
            segment::{Segment, build, encode_members, total_terms},
            words::{ANALYZER, Analyzer},
        },
        pgvector::{failed, session::Tx},
    },
    traits::search::{StoreError, WorkspaceId},
};

/// Chunks of one segment of level 0, and texts that are in memory at once.
pub(super) const CHUNKS_AT_ONCE: i64 = 1_000;

const TEXTS: &str =
    "SELECT id, text, position FROM chunk WHERE document_id = $1 AND id > $2 AND position > $3 ORDER BY position LIMIT $4";

const INSERT_SMALL: &str =
    "INSERT INTO lex_seg (workspace_id, format, analyzer, level, n, sum_len, ids, blob) VALUES ($1, $2, $3, 0, $4, $5, $6, $7)";

/// Writes the postings of a document's chunks above an id; the document no longer waits for them.
pub(in crate::backends::pgvector) async fn index_document(
    tx: &mut Tx,
    workspace: WorkspaceId,
    document: Uuid,
    after: i64,
) -> Result<(), StoreError> {
    let error = |error| failed("reading chunks to index", error);
    let mut position = -1_i32;
    loop {
        let rows = sqlx::query(TEXTS)
            .bind(document)
            .bind(after)
            .bind(position)
            .bind(CHUNKS_AT_ONCE)
            .fetch_all(&mut **tx)
            .await
            .map_err(error)?;
        let Some(last) = rows.last() else { break };
        position = last.try_get("position").map_err(error)?;
        let texts =
            rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("text")?))).collect::<Result<_, _>>().map_err(error)?;
        insert_small(tx, workspace, texts).await?;
    }
    sqlx::query("DELETE FROM lex_pending WHERE document_id = $1")
        .bind(document)
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("indexing words", error))?;
    Ok(())
}

/// Segments of level 0, this transaction's among them.
pub(in crate::backends::pgvector) async fn count_small(tx: &mut Tx, workspace: WorkspaceId) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT count(*) FROM lex_seg WHERE workspace_id = $1 AND level = 0")
        .bind(workspace.0)
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| failed("counting segments", error))
}

/// Writes a segment of level 0.
pub(super) async fn insert_small(tx: &mut Tx, workspace: WorkspaceId, texts: Vec<(i64, String)>) -> Result<(), StoreError> {
    let (segment, blob) = off_the_reactor(move || {
        let segment = build(&Analyzer::default(), texts.iter().map(|(id, text)| (*id, text.as_str())));
        let blob = blob::encode(&segment.lists).map_err(corrupt)?;
        Ok((segment, blob))
    })
    .await?;
    let Segment { members, lists: _ } = segment;
    sqlx::query(INSERT_SMALL)
        .bind(workspace.0)
        .bind(i16::from(FORMAT))
        .bind(ANALYZER)
        .bind(i32::try_from(members.len()).unwrap_or(i32::MAX))
        .bind(i64::try_from(total_terms(&members)).unwrap_or(i64::MAX))
        .bind(encode_members(&members))
        .bind(blob)
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("indexing words", error))?;
    Ok(())
}

/// Runs what computes for long on a thread where nobody waits for it.
pub(super) async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|source| StoreError::Failed { action: "searching by words", source: Box::new(source) })?
}
