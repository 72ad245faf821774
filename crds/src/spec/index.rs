//! How the vector index follows the number of vectors.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the vector index follows the number of vectors. The four counts are the borders between the kinds of index and must
/// not decrease: exact, then ivfflat with 100 lists, then ivfflat with 1000 lists, then HNSW.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "(has(self.exactBelow) ? self.exactBelow : 10000) <= (has(self.smallBelow) ? self.smallBelow : 100000) \
         && (has(self.smallBelow) ? self.smallBelow : 100000) <= (has(self.mediumBelow) ? self.mediumBelow : 1000000)"
    )
    .message("exactBelow, smallBelow and mediumBelow must not decrease (left out, they are 10000, 100000 and 1000000)"),
    validation = Rule::new(
        "has(self.mode) && self.mode == 'Manual' ? has(self.ivfFlat) != has(self.hnsw) : !has(self.ivfFlat) && !has(self.hnsw)"
    )
    .message("mode Manual takes ivfFlat or hnsw, one of them; the other modes take neither"))]
pub struct Index {
    /// `Auto` builds the index that the number of vectors deserves. `Manual` builds the one that `ivfFlat` or `hnsw` names, from
    /// `exactBelow` vectors on. `None` never builds one: every search compares all vectors, which finds the true neighbours and is
    /// slow from some ten thousand on. Default: `Auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<IndexMode>,
    /// Fewer vectors are searched without an index, exactly. 0 gives even the smallest collection an index, at the cost of
    /// recall. Default: `10000`.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_below: Option<u64>,
    /// Fewer vectors get an ivfflat index with 100 lists. Default: `100000`.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_below: Option<u64>,
    /// Fewer vectors get an ivfflat index with 1000 lists, more get HNSW. Default: `1000000`.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_below: Option<u64>,
    /// By how much, in percent, the count must fall below a border before the smaller index replaces the larger one, 0 to 90.
    /// It keeps a count near a border from building and dropping for ever. Default: `20`.
    #[schemars(range(min = 0, max = 90))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hysteresis_percent: Option<u32>,
    /// The share of the true neighbours that a search by an index is to find, 0.5 to 1. Every index is measured before it serves and
    /// as its vectors change; searches look at more of it, and are slower, the higher this is. Where an index cannot reach it, the
    /// best that it gives is used and the condition `ConfigurationWarning` says so. Default: `0.95`.
    #[schemars(range(min = 0.5, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_target: Option<f64>,
    /// When the Jobs that build indexes may begin; one that has begun is not cut off. Searches go on meanwhile, and are somewhat slower.
    /// Left out, at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<MaintenanceWindow>,
    /// The ivfflat index of mode `Manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ivf_flat: Option<IvfFlat>,
    /// The HNSW index of mode `Manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hnsw: Option<Hnsw>,
    /// How near two vectors are: `Cosine`, `L2` or `InnerProduct`. Vectors are stored with length 1, so all three give the same
    /// order, and scores are cosines whichever it is. Cannot be changed later. Default: `Cosine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_metric: Option<DistanceMetric>,
    /// How a number of a vector is stored: `Halfvec` takes two bytes and indexes up to 4000 dimensions, `Vector` takes four and
    /// indexes up to 2000. Cannot be changed later. Default: `Halfvec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element_type: Option<ElementType>,
    /// What of a vector is indexed. `None` indexes it as it is stored. `Binary` indexes one bit a number: the index is a fraction
    /// of the size, and a search takes more candidates and compares them by their vectors. For vectors of 1000 dimensions and
    /// more. Cannot be changed later. Default: `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
}

/// A part of each day.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// When it begins, in UTC, as in `22:00`.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub start: String,
    /// When it ends, in UTC, as in `04:30`; before `start` it is of the next day.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub end: String,
}

/// How an ivfflat index is built. How many lists a search looks at is measured, by `recallTarget`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IvfFlat {
    /// Lists, 1 to 32768; pgvector advises rows / 1000 up to a million, and their square root beyond.
    #[schemars(range(min = 1, max = 32_768))]
    pub lists: u32,
}

/// How an HNSW index is built. How many candidates a search keeps is measured, by `recallTarget`.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.efConstruction) ? self.efConstruction : 64) >= 2 * (has(self.m) ? self.m : 16)")
    .message("efConstruction (left out, it is 64) must be at least twice m (left out, it is 16)"))]
pub struct Hnsw {
    /// Connections of each node, 2 to 100. Default: `16`.
    #[schemars(range(min = 2, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<u32>,
    /// Candidates kept while building, 4 to 1000. Default: `64`.
    #[schemars(range(min = 4, max = 1_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef_construction: Option<u32>,
}

/// How near two vectors are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DistanceMetric {
    #[default]
    Cosine,
    L2,
    InnerProduct,
}

/// How a number of a vector is stored.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ElementType {
    #[default]
    Halfvec,
    Vector,
}

/// What of a vector is indexed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Quantization {
    #[default]
    None,
    Binary,
}

/// Whether an index is built.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum IndexMode {
    #[default]
    Auto,
    Manual,
    None,
}
