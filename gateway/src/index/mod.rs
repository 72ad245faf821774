//! The index follows the data: measure → plan (ragline-config) → build beside the old index → check → swap → drop the old one.
//! Runs with the owner role: as the index Job (`ragline-gateway index run`) or in the gateway's process. No question waits for it,
//! none fails by it. Knows SQL as [`crate::backends::pgvector`] does.

mod build;
mod definition;
mod leftovers;
mod memory;
mod state;
mod status;

use std::time::Instant;

use ragline_config::{
    Index,
    index::{Action, IndexKind, Measured, Plan, QueryParameters, plan},
};
use serde::Serialize;
use sqlx::{Connection, PgConnection, PgPool};

pub use self::status::{IndexStatus, RelationStatus, status};
use self::{definition::Definition, state::Serving};
use crate::{backends::pgvector::space, traits::search::StoreError};

/// The pool of the small workspaces: always searched exactly, by a B-tree on the workspace.
const POOL_RELATION: i32 = 0;

/// What a run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Another run holds the lock; this one did nothing.
    pub busy: bool,
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
    if !lock(&mut connection).await? {
        return Ok(RunReport { busy: true, relations: Vec::new() });
    }
    let mut report = RunReport { busy: false, relations: Vec::new() };
    let mut failure = None;
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
    space: &space::Space,
    serving: Serving,
) -> Result<RelationReport, IndexError> {
    let begun = Instant::now();
    let relation = serving.relation;
    let rows = state::rows(connection, relation).await?;
    let plan = plan_for(config, relation, &Measured { rows, current: serving.kind, rows_at_build: serving.rows_at_build });
    let adopted = leftovers::settle(connection, &serving, &plan, rows).await?;
    let changed = adopted || plan.action != Action::Keep;
    if changed && !adopted {
        change(connection, &serving, &plan, space, rows).await?;
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if changed {
        tracing::info!(relation, rows, took_ms, "the vector index was changed from {:?} to {:?}", serving.kind, plan.kind);
    }
    Ok(RelationReport { relation, rows, before: serving.kind, after: plan.kind, changed, took_ms })
}

async fn change(
    connection: &mut PgConnection,
    serving: &Serving,
    plan: &Plan,
    space: &space::Space,
    rows: u64,
) -> Result<(), IndexError> {
    let relation = serving.relation;
    if plan.kind == IndexKind::Exact {
        state::swap(connection, relation, None, plan, rows).await?;
    } else {
        let definition = Definition::new(relation, plan.kind, space);
        if let Err(error) = build::build(connection, &definition, space, rows).await {
            build::give_up(connection, &definition, &error).await;
            return Err(error);
        }
        state::swap(connection, relation, Some(&definition.name), plan, rows).await?;
    }
    // The old index goes once the new state is committed.
    match &serving.index_name {
        Some(old) => leftovers::drop_index(connection, old).await,
        None => Ok(()),
    }
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
