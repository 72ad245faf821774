//! Rows stored a second: by the gateway's store, postings and the end of the file in its queue included, beside one transaction of
//! `unnest` that puts the same rows into the same tables, with their indexes, constraints and triggers.

use std::time::{Duration, Instant};

use anyhow::Context;
use pgvector::HalfVector;
use ragline_gateway::traits::{ingest::StagedChunk, inspect::Inspector, search::NearestQuery};

use serde_json::Value;

use crate::{
    described::{self, goal},
    figure::Figure,
    rows::Rows,
    surroundings::Surroundings,
};

/// Rows of one document, and how often each way stores one; the fastest counts.
const ROWS: usize = 1_000;
const REPEATS: usize = 3;

const DOCUMENT: &str = "INSERT INTO document \
      (id, workspace_id, collection_id, source, content_type, size_bytes, content_hash, chunking_fingerprint, space_id, chunks) \
    SELECT gen_random_uuid(), $1, c.id, 'raw/' || gen_random_uuid(), 'text/plain', 0, $2, $2, (SELECT id FROM embedding_space), $3 \
    FROM collection c WHERE c.workspace_id = $1 AND c.name = 'default' RETURNING id::text";

const CHUNKS: &str = "INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash, metadata) \
    SELECT d.workspace_id, d.collection_id, d.id, r.position, r.text, 60, r.hash, r.metadata \
    FROM document d, unnest($2::int[], $3::text[], $4::bytea[], $5::jsonb[]) AS r(position, text, hash, metadata) WHERE d.id = $1::uuid";

const VECTORS: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT w.relation_id, c.workspace_id, c.collection_id, c.id, 0, (SELECT id FROM embedding_space), r.embedding \
    FROM unnest($2::int[], $3::halfvec[]) AS r(position, embedding) \
    JOIN chunk c ON c.document_id = $1::uuid AND c.position = r.position JOIN workspace w ON w.id = c.workspace_id";

pub(crate) async fn measure(around: &Surroundings, rows: &mut Rows) -> anyhow::Result<()> {
    let group = format!("Storing, {}", rows.name());
    let (mut own, mut staged, mut raw) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..REPEATS {
        raw = raw.min(store_raw(rows, &rows.chunks(ROWS)).await?);
        own = own.min(rows.store_some(ROWS).await?);
        staged = staged.min(rows.store_staged(ROWS).await?);
    }
    let per_second = |took: Duration| ROWS as f64 / took.as_secs_f64();
    Figure::new(&group, "raw unnest, rolled back", per_second(raw), "rows/s").keep(&around.folder)?;
    Figure::new(&group, "the gateway's store", per_second(own), "rows/s")
        .beside("raw unnest", per_second(raw))
        .aims_at(Some(goal::STORED))
        .keep(&around.folder)?;
    Figure::new(&group, "the same by way of the staging area", per_second(staged), "rows/s")
        .beside("raw unnest", per_second(raw))
        .keep(&around.folder)?;
    Figure::new(&group, "index updates", 60.0 * per_second(own), "a minute")
        .described(described::UPDATES_A_MINUTE)
        .keep(&around.folder)?;
    bulk(around, rows, &group).await
}

/// A thousand vectors in one statement, rolled back.
async fn bulk(around: &Surroundings, rows: &Rows, group: &str) -> anyhow::Result<()> {
    let vectors: Vec<Vec<f32>> = rows.chunks(ROWS).into_iter().filter_map(|chunk| chunk.windows?.pop()).collect();
    let vector = vectors.first().context("there are no vectors")?.clone();
    let query = NearestQuery { workspace: rows.workspace, vector, limit: 1, filter: None };
    let mut fastest_ms = f64::MAX;
    for _ in 0..REPEATS {
        fastest_ms = fastest_ms.min(rows.store.rehearse(&vectors, &query).await?.insert_ms);
    }
    Figure::new(group, "bulk insert of 1,000 embeddings", fastest_ms, "ms")
        .described(described::BULK_THOUSAND_MS)
        .keep(&around.folder)?;
    Figure::new(group, "bulk insert", 60_000.0 * ROWS as f64 / fastest_ms, "a minute")
        .described(described::BULK_A_MINUTE)
        .keep(&around.folder)
}

/// The same rows with nothing around them but the transaction.
async fn store_raw(rows: &Rows, chunks: &[StagedChunk]) -> anyhow::Result<Duration> {
    let positions: Vec<i32> = (0..).take(chunks.len()).collect();
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    let hashes: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.content_hash.as_slice()).collect();
    let metadata: Vec<Value> = chunks.iter().map(|chunk| Value::Object(chunk.metadata.clone())).collect();
    let vectors = chunks.iter().flat_map(|chunk| chunk.windows.iter().flatten());
    let vectors: Vec<HalfVector> = vectors.map(|vector| HalfVector::from_f32_slice(vector)).collect();
    let mut tx = rows.owner.begin().await?;
    let begin = Instant::now();
    let document: String = sqlx::query_scalar(DOCUMENT)
        .bind(rows.workspace.0)
        .bind([0_u8; 32].as_slice())
        .bind(i32::try_from(chunks.len())?)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query(CHUNKS).bind(&document).bind(&positions).bind(texts).bind(hashes).bind(metadata).execute(&mut *tx).await?;
    sqlx::query(VECTORS).bind(&document).bind(&positions).bind(vectors).execute(&mut *tx).await?;
    let took = begin.elapsed();
    tx.rollback().await?;
    Ok(took)
}
