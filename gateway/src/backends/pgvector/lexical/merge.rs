//! Puts segments together, in one transaction. Searches go on in the snapshots they have; writers do not wait. Two mergers of the same
//! kind do not meet: the second finds the lock taken and leaves.

use std::collections::{HashSet, VecDeque};

use sqlx::Row;

use super::{corrupt, unsigned};
use crate::{
    backends::{
        lexical::{
            FORMAT,
            blob::Blob,
            codec::List,
            merge::{Part, Survivors, merge, survivors},
            segment::{decode_members, encode_members, total_terms},
            tiers::{Facts, Merge},
            words::ANALYZER,
        },
        pgvector::{failed, session::Tx},
    },
    traits::search::{StoreError, WorkspaceId},
};

/// Rows of one statement.
const ROWS_AT_ONCE: usize = 8_192;
/// Lists of one segment that are read ahead.
const LISTS_AHEAD: i64 = 2_048;
/// Bytes of lists that are written at once, if the rows do not end it before.
const BYTES_AT_ONCE: usize = 8 << 20;

const LIVE: &str = "SELECT id FROM chunk WHERE id = ANY($1)";

const READ: &str = "SELECT seg, ids, blob, n FROM lex_seg WHERE workspace_id = $1 AND seg = ANY($2) ORDER BY seg";

const READ_LISTS: &str = "SELECT term, p FROM lex_post WHERE workspace_id = $1 AND seg = $2 AND term > $3 ORDER BY term LIMIT $4";

const INSERT_LARGE: &str = "INSERT INTO lex_seg (workspace_id, format, analyzer, level, n, sum_len, ids) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING seg";

const INSERT_LISTS: &str = "INSERT INTO lex_post (workspace_id, seg, term, df, p) \
    SELECT $1, $2, term, df, p FROM unnest($3::text[], $4::int[], $5::bytea[]) AS list(term, df, p)";

/// Which segments there are, oldest first.
pub(super) async fn facts(tx: &mut Tx, workspace: WorkspaceId) -> Result<Vec<Facts>, StoreError> {
    let rows: Vec<(i64, i16, i32)> =
        sqlx::query_as("SELECT seg, level, n FROM lex_seg WHERE workspace_id = $1 AND analyzer = $2 ORDER BY seg")
            .bind(workspace.0)
            .bind(ANALYZER)
            .fetch_all(&mut **tx)
            .await
            .map_err(|error| failed("listing segments", error))?;
    Ok(rows.into_iter().map(|(segment, level, n)| Facts { segment, level, n: unsigned(n) }).collect())
}

/// Does a merge. The transaction must hold the lock of its kind.
pub(super) async fn put_together(tx: &mut Tx, workspace: WorkspaceId, wanted: &Merge) -> Result<(), StoreError> {
    let Merge { segments, level } = wanted;
    let (mut streams, members) = open(tx, workspace, segments).await?;
    let mut live = HashSet::new();
    for ids in members.iter().flatten().map(|member| member.chunk_id).collect::<Vec<_>>().chunks(ROWS_AT_ONCE) {
        let found: Vec<i64> =
            sqlx::query_scalar(LIVE).bind(ids).fetch_all(&mut **tx).await.map_err(|error| failed("merging segments", error))?;
        live.extend(found);
    }
    let Survivors { members, places } = survivors(&members, |id| live.contains(&id)).map_err(corrupt)?;
    drop(live);
    if !members.is_empty() {
        let segment: i64 = sqlx::query_scalar(INSERT_LARGE)
            .bind(workspace.0)
            .bind(i16::from(FORMAT))
            .bind(ANALYZER)
            .bind(level)
            .bind(i32::try_from(members.len()).unwrap_or(i32::MAX))
            .bind(i64::try_from(total_terms(&members)).unwrap_or(i64::MAX))
            .bind(encode_members(&members))
            .fetch_one(&mut **tx)
            .await
            .map_err(|error| failed("merging segments", error))?;
        write_lists(tx, workspace, segment, &mut streams, &places).await?;
    }
    remove(tx, workspace, segments).await
}

/// Removes segments with their postings; refused when one is gone already.
pub(super) async fn remove(tx: &mut Tx, workspace: WorkspaceId, segments: &[i64]) -> Result<(), StoreError> {
    let mut removed = 0;
    for sql in [
        "DELETE FROM lex_post WHERE workspace_id = $1 AND seg = ANY($2)",
        "DELETE FROM lex_seg WHERE workspace_id = $1 AND seg = ANY($2)",
    ] {
        let done = sqlx::query(sql).bind(workspace.0).bind(segments).execute(&mut **tx).await;
        removed = done.map_err(|error| failed("removing segments", error))?.rows_affected();
    }
    if removed == segments.len() as u64 { Ok(()) } else { Err(StoreError::Conflict { what: "set of segments" }) }
}

