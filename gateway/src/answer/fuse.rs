//! Fusion: the hits of two legs become one list. Pure.

use std::collections::BTreeMap;

use ragline_config::{Fusion, FusionMethod};

use crate::traits::search::Hit;

/// Hits that each leg is asked for.
pub(super) const CANDIDATES: u32 = 100;
/// How little the first places stand out where lists of several wordings are joined.
const JOIN_K: u32 = 10;

/// A chunk that one leg found, or both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fused {
    pub(super) chunk_id: i64,
    /// What it is worth in the fused list.
    pub(super) value: f32,
    /// Its BM25, `None` where the search by words did not find it.
    pub(super) lexical: Option<f32>,
}

/// The chunks of both legs, best first; among equals the smaller id. Each leg is best first and names a chunk once.
pub(super) fn fuse(vector: &[Hit], lexical: &[Hit], how: &Fusion) -> Vec<Fused> {
    let Fusion { method, vector_weight, lexical_weight, k } = *how;
    let worth = |leg: &[Hit], floor: Option<f32>, weight: f32| -> Vec<f32> {
        let worth = match method {
            FusionMethod::RelativeScore => relative(leg, floor),
            FusionMethod::ReciprocalRank => reciprocal(leg.len(), k),
        };
        worth.into_iter().map(|worth| weight * worth).collect()
    };
    // A leg that is not full has found every chunk with any of the words: what it did not find has a BM25 of 0, and the last hit more.
    let floor = (lexical.len() < CANDIDATES as usize).then_some(0.0);
    let mut fused: BTreeMap<i64, Fused> = BTreeMap::new();
    for (hit, worth) in vector.iter().zip(worth(vector, None, vector_weight)) {
        fused.insert(hit.chunk_id, Fused { chunk_id: hit.chunk_id, value: worth, lexical: None });
    }
    for (hit, worth) in lexical.iter().zip(worth(lexical, floor, lexical_weight)) {
        let entry = fused.entry(hit.chunk_id).or_insert(Fused { chunk_id: hit.chunk_id, value: 0.0, lexical: None });
        entry.value += worth;
        entry.lexical = Some(hit.value);
    }
    best_first(fused.into_values().collect())
}

/// The chunks of a question's list and those of its other wordings, best first; among equals the smaller id. The question counts as
/// much as all the others together, and places alone count: values of different questions do not compare.
pub(super) fn join(own: &[Fused], others: &[Vec<Fused>]) -> Vec<Fused> {
    let share = 1.0 / others.len().max(1) as f32;
    let mut joined: BTreeMap<i64, Fused> = BTreeMap::new();
    for (fused, value) in own.iter().zip(reciprocal(own.len(), JOIN_K)) {
        joined.insert(fused.chunk_id, Fused { value, ..*fused });
    }
    for other in others {
        for (fused, worth) in other.iter().zip(reciprocal(other.len(), JOIN_K)) {
            // The BM25 of another wording says nothing about the question.
            let new = Fused { value: 0.0, lexical: None, ..*fused };
            joined.entry(fused.chunk_id).or_insert(new).value += share * worth;
        }
    }
    best_first(joined.into_values().collect())
}

fn best_first(mut fused: Vec<Fused>) -> Vec<Fused> {
    fused.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.chunk_id.cmp(&b.chunk_id)));
    fused
}

/// The hits of the leg by vector in its own order, whatever the weights are.
pub(super) fn by_vector_alone(hits: &[Hit]) -> Vec<Fused> {
    hits.iter().map(|hit| Fused { chunk_id: hit.chunk_id, value: hit.value, lexical: None }).collect()
}

/// The hits of the leg by words in its own order, whatever the weights are.
pub(super) fn by_words_alone(hits: &[Hit]) -> Vec<Fused> {
    hits.iter().map(|hit| Fused { chunk_id: hit.chunk_id, value: hit.value, lexical: Some(hit.value) }).collect()
}

/// The values scaled to 0..1 between `floor`, else the least, and the greatest. Where all are equal, each has 1.
fn relative(leg: &[Hit], floor: Option<f32>) -> Vec<f32> {
    let most = leg.iter().map(|hit| hit.value).fold(f32::MIN, f32::max);
    let least = floor.unwrap_or_else(|| leg.iter().map(|hit| hit.value).fold(f32::MAX, f32::min));
    let span = most - least;
    leg.iter().map(|hit| if span > 0.0 { ((hit.value - least) / span).clamp(0.0, 1.0) } else { 1.0 }).collect()
}

