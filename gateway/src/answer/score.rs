//! Scores: how likely each passage is relevant, from the raw values of its legs. Pure; gateway/README.md says what a score means.

use ragline_config::SearchMode;

use super::terms::terms;
use crate::traits::search::{Calibration, Curve, Match};

/// A search by words alone knows nothing of the embedding space, so its curve is the same for all. Fitted as the shipped
/// calibrations are.
const LEXICAL: Curve = Curve { similarity: 0.0, lexical: 7.485, intercept: -3.183 };
/// For models that nobody measured: half at a cosine of one half.
const UNKNOWN_VECTOR: Curve = Curve { similarity: 8.0, lexical: 0.0, intercept: -4.0 };
const UNKNOWN_HYBRID: Curve = Curve { similarity: 6.0, lexical: 5.5, intercept: -5.2 };

/// BM25 per term of the question that is half of what can be had.
const HALF: f32 = 2.0;

/// Gives every match its score, none higher than that of a match before it.
///
/// The estimates of neighbours need not fall as the ranking does: fusion and reranking look at more than the curve. Where an
/// estimate is higher than the one before, both become their mean (pool adjacent violators), which is the closest falling list
/// and keeps the sum, so a threshold cuts the list at one place and scores are right on average.
pub(super) fn assign(matches: &mut [Match], question: &str, mode: SearchMode, calibration: &Calibration) {
    let (curve, calibrated) = match mode {
        SearchMode::Vector => (calibration.vector.unwrap_or(UNKNOWN_VECTOR), calibration.vector.is_some()),
        SearchMode::Lexical => (LEXICAL, true),
        SearchMode::Hybrid => (calibration.hybrid.unwrap_or(UNKNOWN_HYBRID), calibration.hybrid.is_some()),
    };
    let count = terms(question).len();
    let estimates: Vec<f32> = matches.iter().map(|found| estimate(found, count, &curve)).collect();
    for (found, score) in matches.iter_mut().zip(falling(&estimates)) {
        found.score = Some(score);
        found.calibrated = calibrated;
    }
}

/// The score of a text by its cosine alone.
pub(super) fn of_cosine(cosine: f32, calibration: &Calibration) -> f32 {
    let Curve { similarity, lexical: _, intercept } = calibration.vector.unwrap_or(UNKNOWN_VECTOR);
    logistic(similarity * cosine + intercept)
}

fn estimate(found: &Match, terms: usize, curve: &Curve) -> f32 {
    let Curve { similarity, lexical, intercept } = *curve;
    let cosine = found.similarity.unwrap_or_default();
    let sum = similarity * cosine + lexical * words(found.lexical.unwrap_or_default(), terms) + intercept;
    logistic(sum)
}

fn logistic(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// BM25 as a number from 0 to 1. It grows with the number of terms, so it is shared out among them first.
fn words(bm25: f32, terms: usize) -> f32 {
    let each = bm25.max(0.0) / terms.max(1) as f32;
    each / (each + HALF)
}

/// The falling list that is closest to `values`.
fn falling(values: &[f32]) -> Vec<f32> {
    let mut pools: Vec<(f32, usize)> = Vec::with_capacity(values.len());
    for &value in values {
        let (mut mean, mut count) = (value, 1);
        while let Some(&(before, size)) = pools.last().filter(|(before, _)| *before < mean) {
            mean = (before * size as f32 + mean * count as f32) / (size + count) as f32;
            count += size;
            pools.pop();
        }
        pools.push((mean, count));
    }
    pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::answer::fixtures::found;

    #[test]
    fn what_rises_is_pooled_and_what_falls_is_kept() {
        let cases: [(&[f32], &[f32]); 5] = [
            (&[], &[]),
            (&[0.9, 0.5, 0.5], &[0.9, 0.5, 0.5]),
            (&[0.2, 0.4], &[0.3, 0.3]),
            (&[0.9, 0.2, 0.4, 0.1], &[0.9, 0.3, 0.3, 0.1]),
            (&[0.25, 0.25, 1.0], &[0.5, 0.5, 0.5]),
        ];
        for (values, expected) in cases {
            for (found, wanted) in falling(values).iter().zip(expected) {
                assert!((found - wanted).abs() < 1e-6, "{values:?} gives {found}, not {wanted}");
            }
        }
    }

    #[test]
    fn a_known_space_says_so_and_an_unknown_one_gets_a_score_all_the_same() {
        let known = Calibration { vector: Some(Curve { similarity: 10.0, lexical: 0.0, intercept: -5.0 }), hybrid: None };
        let mut matches = [found("a")];
        assign(&mut matches, "why?", SearchMode::Vector, &known);
        assert_eq!((matches[0].score, matches[0].calibrated), (Some(0.5), true));
        assign(&mut matches, "why?", SearchMode::Hybrid, &known);
        assert!(matches[0].score.is_some() && !matches[0].calibrated);
    }

    #[test]
    fn words_count_without_a_vector() {
        let by_words = |bm25| Match { similarity: None, lexical: Some(bm25), ..found("a") };
        let mut matches = [by_words(9.0), by_words(1.0)];
        assign(&mut matches, "lock timeout", SearchMode::Lexical, &Calibration::default());
        assert!(matches[0].score > matches[1].score, "{matches:?}");
        assert!(matches.iter().all(|m| m.calibrated));
    }

    proptest! {
        #[test]
        fn the_pooled_list_falls_and_keeps_its_sum(values in prop::collection::vec(0.0..1.0_f32, 0..100)) {
            let pooled = falling(&values);
            prop_assert_eq!(pooled.len(), values.len());
            prop_assert!(pooled.is_sorted_by(|a, b| a >= b));
            prop_assert!((pooled.iter().sum::<f32>() - values.iter().sum::<f32>()).abs() < 1e-3);
        }
    }
}
