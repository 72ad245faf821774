//! The index follows the data: drop relations of nobody → move workspaces that have outgrown the pool → for each relation: measure →
//! plan (ragline-config) → build beside the old index → calibrate → swap → drop the old one.
//! Runs with the owner role: as the index Job (`ragline-gateway index run`) or in the gateway's process. No question waits for it,
//! none fails by it. Knows SQL as [`crate::backends::pgvector`] does.

mod build;
mod calibrate;
mod definition;
mod leftovers;
mod memory;
mod moves;
mod relations;
mod state;
mod status;
mod table;

use std::time::Instant;

use ragline_config::{
    Index,
    index::{Action, IndexKind, Measured, Plan, QueryParameters, plan},
    recall::is_measure_due,
};
use serde::Serialize;
use sqlx::{Connection, PgConnection, PgPool};

use self::{
    calibrate::Subject,
    definition::Definition,
    state::{Found, Served, Serving},
};
pub use self::{
    moves::MoveReport,
    relations::drop_relation,
    status::{IndexStatus, RelationStatus, status},
};
use crate::{
    backends::pgvector::space::{self, Space},
    traits::search::StoreError,
};

/// The pool of the small workspaces: always searched exactly, by a B-tree on the workspace.
const POOL_RELATION: i32 = 0;

/// What a run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Another run holds the lock; this one did nothing.
    pub busy: bool,
    /// Workspaces that left the pool.
    pub moves: Vec<MoveReport>,
    pub relations: Vec<RelationReport>,
}

/// What a run did to one relation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelationReport {
    pub relation: i32,
    pub rows: u64,
    pub before: IndexKind,
    pub after: IndexKind,
    /// Whether an index was built, rebuilt, adopted from a run that was killed, or dropped.
    pub changed: bool,
    /// The share of the true neighbours that the index finds, as last measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<f32>,
    pub took_ms: u64,
}

/// Why the index is not what it should be. What served before serves on.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(transparent)]
    Store(StoreError),
    #[error("there is no embedding space; run `ragline-gateway migrate`")]
    NoSpace,
    #[error("{act} failed")]
    Sql {
        act: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "building {index} takes {needed_mb} MB of maintenance_work_mem, the server allows {allowed_mb}; raise maintenance_work_mem \
         or the memory of PostgreSQL"
    )]
    Memory { index: String, needed_mb: u64, allowed_mb: u64 },
    #[error("building {index} failed; what served before serves on")]
    Build {
        index: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("{index} was built but is not valid; what served before serves on")]
    Invalid { index: String },
}

/// Brings every relation's index in line with its rows. One run at a time over the whole schema; a run that was killed is taken up
/// by the next one.
///
/// # Errors
/// The first relation that failed, after the others were looked after; its state keeps the reason.
pub async fn run(owner: &PgPool, config: &Index) -> Result<RunReport, IndexError> {
    run_where(owner, config, |_| true).await
}

/// As [`run`], for one relation alone.
///
/// # Errors
/// As [`run`].
pub async fn run_of(owner: &PgPool, config: &Index, relation: i32) -> Result<RunReport, IndexError> {
    run_where(owner, config, |other| other == relation).await
}

