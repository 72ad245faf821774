//! How the indexes stand, as the application role may know it: the body of `/internal/index` and of `ragline-gateway index status`.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use ragline_config::{
    BuildReport, Index, IndexReport, RelationReport, TierCounts,
    index::{Action, IndexKind, Measured, QueryParameters, own_relation_above, tier},
    recall::is_measure_due,
};
use serde::Serialize;
use sqlx::{PgPool, Row, postgres::PgRow};

use super::{
    POOL_RELATION, plan_for,
    state::{kind, measured, query},
};
use crate::{backends::pgvector::failed, traits::search::StoreError};

/// Relations that are looked at; there are never more.
const RELATIONS_READ: i64 = 1_000;
/// Relations that are told of.
const RELATIONS_SHOWN: usize = 100;
/// Of these, those that the operator is told of.
const LARGEST_SHOWN: usize = 10;

const FIGURES: &str = "SELECT s.relation_id, s.kind, s.lists, s.m, s.ef_construction, s.probes, s.ef_search, s.rows_at_build, s.recall, \
      s.recall_target, s.rows_at_measure, extract(epoch FROM now() - s.measured_at)::bigint AS measured_ago, s.warning, s.built_at, \
      s.building_index, s.building_since, s.last_error, s.move_phase, s.moving_since, s.moved_rows, s.moving_rows, \
      f.row_count, f.index_valid, f.index_size_bytes, f.build_done, f.build_total, n.workspace_name \
    FROM index_state s JOIN relation_figures() f USING (relation_id) LEFT JOIN relation_names() n USING (relation_id) \
    ORDER BY f.row_count DESC NULLS LAST, s.relation_id LIMIT $1";

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
    /// Whose vectors it holds; absent for the pool of the small workspaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    pub rows: u64,
    pub active: IndexKind,
    /// How searches use it.
    pub query: QueryParameters,
    pub desired: IndexKind,
    /// Whether something is to be built, dropped, measured or moved.
    pub due: bool,
    pub rows_at_build: u64,
    /// Whether the index that serves is there and valid; true where none is needed.
    pub valid: bool,
    pub size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<f32>,
    /// What falls short of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildReport>,
    /// A workspace that is moving here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// The move of a workspace out of the pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moving {
    /// It is served from here already; its old rows are being removed.
    pub switched: bool,
    pub rows_done: u64,
    /// Its rows when the move began.
    pub rows_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
}

/// Reads how the indexes stand, with the application role.
///
/// # Errors
/// A database that does not answer.
pub async fn status(application: &PgPool, config: &Index) -> Result<IndexStatus, StoreError> {
    let error = |error| failed("reading the state of the indexes", error);
    let rows = sqlx::query(FIGURES).bind(RELATIONS_READ).fetch_all(application).await.map_err(error)?;
    let mut relations: Vec<_> = rows.iter().map(|row| relation(row, config)).collect::<Result<_, _>>().map_err(error)?;
    let largest: HashMap<i32, i64> = sqlx::query_as("SELECT workspace_id, row_count FROM pool_figures(1)")
        .fetch_all(application)
        .await
        .map_err(error)?
        .into_iter()
        .collect();
    let largest = largest.into_values().max().unwrap_or(0).unsigned_abs();
    if let (Some(above), Some(pool)) =
        (own_relation_above(&config.tiers()), relations.iter_mut().find(|relation| relation.relation == POOL_RELATION))
        && largest > above
    {
        // What the workspace gets once it has left.
        (pool.due, pool.desired) = (true, tier(&config.tiers(), largest));
    }
    let report = report(&relations);
    relations.truncate(RELATIONS_SHOWN);
    Ok(IndexStatus { report, relations })
}

/// Speaks of the relation whose index is due, else of the largest.
fn report(relations: &[RelationStatus]) -> IndexReport {
    let mut tiers = TierCounts::default();
    for relation in relations {
        match relation.active {
            IndexKind::Exact => tiers.exact += 1,
            IndexKind::IvfFlat { .. } => tiers.ivf_flat += 1,
            IndexKind::Hnsw { .. } => tiers.hnsw += 1,
        }
    }
    let largest = relations.iter().take(LARGEST_SHOWN).map(|relation| RelationReport {
        workspace: relation.workspace.clone(),
        rows: relation.rows,
        active: relation.active,
    });
    let chosen = relations.iter().find(|relation| relation.due).or_else(|| relations.first());
    IndexReport {
        vectors: relations.iter().map(|relation| relation.rows).sum(),
        rows: chosen.map_or(0, |chosen| chosen.rows),
        active: chosen.map_or(IndexKind::Exact, |chosen| chosen.active),
        rows_at_build: chosen.map_or(0, |chosen| chosen.rows_at_build),
        desired: chosen.map_or(IndexKind::Exact, |chosen| chosen.desired),
        due: chosen.is_some_and(|chosen| chosen.due),
        recall: chosen.and_then(|chosen| chosen.recall),
        // Of whichever relation has one: it is to be mended by the configuration that they share.
        warning: relations.iter().find_map(|relation| relation.warning.clone()),
        tiers,
        largest: largest.collect(),
        build: chosen.and_then(|chosen| chosen.build.clone()),
    }
}

fn relation(row: &PgRow, config: &Index) -> Result<RelationStatus, sqlx::Error> {
    let relation: i32 = row.try_get("relation_id")?;
    let recorded = kind(row)?;
    let valid = recorded == IndexKind::Exact || row.try_get::<Option<bool>, _>("index_valid")?.unwrap_or(false);
    // An index that is gone serves nothing, whatever the record says; the next run mends it.
    let active = if valid { recorded } else { IndexKind::Exact };
    let (rows, rows_at_build, recall) = (count(row, "row_count")?, count(row, "rows_at_build")?, row.try_get("recall")?);
    let plan = plan_for(config, relation, &Measured { rows, current: active, rows_at_build, recall });
    let moving = moving(row)?;
    let due = plan.action != Action::Keep
        || moving.is_some()
        || is_measure_due(&config.tiers(), &active, rows, measured(row)?.as_ref());
    Ok(RelationStatus {
        relation,
        workspace: row.try_get("workspace_name")?,
        rows,
        active,
        query: query(row)?,
        desired: plan.kind,
        due,
        rows_at_build,
        valid,
        size_bytes: count(row, "index_size_bytes")?,
        recall,
        warning: row.try_get("warning")?,
        built_at: row.try_get("built_at")?,
        build: build(row)?,
        moving,
    })
}

fn moving(row: &PgRow) -> Result<Option<Moving>, sqlx::Error> {
    let Some(phase) = row.try_get::<Option<&str>, _>("move_phase")? else { return Ok(None) };
    Ok(Some(Moving {
        switched: phase == "clearing",
        rows_done: count(row, "moved_rows")?,
        rows_total: count(row, "moving_rows")?,
        since: row.try_get("moving_since")?,
    }))
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
