//! How the vector index follows the data.

use serde::{Deserialize, Serialize};

use crate::index::{DistanceMetric, ElementType, IndexKind, Quantization, Tiers};

/// How the vector index follows the data. The counts are explained at [`Tiers`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Index {
    pub mode: IndexMode,
    pub exact_below: u64,
    pub small_below: u64,
    pub medium_below: u64,
    pub hysteresis_percent: u32,
    pub recall_target: f32,
    /// What is built in mode `manual`; one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ivf_flat: Option<IvfFlatParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hnsw: Option<HnswParameters>,
    pub distance_metric: DistanceMetric,
    pub element_type: ElementType,
    pub quantization: Quantization,
    /// The gateway builds the index itself. Off where an operator starts a Job for it.
    pub build_in_process: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum IndexMode {
    #[default]
    Auto,
    /// Always the same index.
    Manual,
    /// Always exact.
    None,
}

/// How an ivfflat index is built.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IvfFlatParameters {
    pub lists: u32,
}

/// How an HNSW index is built.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HnswParameters {
    pub m: u32,
    pub ef_construction: u32,
}

impl Index {
    /// The row counts, as the policy takes them.
    pub fn tiers(&self) -> Tiers {
        let limits = Tiers {
            exact_below: self.exact_below,
            small_below: self.small_below,
            medium_below: self.medium_below,
            hysteresis_percent: self.hysteresis_percent,
            recall_target: self.recall_target,
            manual: None,
        };
        match self.mode {
            IndexMode::Auto => limits,
            IndexMode::Manual => Tiers { manual: self.manual(), ..limits },
            IndexMode::None => {
                Tiers { exact_below: u64::MAX, small_below: u64::MAX, medium_below: u64::MAX, hysteresis_percent: 0, ..limits }
            }
        }
    }

    /// The index of mode `manual`.
    fn manual(&self) -> Option<IndexKind> {
        let hnsw = self.hnsw.map(|HnswParameters { m, ef_construction }| IndexKind::Hnsw { m, ef_construction });
        hnsw.or_else(|| self.ivf_flat.map(|IvfFlatParameters { lists }| IndexKind::IvfFlat { lists }))
    }
}

impl Default for Index {
    fn default() -> Self {
        let Tiers { exact_below, small_below, medium_below, hysteresis_percent, recall_target, manual: _ } = Tiers::default();
        Self {
            mode: IndexMode::default(),
            exact_below,
            small_below,
            medium_below,
            hysteresis_percent,
            recall_target,
            ivf_flat: None,
            hnsw: None,
            distance_metric: DistanceMetric::default(),
            element_type: ElementType::default(),
            quantization: Quantization::default(),
            build_in_process: false,
        }
    }
}
