//! How the indexes stand, as the application role may know it: the body of `/internal/index` and of `ragline-gateway index status`.

use chrono::{DateTime, SecondsFormat, Utc};
use ragline_config::{
    BuildReport, Index, IndexReport,
    index::{Action, IndexKind, Measured},
};
use serde::Serialize;
use sqlx::{PgPool, Row, postgres::PgRow};

use super::{plan_for, state::kind};
use crate::{backends::pgvector::failed, traits::search::StoreError};

/// Relations that are told of.
const RELATIONS_SHOWN: i64 = 100;

const FIGURES: &str = "SELECT s.relation_id, s.kind, s.lists, s.m, s.ef_construction, s.rows_at_build, s.recall, s.built_at, \
      s.building_index, s.building_since, s.last_error, f.row_count, f.index_valid, f.index_size_bytes, f.build_done, f.build_total \
    FROM index_state s JOIN relation_figures() f USING (relation_id) ORDER BY f.row_count DESC, s.relation_id LIMIT $1";

/// The report for the operator, and every relation for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexStatus {
    #[serde(flatten)]
    pub report: IndexReport,
    /// Largest first, at most 100.
    pub relations: Vec<RelationStatus>,
}

/// One relation and its index.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelationStatus {
    pub relation: i32,
    pub rows: u64,
    pub active: IndexKind,
    pub desired: IndexKind,
    /// Whether something is to be built or dropped.
    pub due: bool,
    pub rows_at_build: u64,
    /// Whether the index that serves is there and valid; true where none is needed.
    pub valid: bool,
    pub size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildReport>,
}

/// Reads how the indexes stand, with the application role.
///
/// # Errors
/// A database that does not answer.
pub async fn status(application: &PgPool, config: &Index) -> Result<IndexStatus, StoreError> {
    let error = |error| failed("reading the state of the indexes", error);
    let rows = sqlx::query(FIGURES).bind(RELATIONS_SHOWN).fetch_all(application).await.map_err(error)?;
    let relations: Vec<_> = rows.iter().map(|row| relation(row, config)).collect::<Result<_, _>>().map_err(error)?;
    Ok(IndexStatus { report: report(&relations), relations })
}

/// Speaks of the relation whose index is due, else of the largest.
fn report(relations: &[RelationStatus]) -> IndexReport {
    let vectors = relations.iter().map(|relation| relation.rows).sum();
    let exact = IndexKind::Exact;
    match relations.iter().find(|relation| relation.due).or_else(|| relations.first()) {
        Some(chosen) => IndexReport {
            vectors,
            rows: chosen.rows,
            active: chosen.active,
            rows_at_build: chosen.rows_at_build,
            desired: chosen.desired,
            due: chosen.due,
            build: chosen.build.clone(),
        },
        None => IndexReport { vectors, rows: 0, active: exact, rows_at_build: 0, desired: exact, due: false, build: None },
    }
}

fn relation(row: &PgRow, config: &Index) -> Result<RelationStatus, sqlx::Error> {
    let relation: i32 = row.try_get("relation_id")?;
    let recorded = kind(row)?;
    let valid = recorded == IndexKind::Exact || row.try_get::<Option<bool>, _>("index_valid")?.unwrap_or(false);
    // An index that is gone serves nothing, whatever the record says; the next run mends it.
    let active = if valid { recorded } else { IndexKind::Exact };
    let (rows, rows_at_build) = (count(row, "row_count")?, count(row, "rows_at_build")?);
    let plan = plan_for(config, relation, &Measured { rows, current: active, rows_at_build });
    Ok(RelationStatus {
        relation,
        rows,
        active,
        desired: plan.kind,
        due: plan.action != Action::Keep,
        rows_at_build,
        valid,
        size_bytes: count(row, "index_size_bytes")?,
        recall: row.try_get("recall")?,
        built_at: row.try_get("built_at")?,
        build: build(row)?,
    })
}

fn build(row: &PgRow) -> Result<Option<BuildReport>, sqlx::Error> {
    let Some(since) = row.try_get::<Option<DateTime<Utc>>, _>("building_since")? else { return Ok(None) };
    Ok(Some(BuildReport {
        running: row.try_get::<Option<&str>, _>("building_index")?.is_some(),
        blocks_done: count(row, "build_done")?,
        blocks_total: count(row, "build_total")?,
        started_at: Some(since.to_rfc3339_opts(SecondsFormat::Secs, true)),
        error: row.try_get("last_error")?,
    }))
}

fn count(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column).map(|number| u64::try_from(number.unwrap_or(0)).unwrap_or(0))
}
