//! Measures how much an index finds: neighbours of stored vectors by comparing all rows, then by the index, in one snapshot. The
//! session steers the planner to the index that is measured; nobody else's searches are touched.

use std::time::{Duration, Instant};

use ragline_config::{
    index::{IndexKind, QueryParameters},
    recall::{Rung, choose, falls_short, ladder},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};

use super::{
    IndexError,
    definition::{Wording, quoted, table},
    state::Found,
};
use crate::backends::pgvector::space::Space;

/// Vectors whose neighbours are sought.
const SAMPLE: u32 = 100;
/// Rows among which they are drawn, on pages all over the relation.
const DRAWN_FROM: u64 = 2_000;
/// Neighbours of each.
const NEIGHBOURS: i64 = 10;
/// Windows that a search for ten chunks asks for.
const WINDOWS: u32 = 60;
/// Comparing all rows may take this long; fewer vectors must do where it takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An index that is there and valid.
pub(super) struct Subject<'a> {
    pub(super) relation: i32,
    pub(super) kind: IndexKind,
    pub(super) name: &'a str,
    pub(super) space: &'a Space,
    pub(super) rows: u64,
}

/// A stored vector and how far its neighbours are.
struct Sample {
    chunk_id: i64,
    window_number: i16,
    vector: pgvector::Vector,
    neighbours: i64,
    farthest: f64,
}

/// Finds the cheapest parameters that reach the target. `current` is kept where it does, within the noise. Where nothing could be
/// measured, `otherwise` is taken.
pub(super) async fn calibrate(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    target: f32,
    current: Option<QueryParameters>,
    otherwise: QueryParameters,
) -> Result<Found, IndexError> {
    let error = |source| IndexError::Sql { act: "measuring the index", source };
    let begun = Instant::now();
    let mut tx = connection.begin().await.map_err(error)?;
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *tx).await.map_err(error)?;
    let measured = climb(&mut tx, subject, target, current).await.map_err(error)?;
    tx.commit().await.map_err(error)?;
    let Some(chosen) = choose(&measured, target) else {
        tracing::warn!(index = subject.name, "the index could not be measured; it is searched with parameters that usually do");
        return Ok(Found { query: otherwise, recall: None, target, warning: None });
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(index = subject.name, recall = chosen.recall, took_ms, "measured the index: {:?}", chosen.parameters);
    let warning = falls_short(chosen.recall, target).then(|| short(chosen, target));
    Ok(Found { query: chosen.parameters, recall: Some(chosen.recall), target, warning })
}

fn short(chosen: Rung, target: f32) -> String {
    format!(
        "searches by the index find {:.1} % of the true neighbours, the best that it gives; index.recallTarget asks for {:.1} %",
        chosen.recall * 100.0,
        target * 100.0
    )
}

/// Measures one parameter after the other, until one reaches the target.
async fn climb(
    tx: &mut Transaction<'_, Postgres>,
    subject: &Subject<'_>,
    target: f32,
    current: Option<QueryParameters>,
) -> Result<Vec<Rung>, sqlx::Error> {
    let samples = samples(tx, subject).await?;
    let mut measured = Vec::new();
    if samples.is_empty() || !steer(tx, subject, &samples).await? {
        return Ok(measured);
    }
    if let Some(parameters) = current {
        let recall = recall(tx, subject, parameters, &samples).await?;
        measured.push(Rung { parameters, recall });
        if !falls_short(recall, target) {
            return Ok(measured);
        }
        measured.clear();
    }
    for parameters in ladder(&subject.kind) {
        let recall = recall(tx, subject, parameters, &samples).await?;
        tracing::debug!(index = subject.name, recall, "{parameters:?}");
        measured.push(Rung { parameters, recall });
        if recall >= target {
            break;
        }
    }
    Ok(measured)
}

