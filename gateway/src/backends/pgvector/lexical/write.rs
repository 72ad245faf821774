//! Writes postings of level 0, in the transaction that writes the chunks: whoever sees a document finds it by its words.

use std::sync::Arc;

use sqlx::Row;
use tokio::task::{JoinError, JoinHandle};
use uuid::Uuid;

use super::corrupt;
use crate::{
    backends::{
        lexical::{
            FORMAT, blob,
            segment::{Member, Segment, build, encode_members, total_terms},
            words::{ANALYZER, Analyzer},
        },
        pgvector::{failed, session::Tx},
    },
    traits::{
        ingest::StagedChunk,
        search::{StoreError, WorkspaceId},
    },
};

/// Chunks of one segment of level 0, and texts that are in memory at once.
pub(super) const CHUNKS_AT_ONCE: i64 = 1_000;

const TEXTS: &str =
    "SELECT id, text, position FROM chunk WHERE document_id = $1 AND id > $2 AND position > $3 ORDER BY position LIMIT $4";

const INSERT_SMALL: &str =
    "INSERT INTO lex_seg (workspace_id, format, analyzer, level, n, sum_len, ids, blob) VALUES ($1, $2, $3, 0, $4, $5, $6, $7)";

/// The document has its postings; says how many segments of level 0 there are, this transaction's among them.
const INDEXED: &str = "WITH indexed AS (DELETE FROM lex_pending WHERE document_id = $2) \
    SELECT count(*) FROM lex_seg WHERE workspace_id = $1 AND level = 0";

/// The postings of chunks that are being stored, made on another thread meanwhile.
pub(in crate::backends::pgvector) struct Words(Vec<JoinHandle<Result<Small, StoreError>>>);

impl Words {
    /// Begins to read the texts.
    pub(in crate::backends::pgvector) fn read(chunks: &Arc<Vec<StagedChunk>>) -> Self {
        let size = usize::try_from(CHUNKS_AT_ONCE).unwrap_or(usize::MAX);
        let piece = |first: usize| {
            let chunks = Arc::clone(chunks);
            // The ids are not known yet.
            tokio::task::spawn_blocking(move || {
                Small::of(chunks.iter().skip(first).take(size).map(|chunk| (0, chunk.text.as_str())))
            })
        };
        Self((0..chunks.len()).step_by(size).map(piece).collect())
    }

    /// Writes the postings; `ids` are those of the chunks, in their order.
    pub(in crate::backends::pgvector) async fn write(
        self,
        tx: &mut Tx,
        workspace: WorkspaceId,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        let mut ids = ids.iter();
        for piece in self.0 {
            let mut small = piece.await.map_err(unread)??;
            for (member, id) in small.members.iter_mut().zip(&mut ids) {
                member.chunk_id = *id;
            }
            small.insert(tx, workspace).await?;
        }
        Ok(())
    }
}

/// A segment of level 0 as it is stored.
struct Small {
    members: Vec<Member>,
    blob: Vec<u8>,
}

impl Small {
    fn of<'a>(texts: impl IntoIterator<Item = (i64, &'a str)>) -> Result<Self, StoreError> {
        let Segment { members, lists } = build(&Analyzer::default(), texts);
        Ok(Self { members, blob: blob::encode(&lists).map_err(corrupt)? })
    }

    async fn insert(self, tx: &mut Tx, workspace: WorkspaceId) -> Result<(), StoreError> {
        let Self { members, blob } = self;
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
}

/// Writes the postings of a document's chunks above an id. That the document waits for them no longer is the caller's to say.
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
    Ok(())
}

/// The document has all its postings: it no longer waits for them. Gives the number of segments of level 0.
pub(in crate::backends::pgvector) async fn indexed(
    tx: &mut Tx,
    workspace: WorkspaceId,
    document: Uuid,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(INDEXED)
        .bind(workspace.0)
        .bind(document)
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| failed("counting segments", error))
}

/// Writes a segment of level 0.
pub(super) async fn insert_small(tx: &mut Tx, workspace: WorkspaceId, texts: Vec<(i64, String)>) -> Result<(), StoreError> {
    let small = off_the_reactor(move || Small::of(texts.iter().map(|(id, text)| (*id, text.as_str())))).await?;
    small.insert(tx, workspace).await
}

/// Runs what computes for long on a thread where nobody waits for it.
pub(super) async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(unread)?
}

fn unread(error: JoinError) -> StoreError {
    StoreError::Failed { action: "reading words", source: Box::new(error) }
}
