//! Rows of a search as matches.

use serde_json::{Map, Value};
use sqlx::{Row, postgres::PgRow, types::Json};

use crate::{
    backends::pgvector::{failed, space::Space},
    traits::{
        place::{ChunkKind, Lines, Place},
        search::{Match, StoreError},
    },
};

pub(super) fn matches(rows: &[PgRow], space: &Space) -> Result<Vec<Match>, StoreError> {
    rows.iter().map(|row| found(row, space)).collect::<Result<_, _>>().map_err(|error| failed("reading matches", error))
}

fn place(row: &PgRow) -> Result<Place, sqlx::Error> {
    let number = |column| Ok::<_, sqlx::Error>(row.try_get::<Option<i32>, _>(column)?.map(i32::unsigned_abs));
    let lines = number("line_start")?.zip(number("line_end")?).map(|(from, to)| Lines { from, to });
    Ok(Place { page: number("page")?, sheet: row.try_get("sheet")?, lines })
}

fn found(row: &PgRow, space: &Space) -> Result<Match, sqlx::Error> {
    let similarity = row.try_get::<Option<f64>, _>("distance")?.map(|distance| space.similarity(distance));
    let metadata: Json<Map<String, Value>> = row.try_get("metadata")?;
    Ok(Match {
        chunk_id: row.try_get("chunk_id")?,
        similarity,
        lexical: None,
        score: None,
        calibrated: false,
        text: row.try_get("text")?,
        tokens: Some(row.try_get::<i32, _>("tokens")?.unsigned_abs()),
        position: row.try_get::<i32, _>("position")?.unsigned_abs(),
        heading_path: row.try_get("heading_path")?,
        place: place(row)?,
        kind: ChunkKind::named(row.try_get("kind")?).unwrap_or_default(),
        metadata: metadata.0,
        document_id: row.try_get("document_id")?,
        file_id: row.try_get("file_id")?,
        filename: row.try_get("filename")?,
        content_type: row.try_get("content_type")?,
        ingested_at: row.try_get("updated_at")?,
    })
}
