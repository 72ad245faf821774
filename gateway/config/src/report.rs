//! What a gateway tells the operator about vectors and index: the body of `GET /internal/index`, which needs the first API key.
//! Where there are several relations, it speaks of the one whose index is due, else of the largest; `tiers` counts them all.

use serde::{Deserialize, Serialize};

use crate::index::IndexKind;

/// Path of the report.
pub const INDEX_REPORT_PATH: &str = "/internal/index";

/// The report.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
    /// Whether something is to be built, dropped, measured or moved.
    pub due: bool,
    /// The share of the true neighbours that its index was last seen to find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<f32>,
    /// What falls short of the configuration, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// All relations by what serves them.
    #[serde(default)]
    pub tiers: TierCounts,
    /// The largest relations, at most ten.
    #[serde(default)]
    pub largest: Vec<RelationReport>,
    /// The build under way, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildReport>,
}

/// Relations by what serves them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierCounts {
    pub exact: u32,
    pub ivf_flat: u32,
    pub hnsw: u32,
}

/// One of the largest relations.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelationReport {
    /// Whose vectors it holds; absent for the pool of the small workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    pub rows: u64,
    pub active: IndexKind,
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
