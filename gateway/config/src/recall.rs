//! How well an index finds: which parameter it is searched with, and when that is to be measured again. Pure; the measures are
//! taken by the index run.

use crate::index::{IndexKind, QueryParameters, SMALL_LISTS, Tiers};

/// A sample of some hundred neighbours is this far off now and then; less than that is not acted upon.
const NOISE: f32 = 0.02;
/// An index is not measured again sooner than this, unless its rows have moved by a tenth.
const SOONEST_SECONDS: u64 = 3_600;
/// The same number of rows may be other rows: an index is measured once a day.
const LATEST_SECONDS: u64 = 86_400;

/// The unit of the shares of lists.
const PER_MILLE: u32 = 1_000;

/// One measurement: the parameter, and the share of the true neighbours that were found with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    pub parameters: QueryParameters,
    pub recall: f32,
}

/// When and on what the index that serves was last measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastMeasure {
    pub age_seconds: u64,
    pub rows: u64,
    /// The target that it was measured for.
    pub target: f32,
}

/// The parameters that are tried, cheapest first. None looks at more than half of the lists; a search that wants more is better off
/// without an index.
pub fn ladder(kind: &IndexKind) -> Vec<QueryParameters> {
    let (lists, shares): (u32, &[u32]) = match *kind {
        IndexKind::Exact => return Vec::new(),
        IndexKind::Hnsw { .. } => {
            let steps = [100, 150, 200, 300, 400, 600, 800, 1_000];
            return steps.map(|ef_search| QueryParameters::Hnsw { ef_search }).to_vec();
        }
        IndexKind::IvfFlat { lists } if lists <= SMALL_LISTS => (lists, &[100, 120, 160, 200, 250, 300, 400, 500]),
        IndexKind::IvfFlat { lists } => (lists, &[32, 48, 64, 96, 128, 192, 250, 350, 500]),
    };
    let mut probes: Vec<u32> = shares.iter().map(|share| (lists * share / PER_MILLE).max(1)).collect();
    probes.dedup();
    probes.into_iter().map(|probes| QueryParameters::IvfFlat { probes }).collect()
}

/// The first rung that reaches the target; where none does, the one that finds most, the cheapest of equals. `None` of none.
pub fn choose(measured: &[Rung], target: f32) -> Option<Rung> {
    let reaches = measured.iter().find(|rung| rung.recall >= target);
    let best = || measured.iter().reduce(|best, rung| if rung.recall > best.recall { rung } else { best });
    reaches.or_else(best).copied()
}

/// Whether a measured recall is under the target by more than the noise of a sample.
pub fn falls_short(recall: f32, target: f32) -> bool {
    recall < target - NOISE
}

/// Whether a count has moved by a tenth of what it was.
pub fn moved_by_a_tenth(before: u64, now: u64) -> bool {
    before.abs_diff(now).saturating_mul(10) >= before.max(1)
}

/// Whether the index that serves is to be measured. An index that was never measured is; one that lies is found by its rows, at
/// the latest by the day.
pub fn is_measure_due(tiers: &Tiers, current: &IndexKind, rows: u64, last: Option<&LastMeasure>) -> bool {
    if *current == IndexKind::Exact {
        return false;
    }
    last.is_none_or(|last| {
        let moved_a_little = last.rows.abs_diff(rows).saturating_mul(100) >= last.rows.max(1);
        last.target.to_bits() != tiers.recall_target.to_bits()
            || moved_by_a_tenth(last.rows, rows)
            || (moved_a_little && last.age_seconds >= SOONEST_SECONDS)
            || last.age_seconds >= LATEST_SECONDS
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{HNSW_EF_CONSTRUCTION, HNSW_M, MEDIUM_LISTS};

    fn rungs(recalls: &[f32]) -> Vec<Rung> {
        (1..).zip(recalls).map(|(probes, &recall)| Rung { parameters: QueryParameters::IvfFlat { probes }, recall }).collect()
    }

    #[test]
    fn the_cheapest_parameter_that_reaches_the_target_is_chosen() {
        let cases: [(&[f32], f32, Option<u32>); 7] = [
            (&[0.7, 0.9, 0.96, 0.99], 0.95, Some(3)),
            (&[0.99], 0.95, Some(1)),
            (&[0.95], 0.95, Some(1)),
            // The top of the ladder misses: the best of what there is, and of equals the cheaper.
            (&[0.5, 0.6, 0.61], 0.95, Some(3)),
            (&[0.5, 0.6, 0.6], 0.95, Some(2)),
            (&[0.5, 0.6, 0.55], 0.95, Some(2)),
            (&[], 0.95, None),
        ];
        for (recalls, target, probes) in cases {
            let chosen = choose(&rungs(recalls), target).map(|rung| rung.parameters);
            assert_eq!(chosen, probes.map(|probes| QueryParameters::IvfFlat { probes }), "{recalls:?}");
        }
    }

    #[test]
    fn a_ladder_rises_and_ends() {
        let number = |parameters: &QueryParameters| match *parameters {
            QueryParameters::Exact => 0,
            QueryParameters::IvfFlat { probes } => probes,
            QueryParameters::Hnsw { ef_search } => ef_search,
        };
        let hnsw = IndexKind::Hnsw { m: HNSW_M, ef_construction: HNSW_EF_CONSTRUCTION };
        let ends = [
            (IndexKind::IvfFlat { lists: SMALL_LISTS }, SMALL_LISTS / 2),
            (IndexKind::IvfFlat { lists: MEDIUM_LISTS }, MEDIUM_LISTS / 2),
            (IndexKind::IvfFlat { lists: 4_000 }, 2_000),
            (IndexKind::IvfFlat { lists: 1 }, 1),
            // The most that pgvector takes.
            (hnsw, 1_000),
        ];
        for (kind, end) in ends {
            let numbers: Vec<_> = ladder(&kind).iter().map(number).collect();
            assert!(numbers.is_sorted() && numbers.len() < 16 && numbers.last() == Some(&end), "{numbers:?}");
        }
        assert!(ladder(&IndexKind::Exact).is_empty());
    }

    #[test]
    fn an_index_is_measured_when_its_rows_have_moved_and_once_a_day() {
        let ivfflat = IndexKind::IvfFlat { lists: SMALL_LISTS };
        let cases = [
            (20_000, Some((60, 20_000, 0.95)), false),
            (21_999, Some((60, 20_000, 0.95)), false),
            (22_000, Some((60, 20_000, 0.95)), true),
            (18_000, Some((60, 20_000, 0.95)), true),
            (20_200, Some((3_599, 20_000, 0.95)), false),
            (20_200, Some((3_600, 20_000, 0.95)), true),
            (20_000, Some((86_399, 20_000, 0.95)), false),
            (20_000, Some((86_400, 20_000, 0.95)), true),
            // Another target.
            (20_000, Some((60, 20_000, 0.9)), true),
            (20_000, None, true),
        ];
        for (rows, last, due) in cases {
            let last = last.map(|(age_seconds, rows, target)| LastMeasure { age_seconds, rows, target });
            assert_eq!(is_measure_due(&Tiers::default(), &ivfflat, rows, last.as_ref()), due, "{rows} after {last:?}");
        }
        assert!(!is_measure_due(&Tiers::default(), &IndexKind::Exact, 20_000, None));
    }
}
