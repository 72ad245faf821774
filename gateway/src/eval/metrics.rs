//! What a ranking is worth. Pure. As trec_eval and BEIR measure: the gain of a document is its judged relevance itself, not
//! 2^relevance - 1, divided by log2(1 + rank); an unjudged document is not relevant.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::HashMap;

use serde::Serialize;

/// Judged relevance of the documents of one question; 0 or absent: not relevant.
pub type Judged = HashMap<usize, u32>;

/// Means over the questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    pub ndcg_at_10: f64,
    pub recall_at_10: f64,
    pub recall_at_100: f64,
    pub mrr_at_10: f64,
}

impl Scores {
    /// Those of one ranking, best first, without repetitions.
    pub fn of(ranking: &[usize], judged: &Judged) -> Self {
        Self {
            ndcg_at_10: ndcg(ranking, judged, 10),
            recall_at_10: recall(ranking, judged, 10),
            recall_at_100: recall(ranking, judged, 100),
            mrr_at_10: reciprocal_rank(ranking, judged, 10),
        }
    }

    /// The mean; of nothing: zeros.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |value: fn(&Self) -> f64| all.iter().map(value).sum::<f64>() / all.len().max(1) as f64;
        Self {
            ndcg_at_10: mean(|scores| scores.ndcg_at_10),
            recall_at_10: mean(|scores| scores.recall_at_10),
            recall_at_100: mean(|scores| scores.recall_at_100),
            mrr_at_10: mean(|scores| scores.mrr_at_10),
        }
    }
}

/// What a threshold lets through, summed up over questions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Passed {
    passed: usize,
    relevant_passed: usize,
    relevant: usize,
}

impl Passed {
    /// Counts the documents whose score reached the threshold.
    pub fn add(&mut self, passed: &[usize], judged: &Judged) {
        self.passed += passed.len();
        self.relevant_passed += passed.iter().filter(|document| relevance(judged, **document) > 0).count();
        self.relevant += judged.values().filter(|relevance| **relevance > 0).count();
    }

    /// Relevant documents by all that passed; `None` where none did.
    pub fn precision(&self) -> Option<f64> {
        (self.passed > 0).then(|| self.relevant_passed as f64 / self.passed as f64)
    }

    /// Relevant documents that passed by all relevant ones.
    pub fn recall(&self) -> f64 {
        self.relevant_passed as f64 / self.relevant.max(1) as f64
    }
}

/// Discounted gain of the first `depth` by that of the best order possible; 0 where nothing is relevant.
pub fn ndcg(ranking: &[usize], judged: &Judged, depth: usize) -> f64 {
    let mut best: Vec<u32> = judged.values().copied().collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = discounted(best.into_iter().take(depth));
    if ideal == 0.0 {
        return 0.0;
    }
    discounted(ranking.iter().take(depth).map(|document| relevance(judged, *document))) / ideal
}

/// Relevant documents among the first `depth` by all relevant ones; 0 where nothing is relevant.
pub fn recall(ranking: &[usize], judged: &Judged, depth: usize) -> f64 {
    let relevant = judged.values().filter(|relevance| **relevance > 0).count();
    let found = ranking.iter().take(depth).filter(|document| relevance(judged, **document) > 0).count();
    if relevant == 0 { 0.0 } else { found as f64 / relevant as f64 }
}

/// One by the rank of the first relevant document among the first `depth`; 0 without one.
pub fn reciprocal_rank(ranking: &[usize], judged: &Judged, depth: usize) -> f64 {
    let first = ranking.iter().take(depth).position(|document| relevance(judged, *document) > 0);
    first.map_or(0.0, |place| 1.0 / (place + 1) as f64)
}

/// The share of the wanted that was found; of nothing wanted: all.
pub fn overlap(found: &[i64], wanted: &[i64]) -> f64 {
    if wanted.is_empty() {
        return 1.0;
    }
    wanted.iter().filter(|id| found.contains(id)).count() as f64 / wanted.len() as f64
}

/// The smallest value that the share of all values does not exceed (nearest rank); `None` without any.
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn relevance(judged: &Judged, document: usize) -> u32 {
    judged.get(&document).copied().unwrap_or_default()
}

