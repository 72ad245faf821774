//! How the vector index follows the data.

use serde::{Deserialize, Serialize};

use crate::index::{DistanceMetric, ElementType, Quantization, Tiers};

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
    /// Always exact.
    None,
}

impl Index {
    /// The row counts, as the policy takes them.
    pub fn tiers(&self) -> Tiers {
        match self.mode {
            IndexMode::Auto => Tiers {
                exact_below: self.exact_below,
                small_below: self.small_below,
                medium_below: self.medium_below,
                hysteresis_percent: self.hysteresis_percent,
                recall_target: self.recall_target,
            },
            IndexMode::None => Tiers {
                exact_below: u64::MAX,
                small_below: u64::MAX,
                medium_below: u64::MAX,
                hysteresis_percent: 0,
                recall_target: self.recall_target,
            },
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        let Tiers { exact_below, small_below, medium_below, hysteresis_percent, recall_target } = Tiers::default();
        Self {
            mode: IndexMode::default(),
            exact_below,
            small_below,
            medium_below,
            hysteresis_percent,
            recall_target,
            distance_metric: DistanceMetric::default(),
            element_type: ElementType::default(),
            quantization: Quantization::default(),
            build_in_process: false,
        }
    }
}
