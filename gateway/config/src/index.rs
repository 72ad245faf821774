//! The index policy: which vector index a relation of a given size deserves. Pure: the same measures give the same plan, in the
//! operator, in the index Job and in the gateway.

use serde::{Deserialize, Serialize};

use crate::recall::{falls_short, moved_by_a_tenth};

/// Row counts at which the index changes. Rows are vectors, not documents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tiers {
    /// Fewer rows are searched exactly. 0 gives the smallest collection an index.
    pub exact_below: u64,
    /// Fewer rows get ivfflat with 100 lists.
    pub small_below: u64,
    /// Fewer rows get ivfflat with 1000 lists; more get HNSW.
    pub medium_below: u64,
    /// An index stays until the count has passed a limit by this share of it.
    pub hysteresis_percent: u32,
    /// The share of the true neighbours that a search by index is to find.
    pub recall_target: f32,
    /// The index of all relations with `exact_below` rows and more, in place of the tiers.
    pub manual: Option<IndexKind>,
}

impl Default for Tiers {
    fn default() -> Self {
        Self {
            exact_below: 10_000,
            small_below: 100_000,
            medium_below: 1_000_000,
            hysteresis_percent: 20,
            recall_target: 0.95,
            manual: None,
        }
    }
}

/// The kind of index and the parameters that it is built with.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum IndexKind {
    /// No index; every row is compared. Recall 1.
    Exact,
    IvfFlat {
        lists: u32,
    },
    #[serde(rename_all = "camelCase")]
    Hnsw {
        m: u32,
        ef_construction: u32,
    },
}

/// How a query uses the index; travels with the kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum QueryParameters {
    Exact,
    /// `ivfflat.probes`, with iterative scans in relaxed order.
    IvfFlat {
        probes: u32,
    },
    /// `hnsw.ef_search`, with iterative scans in relaxed order.
    #[serde(rename_all = "camelCase")]
    Hnsw {
        ef_search: u32,
    },
}

/// How far apart two vectors are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DistanceMetric {
    #[default]
    Cosine,
    L2,
    InnerProduct,
}

/// The type of the stored numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ElementType {
    /// Two bytes each; up to 4,000 dimensions can be indexed.
    #[default]
    Halfvec,
    /// Four bytes each; up to 2,000 dimensions can be indexed.
    Vector,
}

/// What of a vector is indexed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Quantization {
    /// The vector as it is stored.
    #[default]
    None,
    /// One bit a number. A search takes more than it needs by the bits, and compares those by the vectors.
    Binary,
}

/// What a relation has now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Rows of the relation.
    pub rows: u64,
    /// The valid index that serves, [`IndexKind::Exact`] where there is none.
    pub current: IndexKind,
    /// Rows when that index was built.
    pub rows_at_build: u64,
    /// The best recall that it reaches however it is used, where that was measured.
    pub recall: Option<f32>,
}

/// What is to be done, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    pub kind: IndexKind,
    pub query: QueryParameters,
    pub action: Action,
}

/// The act that the plan asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// The index that serves is the right one.
    Keep,
    /// Another tier: build beside the old one, swap, drop.
    Build,
    /// The same tier, but the rows have doubled since it was built, or it finds too little.
    Rebuild,
    /// Shrunk below the first tier: drop the index, search exactly.
    Drop,
}

/// HNSW's `m`.
pub const HNSW_M: u32 = 16;
/// HNSW's `ef_construction`.
pub const HNSW_EF_CONSTRUCTION: u32 = 64;
/// Rows that a workspace may have in the pool where `exact_below` is 0.
const POOL_FLOOR: u64 = 1_000;
/// Lists of the small tier.
pub const SMALL_LISTS: u32 = 100;
/// Lists of the medium tier.
pub const MEDIUM_LISTS: u32 = 1_000;

/// The tier for a row count alone, without regard to what is there.
pub fn tier(tiers: &Tiers, rows: u64) -> IndexKind {
    if rows == 0 || rows < tiers.exact_below {
        IndexKind::Exact
    } else if let Some(kind) = tiers.manual {
        kind
    } else if rows < tiers.small_below {
        IndexKind::IvfFlat { lists: SMALL_LISTS }
    } else if rows < tiers.medium_below {
        IndexKind::IvfFlat { lists: MEDIUM_LISTS }
    } else {
        IndexKind::Hnsw { m: HNSW_M, ef_construction: HNSW_EF_CONSTRUCTION }
    }
}

