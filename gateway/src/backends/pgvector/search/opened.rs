//! How a search begins: what its snapshot says of the workspace.

use crate::{
    backends::pgvector::{failed, session::Tx},
    traits::search::{SearchPlan, StoreError, WorkspaceId},
};

/// Windows taken from an index for each chunk wanted, and on top: a chunk of 1,024 tokens has seven.
const WINDOWS_PER_CHUNK: u32 = 4;
const WINDOWS_MORE: u32 = 20;
/// The setting is made by the function, for this transaction.
const OPEN: &str = "SELECT relation_id, store_version, kind, nullif(current_setting('ragline.rows', true), '')::bigint \
                    FROM open_search($1, $2)";

/// What [`open`] says about a workspace.
pub(in crate::backends::pgvector) struct Opened {
    pub(in crate::backends::pgvector) relation: i32,
    pub(super) store_version: i64,
    pub(in crate::backends::pgvector) plan: SearchPlan,
    /// Rows that the index was last seen over; 0 without an index.
    pub(super) rows: u64,
}

/// Chooses the workspace and sets what the planner may do.
pub(in crate::backends::pgvector) async fn open(tx: &mut Tx, workspace: WorkspaceId, windows: u32) -> Result<Opened, StoreError> {
    let row: Option<(i32, i64, String, Option<i64>)> = sqlx::query_as(OPEN)
        .bind(workspace.0)
        .bind(i32::try_from(windows).unwrap_or(i32::MAX))
        .fetch_optional(&mut **tx)
        .await
        .map_err(|error| failed("opening a search", error))?;
    let (relation, store_version, kind, rows) = row.ok_or(StoreError::NotFound { what: "workspace" })?;
    let plan = match kind.as_str() {
        "ivfflat" => SearchPlan::IvfFlat,
        "hnsw" => SearchPlan::Hnsw,
        _ => SearchPlan::Exact,
    };
    Ok(Opened { relation, store_version, plan, rows: rows.unwrap_or_default().unsigned_abs() })
}

pub(in crate::backends::pgvector) fn windows(limit: u32) -> u32 {
    limit.saturating_mul(WINDOWS_PER_CHUNK).saturating_add(WINDOWS_MORE)
}