type Members = Vec<crate::backends::lexical::segment::Member>;

async fn open(tx: &mut Tx, workspace: WorkspaceId, segments: &[i64]) -> Result<(Vec<Stream>, Vec<Members>), StoreError> {
    let error = |error| failed("reading segments", error);
    let rows = sqlx::query(READ).bind(workspace.0).bind(segments).fetch_all(&mut **tx).await.map_err(error)?;
    if rows.len() != segments.len() {
        return Err(StoreError::Conflict { what: "set of segments" });
    }
    let (mut streams, mut members) = (Vec::new(), Vec::new());
    for row in &rows {
        let n = unsigned(row.try_get("n").map_err(error)?);
        members.push(decode_members(row.try_get("ids").map_err(error)?, n).map_err(corrupt)?);
        streams.push(match row.try_get::<Option<&[u8]>, _>("blob").map_err(error)? {
            None => Stream { segment: row.try_get("seg").map_err(error)?, ahead: VecDeque::new(), read: Some(String::new()) },
            Some(bytes) => {
                let entries = Blob::new(bytes).map_err(corrupt)?.entries();
                let ahead = entries.map(|entry| entry.map(|entry| (entry.term.to_owned(), entry.bytes.to_vec())));
                let ahead = ahead.collect::<Result<_, _>>().map_err(corrupt)?;
                Stream { segment: row.try_get("seg").map_err(error)?, ahead, read: None }
            }
        });
    }
    Ok((streams, members))
}

/// The lists of one segment, in the order of their terms.
struct Stream {
    segment: i64,
    ahead: VecDeque<(String, Vec<u8>)>,
    /// The last term that was read; `None`: there are no more to read.
    read: Option<String>,
}

impl Stream {
    async fn fill(&mut self, tx: &mut Tx, workspace: WorkspaceId) -> Result<(), StoreError> {
        let Some(read) = &self.read else { return Ok(()) };
        if !self.ahead.is_empty() {
            return Ok(());
        }
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(READ_LISTS)
            .bind(workspace.0)
            .bind(self.segment)
            .bind(read)
            .bind(LISTS_AHEAD)
            .fetch_all(&mut **tx)
            .await
            .map_err(|error| failed("reading postings", error))?;
        self.read = rows.last().map(|(term, _)| term.clone());
        self.ahead = rows.into();
        Ok(())
    }
}

/// Lists that wait to be written.
#[derive(Default)]
struct Batch {
    terms: Vec<String>,
    chunks: Vec<i32>,
    lists: Vec<Vec<u8>>,
    bytes: usize,
}

async fn write_lists(
    tx: &mut Tx,
    workspace: WorkspaceId,
    segment: i64,
    streams: &mut [Stream],
    places: &[Vec<Option<u32>>],
) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    loop {
        for stream in &mut *streams {
            stream.fill(tx, workspace).await?;
        }
        let Some(term) = streams.iter().filter_map(|stream| stream.ahead.front()).map(|(term, _)| term).min().cloned() else {
            break;
        };
        let taken: Vec<_> = streams.iter_mut().map(|stream| take(stream, &term)).collect();
        let parts: Vec<_> =
            taken.iter().zip(places).filter_map(|(bytes, places)| bytes.as_ref().map(|bytes| Part { places, bytes })).collect();
        let List { chunks, bytes } = merge(&parts).map_err(corrupt)?;
        if chunks > 0 {
            batch.bytes += bytes.len();
            batch.terms.push(term);
            batch.chunks.push(i32::try_from(chunks).unwrap_or(i32::MAX));
            batch.lists.push(bytes);
        }
        if batch.terms.len() >= ROWS_AT_ONCE || batch.bytes >= BYTES_AT_ONCE {
            insert(tx, workspace, segment, std::mem::take(&mut batch)).await?;
        }
    }
    insert(tx, workspace, segment, batch).await
}

fn take(stream: &mut Stream, term: &str) -> Option<Vec<u8>> {
    stream.ahead.pop_front_if(|(first, _)| first == term).map(|(_, bytes)| bytes)
}

async fn insert(tx: &mut Tx, workspace: WorkspaceId, segment: i64, batch: Batch) -> Result<(), StoreError> {
    let Batch { terms, chunks, lists, bytes: _ } = batch;
    sqlx::query(INSERT_LISTS)
        .bind(workspace.0)
        .bind(segment)
        .bind(terms)
        .bind(chunks)
        .bind(lists)
        .execute(&mut **tx)
        .await
        .map_err(|error| failed("writing postings", error))?;
    Ok(())
}