fn discounted(relevances: impl Iterator<Item = u32>) -> f64 {
    relevances.enumerate().map(|(place, relevance)| f64::from(relevance) / ((place + 2) as f64).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(usize, u32)]) -> Judged {
        pairs.iter().copied().collect()
    }

    /// A ranking, what is relevant and how much, the depth, and the value.
    type Case = (&'static [usize], &'static [(usize, u32)], usize, f64);

    #[test]
    fn ndcg_is_what_was_computed_by_hand() {
        // log2(2), log2(3), log2(4) are 1, 1.58496, 2.
        let cases: [Case; 8] = [
            (&[1, 2, 3], &[(1, 1), (2, 1)], 10, 1.0),
            // 1/1.58496 + 1/2 = 1.13093 of 1 + 1/1.58496 = 1.63093.
            (&[9, 1, 2], &[(1, 1), (2, 1)], 10, 0.693_426),
            // Graded: 1/1 + 3/1.58496 + 0 + 2/2.32193 = 3.75414 of 3 + 2/1.58496 + 1/2 = 4.76186.
            (&[1, 3, 9, 2], &[(1, 1), (2, 2), (3, 3)], 10, 0.788_377),
            // The third is beyond the depth, also of the best order: 1 of 1 + 1/1.58496.
            (&[1, 9, 2], &[(1, 1), (2, 1), (3, 1)], 2, 0.613_147),
            (&[8, 9], &[(1, 1)], 10, 0.0),
            (&[], &[(1, 1)], 10, 0.0),
            (&[1], &[(1, 0)], 10, 0.0),
            (&[1], &[], 10, 0.0),
        ];
        for (ranking, pairs, depth, expected) in cases {
            let value = ndcg(ranking, &judged(pairs), depth);
            assert!((value - expected).abs() < 1e-5, "{ranking:?} of {pairs:?} at {depth}: {value}, not {expected}");
        }
    }

    #[test]
    fn recall_counts_the_relevant_within_the_depth() {
        let cases: [Case; 6] = [
            (&[1, 9, 2], &[(1, 1), (2, 3), (3, 1), (4, 0)], 10, 2.0 / 3.0),
            (&[1, 9, 2], &[(1, 1), (2, 3), (3, 1), (4, 0)], 2, 1.0 / 3.0),
            (&[4], &[(1, 1), (4, 0)], 10, 0.0),
            (&[], &[(1, 1)], 10, 0.0),
            (&[1, 2], &[(1, 1), (2, 1)], 1, 0.5),
            (&[1], &[], 10, 0.0),
        ];
        for (ranking, pairs, depth, expected) in cases {
            assert_eq!(recall(ranking, &judged(pairs), depth), expected, "{ranking:?} of {pairs:?} at {depth}");
        }
    }

    #[test]
    fn the_reciprocal_rank_is_that_of_the_first_relevant_document() {
        let cases: [(&[usize], usize, f64); 4] =
            [(&[1], 10, 1.0), (&[8, 9, 1, 2], 10, 1.0 / 3.0), (&[8, 9, 1], 2, 0.0), (&[], 10, 0.0)];
        for (ranking, depth, expected) in cases {
            assert_eq!(reciprocal_rank(ranking, &judged(&[(1, 2), (2, 1)]), depth), expected, "{ranking:?} at {depth}");
        }
    }

    #[test]
    fn scores_are_means_over_questions() {
        let judged = judged(&[(1, 1)]);
        let all = [Scores::of(&[1], &judged), Scores::of(&[7, 1], &judged)];
        let Scores { ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10 } = Scores::mean(&all);
        assert!((ndcg_at_10 - (1.0 + 0.630_930) / 2.0).abs() < 1e-5, "{ndcg_at_10}");
        assert_eq!((recall_at_10, recall_at_100, mrr_at_10), (1.0, 1.0, 0.75));
        assert_eq!(Scores::mean(&[]), Scores::default());
    }

    #[test]
    fn a_threshold_is_judged_by_what_it_lets_through() {
        let judged = judged(&[(1, 1), (2, 3), (3, 0), (4, 1)]);
        let mut passed = Passed::default();
        assert_eq!((passed.precision(), passed.recall()), (None, 0.0));
        passed.add(&[1, 3], &judged);
        passed.add(&[2], &judged);
        assert_eq!((passed.precision(), passed.recall()), (Some(2.0 / 3.0), 2.0 / 6.0));
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!((percentile(&values, 0.5), percentile(&values, 0.95)), (Some(10.0), Some(19.0)));
        assert_eq!((percentile(&[7.0], 0.95), percentile(&[], 0.5)), (Some(7.0), None));
    }

    #[test]
    fn the_overlap_is_a_share_of_what_is_wanted() {
        assert_eq!(overlap(&[1, 2, 3, 4], &[4, 3, 8, 9]), 0.5);
        assert_eq!(overlap(&[], &[]), 1.0);
    }
}