/// 1 / (k + place), scaled so that the first place has 1 whatever `k` is.
fn reciprocal(len: usize, k: u32) -> Vec<f32> {
    let k = k as f32;
    (0..len).map(|place| (k + 1.0) / (k + 1.0 + place as f32)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn leg(hits: &[(i64, f32)]) -> Vec<Hit> {
        hits.iter().map(|&(chunk_id, value)| Hit { chunk_id, value }).collect()
    }

    fn full(first: i64, most: f32) -> Vec<Hit> {
        (0..i64::from(CANDIDATES)).map(|i| Hit { chunk_id: first + i, value: most - i as f32 }).collect()
    }

    fn check(how: &Fusion, vector: &[(i64, f32)], lexical: &[(i64, f32)], expected: &[(i64, f32)]) {
        let fused: Vec<(i64, f32)> = fuse(&leg(vector), &leg(lexical), how).iter().map(|f| (f.chunk_id, f.value)).collect();
        let ids = |list: &[(i64, f32)]| list.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        assert_eq!(ids(&fused), ids(expected), "{vector:?} with {lexical:?}");
        for ((id, found), (_, wanted)) in fused.iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-6, "chunk {id} has {found}, not {wanted}");
        }
    }

    #[test]
    fn relative_scores_add_up() {
        let how = Fusion::default();
        check(&how, &[], &[], &[]);
        check(&how, &[(1, 0.9), (2, 0.5), (3, 0.1)], &[], &[(1, 0.5), (2, 0.25), (3, 0.0)]);
        check(&how, &[], &[(4, 8.0), (5, 2.0)], &[(4, 0.5), (5, 0.125)]);
        check(&how, &[(1, 0.9), (2, 0.5), (3, 0.1)], &[(2, 8.0), (9, 4.0)], &[(2, 0.75), (1, 0.5), (9, 0.25), (3, 0.0)]);
    }

    #[test]
    fn a_single_hit_and_equal_hits_are_the_best_of_their_leg() {
        check(&Fusion::default(), &[(7, 0.2)], &[(7, 3.0)], &[(7, 1.0)]);
        check(&Fusion::default(), &[(8, 0.4), (7, 0.4)], &[], &[(7, 0.5), (8, 0.5)]);
    }

    #[test]
    fn the_last_hit_of_a_full_leg_is_worth_nothing() {
        let fused = fuse(&[], &full(1, 200.0), &Fusion::default());
        assert_eq!(fused.last().map(|f| (f.chunk_id, f.value)), Some((100, 0.0)));
    }

    #[test]
    fn reciprocal_ranks_look_at_places_alone() {
        let how = Fusion { method: FusionMethod::ReciprocalRank, k: 1, ..Fusion::default() };
        check(&how, &[(1, 0.9), (2, 0.1)], &[(2, 99.0)], &[(2, 0.5 * 2.0 / 3.0 + 0.5), (1, 0.5)]);
    }

    #[test]
    fn a_leg_without_weight_only_adds_its_hits_at_the_end() {
        let how = Fusion { lexical_weight: 0.0, vector_weight: 1.0, ..Fusion::default() };
        check(&how, &[(1, 0.9), (2, 0.5), (3, 0.1)], &[(9, 7.0), (3, 1.0)], &[(1, 1.0), (2, 0.5), (3, 0.0), (9, 0.0)]);
    }

    #[test]
    fn a_leg_that_is_alone_keeps_its_order() {
        let hits = leg(&[(9, 8.0), (1, 2.0)]);
        let ids = |fused: Vec<Fused>| fused.iter().map(|f| f.chunk_id).collect::<Vec<_>>();
        assert_eq!((ids(by_vector_alone(&hits)), ids(by_words_alone(&hits))), (vec![9, 1], vec![9, 1]));
    }

    #[test]
    fn other_wordings_add_chunks_and_the_question_decides() {
        let list = |ids: &[i64]| -> Vec<Fused> {
            by_words_alone(&ids.iter().map(|&id| Hit { chunk_id: id, value: 2.0 }).collect::<Vec<_>>())
        };
        let joined = join(&list(&[1, 2]), &[list(&[2, 3]), list(&[2, 4])]);
        assert_eq!(joined.iter().map(|f| f.chunk_id).collect::<Vec<_>>(), [2, 1, 3, 4]);
        assert_eq!(joined.iter().map(|f| f.lexical.is_some()).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!(join(&list(&[5, 6]), &[]).iter().map(|f| f.chunk_id).collect::<Vec<_>>(), [5, 6]);
    }

    fn any_leg() -> impl Strategy<Value = Vec<Hit>> {
        prop::collection::btree_map(0..150_i64, -1.0..50.0_f32, 0..100).prop_map(|hits| {
            let mut hits: Vec<Hit> = hits.into_iter().map(|(chunk_id, value)| Hit { chunk_id, value }).collect();
            hits.sort_by(|a, b| b.value.total_cmp(&a.value));
            hits
        })
    }

    fn any_fusion() -> impl Strategy<Value = Fusion> {
        let method = prop_oneof![Just(FusionMethod::RelativeScore), Just(FusionMethod::ReciprocalRank)];
        (method, 0.1..1.0_f32, 0.1..1.0_f32, 1..100_u32).prop_map(|(method, vector_weight, lexical_weight, k)| Fusion {
            method,
            vector_weight,
            lexical_weight,
            k,
        })
    }

    proptest! {
        #[test]
        fn every_chunk_comes_once_in_falling_order_and_within_the_weights(v in any_leg(), l in any_leg(), how in any_fusion()) {
            let fused = fuse(&v, &l, &how);
            let ids: BTreeSet<i64> = fused.iter().map(|f| f.chunk_id).collect();
            let union: BTreeSet<i64> = v.iter().chain(&l).map(|hit| hit.chunk_id).collect();
            prop_assert_eq!(ids.len(), fused.len());
            prop_assert_eq!(ids, union);
            prop_assert!(fused.is_sorted_by(|a, b| a.value >= b.value));
            prop_assert!(fused.iter().all(|f| (0.0..=how.vector_weight + how.lexical_weight + 1e-5).contains(&f.value)));
        }

        #[test]
        fn what_is_first_in_both_legs_is_first(mut v in any_leg(), mut l in any_leg(), how in any_fusion()) {
            for leg in [&mut v, &mut l] {
                leg.retain(|hit| hit.chunk_id != 999);
                leg.insert(0, Hit { chunk_id: 999, value: 60.0 });
            }
            prop_assert_eq!(fuse(&v, &l, &how)[0].chunk_id, 999);
        }

        #[test]
        fn the_unit_of_a_leg_does_not_matter(v in any_leg(), l in any_leg(), how in any_fusion()) {
            // Powers of two scale without rounding.
            let scaled: Vec<Hit> = v.iter().map(|hit| Hit { value: hit.value * 4.0, ..*hit }).collect();
            prop_assert_eq!(fuse(&v, &l, &how), fuse(&scaled, &l, &how));
        }
    }
}