/// The plan for what was measured. Growing past a limit acts at once, since the old index is the wrong one from then on; shrinking
/// acts only below the limit by [`Tiers::hysteresis_percent`], so that a count at a limit does not build and drop for ever.
pub fn plan(tiers: &Tiers, measured: &Measured) -> Plan {
    let wanted = tier(tiers, measured.rows);
    let kind = if rank(&wanted) >= rank(&measured.current) { wanted } else { shrunk(tiers, measured) };
    let action = match (kind == measured.current, kind) {
        (true, IndexKind::Exact) => Action::Keep,
        (true, _) if measured.rows >= measured.rows_at_build.saturating_mul(2) || is_stale(tiers, measured) => Action::Rebuild,
        (true, _) => Action::Keep,
        (false, IndexKind::Exact) => Action::Drop,
        (false, _) => Action::Build,
    };
    Plan { kind, query: query_parameters(&kind), action }
}

/// Whether the index finds too little and another build may find more: on the same rows it would be the same index, so they must
/// have moved since by a tenth.
fn is_stale(tiers: &Tiers, measured: &Measured) -> bool {
    measured.recall.is_some_and(|recall| falls_short(recall, tiers.recall_target))
        && moved_by_a_tenth(measured.rows_at_build, measured.rows)
}

/// Rows beyond which a workspace gets a relation of its own; `None`: never. With exact search switched off a pool is kept all the
/// same, for the workspaces that are hardly begun.
pub fn own_relation_above(tiers: &Tiers) -> Option<u64> {
    match tiers.exact_below {
        0 => Some(POOL_FLOOR),
        u64::MAX => None,
        below => Some(below),
    }
}

/// The tier after a shrink: the one of the count raised by the hysteresis, never above what is there.
fn shrunk(tiers: &Tiers, measured: &Measured) -> IndexKind {
    let spare = 100_u64.saturating_sub(u64::from(tiers.hysteresis_percent)).max(1);
    let raised = tier(tiers, measured.rows.saturating_mul(100) / spare);
    if rank(&raised) >= rank(&measured.current) { measured.current } else { raised }
}

/// How a query uses an index of this kind, before any calibration.
pub fn query_parameters(kind: &IndexKind) -> QueryParameters {
    match *kind {
        IndexKind::Exact => QueryParameters::Exact,
        IndexKind::IvfFlat { lists } if lists <= SMALL_LISTS => QueryParameters::IvfFlat { probes: (lists / 10).max(1) },
        IndexKind::IvfFlat { lists } => QueryParameters::IvfFlat { probes: lists * 32 / 1_000 },
        IndexKind::Hnsw { .. } => QueryParameters::Hnsw { ef_search: 400 },
    }
}