async fn run_where(owner: &PgPool, config: &Index, wanted: impl Fn(i32) -> bool) -> Result<RunReport, IndexError> {
    let space = space::stored(owner).await.map_err(IndexError::Store)?.ok_or(IndexError::NoSpace)?;
    // A connection of our own: its end, however it comes, gives the lock back.
    let mut connection =
        owner.acquire().await.map_err(|source| IndexError::Sql { act: "connecting as the owner", source })?.detach();
    let mut report = RunReport { busy: !lock(&mut connection).await?, moves: Vec::new(), relations: Vec::new() };
    if report.busy {
        return Ok(report);
    }
    let mut failure = None;
    if let Err(error) = relations::drop_unused(&mut connection).await {
        failure.get_or_insert(error);
    }
    match moves::run(&mut connection, config).await {
        Ok(moves) => report.moves = moves,
        Err(error) => {
            failure.get_or_insert(error);
        }
    }
    for serving in state::all(&mut connection).await?.into_iter().filter(|serving| wanted(serving.relation)) {
        match follow(&mut connection, config, &space, serving).await {
            Ok(relation) => report.relations.push(relation),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    connection.close().await.ok();
    failure.map_or(Ok(report), Err)
}

/// Looks after one relation.
async fn follow(
    connection: &mut PgConnection,
    config: &Index,
    space: &Space,
    serving: Serving,
) -> Result<RelationReport, IndexError> {
    let begun = Instant::now();
    let relation = serving.relation;
    let rows = state::rows(connection, relation).await?;
    let recall = watch(connection, config, space, &serving, rows).await?;
    let measured = Measured { rows, current: serving.kind, rows_at_build: serving.rows_at_build, recall };
    let plan = plan_for(config, relation, &measured);
    let finished = leftovers::settle(connection, &serving, &plan).await?;
    let changed = plan.action != Action::Keep;
    let recall = if changed { change(connection, config, &serving, (plan, rows), space, finished).await? } else { recall };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if changed {
        tracing::info!(relation, rows, took_ms, "the vector index was changed from {:?} to {:?}", serving.kind, plan.kind);
    }
    Ok(RelationReport { relation, rows, before: serving.kind, after: plan.kind, changed, recall, took_ms })
}

/// Measures the index that serves, where that is due and it is to stay, and searches it with other parameters where it finds too
/// little. Gives the recall that it reaches.
async fn watch(
    connection: &mut PgConnection,
    config: &Index,
    space: &Space,
    serving: &Serving,
    rows: u64,
) -> Result<Option<f32>, IndexError> {
    let measured = Measured { rows, current: serving.kind, rows_at_build: serving.rows_at_build, recall: None };
    let stays = plan_for(config, serving.relation, &measured).action == Action::Keep;
    let due = is_measure_due(&config.tiers(), &serving.kind, rows, serving.measured.as_ref());
    let Some(name) = serving.index_name.as_deref().filter(|_| stays && due) else { return Ok(serving.recall) };
    let subject = Subject { relation: serving.relation, kind: serving.kind, name, space, rows };
    let found = calibrate::calibrate(connection, &subject, config.recall_target, Some(serving.query), serving.query).await?;
    state::retune(connection, serving, rows, &found).await?;
    Ok(found.recall)
}

/// Builds what the plan asks for, or takes up what is `finished` already, and puts it in the place of what serves. Gives its recall.
async fn change(
    connection: &mut PgConnection,
    config: &Index,
    serving: &Serving,
    (plan, rows): (Plan, u64),
    space: &Space,
    finished: Option<String>,
) -> Result<Option<f32>, IndexError> {
    let relation = serving.relation;
    let index_name = match (plan.kind, finished) {
        (IndexKind::Exact, _) => None,
        (_, Some(finished)) => Some(finished),
        (kind, None) => {
            let definition = Definition::new(relation, kind, space, serving.index_name.as_deref());
            if let Err(error) = build::build(connection, &definition, space, rows).await {
                build::give_up(connection, &definition, &error).await;
                return Err(error);
            }
            Some(definition.name)
        }
    };
    let target = config.recall_target;
    let found = match index_name.as_deref() {
        None => Found { query: plan.query, recall: None, target, warning: None },
        Some(name) => {
            let subject = Subject { relation, kind: plan.kind, name, space, rows };
            calibrate::calibrate(connection, &subject, target, None, plan.query).await?
        }
    };
    let recall = found.recall;
    state::swap(connection, relation, &Served { kind: plan.kind, index_name, rows, found }).await?;
    // The old index goes once the new state is committed.
    if let Some(old) = &serving.index_name {
        leftovers::drop_index(connection, old).await?;
        state::retired(connection, relation).await?;
    }
    Ok(recall)
}

/// The policy's plan, but for the pool, which never has an index: its workspaces would find each other's neighbours in it.
fn plan_for(config: &Index, relation: i32, measured: &Measured) -> Plan {
    if relation != POOL_RELATION {
        return plan(&config.tiers(), measured);
    }
    let action = if measured.current == IndexKind::Exact { Action::Keep } else { Action::Drop };
    Plan { kind: IndexKind::Exact, query: QueryParameters::Exact, action }
}

async fn lock(connection: &mut PgConnection) -> Result<bool, IndexError> {
    // A build whose client was killed must end with it, or its lock would keep every later run out.
    sqlx::raw_sql("SET client_connection_check_interval = '2s'; SET statement_timeout = 0; SET lock_timeout = 0")
        .execute(&mut *connection)
        .await
        .map_err(|source| IndexError::Sql { act: "preparing the owner's connection", source })?;
    sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext('ragline index'), hashtext(current_schema()))")
        .fetch_one(connection)
        .await
        .map_err(|source| IndexError::Sql { act: "taking the lock of the index run", source })
}
