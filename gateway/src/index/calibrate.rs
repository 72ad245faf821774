//! Measures how much an index finds: what is nearest to made-up questions by comparing all rows, then by the index, in one snapshot.
//! The session steers the planner to the index that is measured; nobody else's searches are touched.
//!
//! A question lies farther from the stored vectors than they from each other, and finds less by the same index: where 30 of 100
//! lists hold 99 % of the neighbours of stored vectors, they hold 92 % of those of real questions. The mean of a few stored vectors
//! lies as far out as a question does, and is measured in its place.

use std::time::{Duration, Instant};

use ragline_config::{
    index::{IndexKind, QueryParameters},
    recall::{Rung, choose, falls_short, ladder},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};

use super::{
    IndexError,
    definition::{Wording, quoted, table},
    state::Found,
};
use crate::backends::pgvector::space::Space;

/// Questions that are made up, of as many stored vectors.
const SAMPLE: u32 = 100;
/// Stored vectors in the mean that stands for a question.
const BLENDED: usize = 4;
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

/// What stands for a question, and how far its neighbours are.
struct Sample {
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
        "SELECT embedding::vector AS vector FROM {child} TABLESAMPLE SYSTEM ({percent}) \
         WHERE space_id = {id} ORDER BY random() LIMIT {SAMPLE}"
    );
    let exact = format!(
        "SELECT count(*), max(distance) FROM ( \
           SELECT (embedding {operator} $1::vector::{element}) + 0 AS distance FROM {child} \
           WHERE space_id = {id} ORDER BY 1 LIMIT {NEIGHBOURS}) nearest",
        operator = space.operator(),
        element = space.type_name()
    );
    let drawn: Vec<pgvector::Vector> = sqlx::query_scalar(AssertSqlSafe(draw)).fetch_all(&mut **tx).await?;
    let (begun, mut samples) = (Instant::now(), Vec::new());
    for vector in questions(&drawn) {
        let (neighbours, farthest): (i64, Option<f64>) =
            sqlx::query_as(AssertSqlSafe(exact.clone())).bind(&vector).fetch_one(&mut **tx).await?;
        if let Some(farthest) = farthest {
            samples.push(Sample { vector, neighbours, farthest });
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(samples)
}

/// The unit mean of each vector and of those drawn after it, in a ring. Where they cancel out, the vector itself.
fn questions(drawn: &[pgvector::Vector]) -> Vec<pgvector::Vector> {
    let question = |first: usize| {
        let mut sum = vec![0.0_f32; drawn[first].as_slice().len()];
        for at in 0..BLENDED.min(drawn.len()) {
            let other = drawn[(first + at) % drawn.len()].as_slice();
            sum.iter_mut().zip(other).for_each(|(sum, number)| *sum += number);
        }
        let norm = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
        if norm > f32::EPSILON {
            pgvector::Vector::from(sum.iter().map(|number| number / norm).collect::<Vec<_>>())
        } else {
            drawn[first].clone()
        }
    };
    (0..drawn.len()).map(question).collect()
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
           WHERE {words} \
           ORDER BY {indexed} {indexed_operator} {question} LIMIT {windows}) near \
         ORDER BY 1 LIMIT {NEIGHBOURS}) best WHERE distance <= $2",
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
            .bind(sample.farthest)
            .fetch_one(&mut **tx)
            .await?;
        found += counted.min(sample.neighbours);
        wanted += sample.neighbours;
    }
    Ok(found as f32 / wanted.max(1) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_the_unit_mean_of_several_vectors() {
        let drawn: Vec<_> = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]].map(|v| pgvector::Vector::from(v.to_vec())).into();
        for question in questions(&drawn) {
            let half = std::f32::consts::FRAC_1_SQRT_2;
            assert!(question.as_slice().iter().all(|number| (number - half).abs() < 1e-6), "{question:?}");
        }
        let opposite: Vec<_> = [[1.0, 0.0], [-1.0, 0.0]].map(|v| pgvector::Vector::from(v.to_vec())).into();
        assert_eq!(questions(&opposite), opposite);
        assert!(questions(&[]).is_empty());
    }
}
