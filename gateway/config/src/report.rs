//! What a gateway tells the operator about vectors and index: the body of `GET /internal/index`, which needs the first API key.
//! It names no relation; where there are several, it speaks of the one whose index is due, else of the largest.

use serde::{Deserialize, Serialize};

use crate::index::IndexKind;

/// Path of the report.
pub const INDEX_REPORT_PATH: &str = "/internal/index";

/// The report.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexReport {
    /// Vectors in all.
    pub vectors: u64,
    /// Vectors of the relation that the rest speaks of.
    pub rows: u64,
    /// Its valid index.
    pub active: IndexKind,
    /// Its rows when that was built.
    pub rows_at_build: u64,
    /// What the policy wants for it.
    pub desired: IndexKind,
    /// Whether something is to be built or dropped.
    pub due: bool,
    /// The build under way, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildReport>,
}

/// A build of an index.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildReport {
    pub running: bool,
    /// Of `pg_stat_progress_create_index`.
    pub blocks_done: u64,
    pub blocks_total: u64,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
