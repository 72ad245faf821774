//! What a publish puts into the tables: the chunks of the staging area, then those that never went there, and the vectors of both.

use sqlx::Row;
use uuid::Uuid;

use super::{
    failed,
    rows::{bind_chunks, bind_vectors, small_int},
    session::Tx,
    space::Space,
    stage::{LockedItem, ROWS_AT_ONCE},
};
use crate::traits::{
    ingest::{Claim, StagedChunk},
    search::StoreError,
};

const COPY_CHUNKS: &str = "INSERT INTO chunk \
      (workspace_id, collection_id, document_id, position, text, tokens, heading_path, page, sheet, line_start, line_end, \
       kind, content_hash, metadata) \
    SELECT workspace_id, $3, $2, position, text, tokens, heading_path, page, sheet, line_start, line_end, kind, content_hash, metadata \
    FROM stage_chunk WHERE item_id = $1 ORDER BY position";

const INSERT_CHUNKS: &str = "INSERT INTO chunk \
      (workspace_id, collection_id, document_id, position, text, tokens, heading_path, page, sheet, line_start, line_end, \
       kind, content_hash, metadata) \
    SELECT $1, $2, $3, s.position, s.text, s.tokens, s.heading_path::text[], s.page, s.sheet, s.line_start, s.line_end, s.kind, \
      s.content_hash, s.metadata \
    FROM unnest($4::int[], $5::text[], $6::int[], $7::text[], $8::int[], $9::text[], $10::int[], $11::int[], $12::text[], \
      $13::bytea[], $14::jsonb[]) \
      AS s(position, text, tokens, heading_path, page, sheet, line_start, line_end, kind, content_hash, metadata) \
    ORDER BY s.position RETURNING id, position";

const COPY_EMBEDDINGS: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $4, c.workspace_id, c.collection_id, c.id, s.window_number, $5, s.embedding \
    FROM stage_embedding s JOIN chunk c ON c.document_id = $2 AND c.position = s.position AND c.id > $3 WHERE s.item_id = $1";

/// The element type is that of the vectors which are bound.
const INSERT_EMBEDDINGS: &str = "INSERT INTO embeddings \
      (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $1, $2, $3, s.chunk_id, s.window_number, $4, s.embedding \
    FROM unnest($5::bigint[], $6::smallint[], $7) AS s(chunk_id, window_number, embedding)";

/// For each chunk that brought no vectors: those of another chunk of the same hash, this document's included.
const REUSE_EMBEDDINGS: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $2, c.workspace_id, c.collection_id, c.id, e.window_number, $3, e.embedding \
    FROM chunk c \
    CROSS JOIN LATERAL ( \
      SELECT o.id FROM chunk o WHERE o.workspace_id = c.workspace_id AND o.content_hash = c.content_hash AND o.id <> c.id \
        AND EXISTS (SELECT 1 FROM embeddings x WHERE x.relation_id = $2 AND x.chunk_id = o.id AND x.space_id = $3) \
      LIMIT 1) same \
    JOIN embeddings e ON e.relation_id = $2 AND e.chunk_id = same.id AND e.space_id = $3 \
    WHERE c.id = ANY($1)";

const STAGED_FOR_REUSE: &str = "SELECT c.id FROM stage_chunk s \
    JOIN chunk c ON c.document_id = $2 AND c.position = s.position AND c.id > $3 WHERE s.item_id = $1 AND s.reuse";

const BARE: &str = "SELECT EXISTS (SELECT 1 FROM chunk c WHERE c.document_id = $1 AND c.id > $2 AND NOT EXISTS \
    (SELECT 1 FROM embeddings e WHERE e.relation_id = $3 AND e.chunk_id = c.id AND e.space_id = $4))";

/// The chunks of a document that one publish makes, and what tells them from the older ones.
pub(super) struct Generation<'a> {
    pub(super) claim: &'a Claim,
    pub(super) item: &'a LockedItem,
    pub(super) document_id: Uuid,
    /// Chunks above this id are of this generation.
    pub(super) boundary: i64,
    pub(super) space: &'a Space,
}

/// What was put in.
pub(super) struct Filled {
    /// Ids of the chunks that were not staged, in their order.
    pub(super) direct: Vec<i64>,
    pub(super) chunks: usize,
    /// Chunks that kept stored vectors.
    pub(super) reused: usize,
}