/// Draws vectors and finds the neighbours of each among all rows.
async fn samples(tx: &mut Transaction<'_, Postgres>, subject: &Subject<'_>) -> Result<Vec<Sample>, sqlx::Error> {
    let Subject { relation, kind: _, name: _, space, rows } = subject;
    let (child, id) = (quoted(&table(*relation)), space.id.0);
    let percent = (100.0 * DRAWN_FROM as f64 / (*rows).max(1) as f64).min(100.0);
    let draw = format!(
        "SELECT chunk_id, window_number, embedding::vector AS vector FROM {child} TABLESAMPLE SYSTEM ({percent}) \
         WHERE space_id = {id} ORDER BY random() LIMIT {SAMPLE}"
    );
    let exact = format!(
        "SELECT count(*), max(distance) FROM ( \
           SELECT (embedding {operator} $1::vector::{element}) + 0 AS distance FROM {child} \
           WHERE space_id = {id} AND (chunk_id, window_number) <> ($2, $3) ORDER BY 1 LIMIT {NEIGHBOURS}) nearest",
        operator = space.operator(),
        element = space.type_name()
    );
    let drawn = sqlx::query(AssertSqlSafe(draw)).fetch_all(&mut **tx).await?;
    let (begun, mut samples) = (Instant::now(), Vec::new());
    for row in &drawn {
        let (chunk_id, window_number, vector) =
            (row.try_get("chunk_id")?, row.try_get("window_number")?, row.try_get::<pgvector::Vector, _>("vector")?);
        let (neighbours, farthest): (i64, Option<f64>) = sqlx::query_as(AssertSqlSafe(exact.clone()))
            .bind(&vector)
            .bind(chunk_id)
            .bind(window_number)
            .fetch_one(&mut **tx)
            .await?;
        if let Some(farthest) = farthest {
            samples.push(Sample { chunk_id, window_number, vector, neighbours, farthest });
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(samples)
}

/// Rows that a search for ten chunks takes from an index.
fn windows(space: &Space) -> u32 {
    WINDOWS * space.candidates_per_row()
}

/// As a search by the index, in the words of this one index. Counts what is no farther than the farthest true neighbour, so that of
/// equals any may be found.
fn statement(subject: &Subject<'_>) -> String {
    let Subject { relation, kind: _, name, space, rows: _ } = subject;
    format!(
        "SELECT count(*) FROM (SELECT distance FROM ( \
           SELECT embedding {operator} $1::vector::{element} AS distance FROM {child} \
           WHERE {words} AND (chunk_id, window_number) <> ($2, $3) \
           ORDER BY {indexed} {indexed_operator} {question} LIMIT {windows}) near \
         ORDER BY 1 LIMIT {NEIGHBOURS}) best WHERE distance <= $4",
        operator = space.operator(),
        element = space.type_name(),
        child = quoted(&table(*relation)),
        words = Wording::of(name).condition(space),
        indexed = space.indexed_expression(),
        indexed_operator = space.indexed_operator(),
        question = space.indexed(&format!("$1::vector::{}", space.type_name())),
        windows = windows(space)
    )
}

/// Leaves the planner nothing but an index, and asks whether it takes this one.
async fn steer(tx: &mut Transaction<'_, Postgres>, subject: &Subject<'_>, samples: &[Sample]) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql(
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; \
         SET LOCAL ivfflat.iterative_scan = relaxed_order; SET LOCAL hnsw.iterative_scan = relaxed_order",
    )
    .execute(&mut **tx)
    .await?;
    let Some(sample) = samples.first() else { return Ok(false) };
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {}", statement(subject))))
        .bind(&sample.vector)
        .bind(sample.chunk_id)
        .bind(sample.window_number)
        .bind(sample.farthest)
        .fetch_one(&mut **tx)
        .await?;
    Ok(plan.to_string().contains(&format!("\"Index Name\":\"{}\"", subject.name)))
}

/// The share of the true neighbours that the index finds.
async fn recall(
    tx: &mut Transaction<'_, Postgres>,
    subject: &Subject<'_>,
    parameters: QueryParameters,
    samples: &[Sample],
) -> Result<f32, sqlx::Error> {
    let (name, number) = match parameters {
        QueryParameters::Exact => return Ok(1.0),
        QueryParameters::IvfFlat { probes } => ("ivfflat.probes", probes),
        // A search raises it to the windows that it takes.
        QueryParameters::Hnsw { ef_search } => ("hnsw.ef_search", ef_search.max(windows(subject.space)).min(1_000)),
    };
    sqlx::query("SELECT set_config($1, $2, true)").bind(name).bind(number.to_string()).execute(&mut **tx).await?;
    let sql = statement(subject);
    let (mut found, mut wanted) = (0, 0);
    for sample in samples {
        let counted: i64 = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .bind(&sample.vector)
            .bind(sample.chunk_id)
            .bind(sample.window_number)
            .bind(sample.farthest)
            .fetch_one(&mut **tx)
            .await?;
        found += counted.min(sample.neighbours);
        wanted += sample.neighbours;
    }
    Ok(found as f32 / wanted.max(1) as f32)
}