/// The order of the tiers.
fn rank(kind: &IndexKind) -> u32 {
    match *kind {
        IndexKind::Exact => 0,
        IndexKind::IvfFlat { lists } if lists <= SMALL_LISTS => 1,
        IndexKind::IvfFlat { .. } => 2,
        IndexKind::Hnsw { .. } => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: IndexKind = IndexKind::IvfFlat { lists: 100 };
    const MEDIUM: IndexKind = IndexKind::IvfFlat { lists: 1_000 };
    const LARGE: IndexKind = IndexKind::Hnsw { m: 16, ef_construction: 64 };

    #[test]
    fn the_tier_follows_the_count() {
        let cases = [
            (0, IndexKind::Exact),
            (9_999, IndexKind::Exact),
            (10_000, SMALL),
            (99_999, SMALL),
            (100_000, MEDIUM),
            (999_999, MEDIUM),
            (1_000_000, LARGE),
            (u64::MAX, LARGE),
        ];
        for (rows, kind) in cases {
            assert_eq!(tier(&Tiers::default(), rows), kind, "{rows} rows");
        }
    }

    #[test]
    fn a_manual_index_takes_the_place_of_every_tier_but_the_exact_one() {
        let kinds = [IndexKind::IvfFlat { lists: 400 }, IndexKind::Hnsw { m: 24, ef_construction: 100 }];
        for manual in kinds {
            let tiers = Tiers { manual: Some(manual), ..Tiers::default() };
            let planned = |rows, current| plan(&tiers, &Measured { rows, current, rows_at_build: rows, recall: None });
            assert_eq!((tier(&tiers, 9_999), tier(&tiers, 10_000), tier(&tiers, 5_000_000)), (IndexKind::Exact, manual, manual));
            // Whatever is there gives way, a larger index and one with other parameters too.
            for current in [IndexKind::Exact, SMALL, MEDIUM, LARGE] {
                let plan = planned(50_000, current);
                assert_eq!((plan.kind, plan.action), (manual, Action::Build), "{current:?}");
            }
            assert_eq!(planned(50_000, manual).action, Action::Keep);
            assert_eq!(planned(7_000, manual).action, Action::Drop);
        }
    }

    #[test]
    fn nothing_is_built_on_no_rows_even_when_exact_is_switched_off() {
        let tiers = Tiers { exact_below: 0, ..Tiers::default() };
        assert_eq!(tier(&tiers, 0), IndexKind::Exact);
        assert_eq!(tier(&tiers, 1), SMALL);
    }

    #[test]
    fn the_act_follows_what_is_there() {
        let cases = [
            (5_000, IndexKind::Exact, 0, IndexKind::Exact, Action::Keep),
            (10_000, IndexKind::Exact, 0, SMALL, Action::Build),
            (19_999, SMALL, 10_000, SMALL, Action::Keep),
            (20_000, SMALL, 10_000, SMALL, Action::Rebuild),
            (100_000, SMALL, 60_000, MEDIUM, Action::Build),
            (1_000_000, MEDIUM, 900_000, LARGE, Action::Build),
            // Shrinking: within a fifth below the limit nothing happens.
            (8_001, SMALL, 10_000, SMALL, Action::Keep),
            (7_999, SMALL, 10_000, IndexKind::Exact, Action::Drop),
            (80_001, MEDIUM, 100_000, MEDIUM, Action::Keep),
            (79_999, MEDIUM, 100_000, SMALL, Action::Build),
            (800_001, LARGE, 1_000_000, LARGE, Action::Keep),
            (790_000, LARGE, 1_000_000, MEDIUM, Action::Build),
            (3, LARGE, 1_000_000, IndexKind::Exact, Action::Drop),
        ];
        for (rows, current, rows_at_build, kind, action) in cases {
            let plan = plan(&Tiers::default(), &Measured { rows, current, rows_at_build, recall: None });
            assert_eq!((plan.kind, plan.action), (kind, action), "{rows} rows on {current:?}");
        }
    }
    #[test]
    fn an_index_that_finds_too_little_is_rebuilt_once_its_rows_have_moved() {
        let cases = [
            (20_000, 18_000, None, Action::Keep),
            (20_000, 18_000, Some(0.95), Action::Keep),
            // Within the noise of a sample.
            (20_000, 18_000, Some(0.935), Action::Keep),
            (20_000, 18_000, Some(0.92), Action::Rebuild),
            (16_000, 18_000, Some(0.92), Action::Rebuild),
            // Built on these very rows: another build would be the same.
            (20_000, 20_000, Some(0.5), Action::Keep),
            (20_000, 19_000, Some(0.5), Action::Keep),
        ];
        for (rows, rows_at_build, recall, action) in cases {
            let measured = Measured { rows, current: SMALL, rows_at_build, recall };
            assert_eq!(plan(&Tiers::default(), &measured).action, action, "{measured:?}");
        }
    }

    #[test]
    fn a_workspace_leaves_the_pool_where_it_would_get_an_index() {
        let above = |exact_below| own_relation_above(&Tiers { exact_below, ..Tiers::default() });
        assert_eq!((above(10_000), above(300), above(0), above(u64::MAX)), (Some(10_000), Some(300), Some(1_000), None));
    }
}