impl Generation<'_> {
    /// Puts the chunks in and gives each its vectors.
    pub(super) async fn fill(&self, tx: &mut Tx, direct: &[StagedChunk]) -> Result<Filled, StoreError> {
        let staged = usize::try_from(self.item.staged).unwrap_or(0);
        let mut reuse = Vec::new();
        if staged > 0 {
            self.copy_staged(tx, staged).await?;
            reuse = self.staged_for_reuse(tx).await?;
        }
        let mut ids = Vec::with_capacity(direct.len());
        for piece in direct.chunks(ROWS_AT_ONCE) {
            ids.extend(self.insert_chunks(tx, piece).await?);
        }
        self.insert_vectors(tx, direct, &ids).await?;
        let bare = |(chunk, id): (&StagedChunk, &i64)| chunk.windows.is_none().then_some(*id);
        reuse.extend(direct.iter().zip(&ids).filter_map(bare));
        if !reuse.is_empty() {
            sqlx::query(REUSE_EMBEDDINGS)
                .bind(&reuse)
                .bind(self.item.relation_id)
                .bind(self.space.id.0)
                .execute(&mut **tx)
                .await
                .map_err(unpublished)?;
        }
        let may_be_bare =
            staged > 0 || !reuse.is_empty() || direct.iter().any(|chunk| chunk.windows.as_ref().is_some_and(Vec::is_empty));
        if may_be_bare && self.has_bare(tx).await? {
            // Another document's deletion took them away since they were promised.
            return Err(StoreError::Conflict { what: "set of stored vectors" });
        }
        Ok(Filled { chunks: staged + ids.len(), direct: ids, reused: reuse.len() })
    }

    async fn copy_staged(&self, tx: &mut Tx, staged: usize) -> Result<(), StoreError> {
        let copied = sqlx::query(COPY_CHUNKS)
            .bind(self.claim.item_id)
            .bind(self.document_id)
            .bind(self.item.collection_id)
            .execute(&mut **tx)
            .await
            .map_err(unpublished)?;
        if copied.rows_affected() != staged as u64 {
            // The server crashed and emptied the staging area.
            return Err(StoreError::Conflict { what: "staging area" });
        }
        sqlx::query(COPY_EMBEDDINGS)
            .bind(self.claim.item_id)
            .bind(self.document_id)
            .bind(self.boundary)
            .bind(self.item.relation_id)
            .bind(self.space.id.0)
            .execute(&mut **tx)
            .await
            .map_err(unpublished)?;
        Ok(())
    }

    async fn staged_for_reuse(&self, tx: &mut Tx) -> Result<Vec<i64>, StoreError> {
        sqlx::query_scalar(STAGED_FOR_REUSE)
            .bind(self.claim.item_id)
            .bind(self.document_id)
            .bind(self.boundary)
            .fetch_all(&mut **tx)
            .await
            .map_err(unpublished)
    }

    /// Gives the ids of the chunks, in the order of their positions.
    async fn insert_chunks(&self, tx: &mut Tx, chunks: &[StagedChunk]) -> Result<Vec<i64>, StoreError> {
        let statement =
            sqlx::query(INSERT_CHUNKS).bind(self.claim.workspace.0).bind(self.item.collection_id).bind(self.document_id);
        let rows = bind_chunks(statement, chunks).fetch_all(&mut **tx).await.map_err(unpublished)?;
        let mut made: Vec<(i32, i64)> = rows
            .iter()
            .map(|row| Ok((row.try_get("position")?, row.try_get("id")?)))
            .collect::<Result<_, _>>()
            .map_err(unpublished)?;
        made.sort_unstable();
        Ok(made.into_iter().map(|(_, id)| id).collect())
    }

    async fn insert_vectors(&self, tx: &mut Tx, chunks: &[StagedChunk], ids: &[i64]) -> Result<(), StoreError> {
        let windows: Vec<(i64, i16, &Vec<f32>)> = chunks
            .iter()
            .zip(ids)
            .flat_map(|(chunk, id)| {
                let numbered = chunk.windows.iter().flatten().enumerate();
                numbered.map(move |(number, vector)| (*id, small_int(number), vector))
            })
            .collect();
        for piece in windows.chunks(ROWS_AT_ONCE) {
            let statement = sqlx::query(INSERT_EMBEDDINGS)
                .bind(self.item.relation_id)
                .bind(self.claim.workspace.0)
                .bind(self.item.collection_id)
                .bind(self.space.id.0)
                .bind(piece.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
                .bind(piece.iter().map(|(_, number, _)| *number).collect::<Vec<_>>());
            let vectors = piece.iter().map(|(_, _, vector)| *vector);
            bind_vectors(statement, self.space.element_type, vectors).execute(&mut **tx).await.map_err(unpublished)?;
        }
        Ok(())
    }

    async fn has_bare(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        sqlx::query_scalar(BARE)
            .bind(self.document_id)
            .bind(self.boundary)
            .bind(self.item.relation_id)
            .bind(self.space.id.0)
            .fetch_one(&mut **tx)
            .await
            .map_err(unpublished)
    }
}

fn unpublished(error: sqlx::Error) -> StoreError {
    failed("publishing chunks", error)
}
