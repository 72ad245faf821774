//! Confidence: whether the passages carry an answer. Decided before anything is written, the same for every generator. It is a
//! probability: of the questions with a confidence of .8, four in five have passages that answer them. gateway/README.md says how well
//! that holds.

use serde::{Deserialize, Serialize};

use super::evidence::{coverage, weigh};
use crate::traits::{
    embedder::{EmbedError, Embedder},
    search::Match,
};

/// From here on the passages are taken to carry an answer.
const LEAST_CONFIDENCE: f32 = 0.5;

/// What the passages are worth.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Assessment {
    /// Whether to answer at all.
    pub carries_answer: bool,
    /// 0 to 1; 0.5 is the border.
    pub confidence: f32,
}

/// What the rule looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features {
    /// Cosine of the best sentence.
    pub sentence: f32,
    /// Weighted share of the question's terms in the best sentence.
    pub overlap: f32,
    /// Cosine of the best passage.
    pub passage: f32,
    /// Share of the question's terms in all passages.
    pub coverage: f32,
}

/// Weights of the features and the constant, chosen on `tests/it/data/questions.jsonl` and on questions about a text of another kind, and
/// measured on `confidence.jsonl`, which had no part in it. A logistic regression on 261 questions came to 7.9, 2.0, 6.7, 3.6 and
/// -11.4 and to no better Brier score on the 212 that it had not seen (.081 to .080), so these stay.
const WEIGHTS: [f32; 4] = [9.0, 2.0, 3.0, 3.0];
const CONSTANT: f32 = -10.0;

/// The cosine of the best passage as a share of that of the best sentence, in the mean of 473 questions.
const PASSAGE_BY_SENTENCE: f32 = 0.88;

/// Assesses the passages of a question.
///
/// # Errors
/// The embedder's.
pub async fn assess(question: &str, matches: &[Match], embedder: &dyn Embedder) -> Result<Assessment, EmbedError> {
    let Some(features) = features(question, matches, embedder).await? else {
        return Ok(Assessment { carries_answer: false, confidence: 0.0 });
    };
    let confidence = confidence(&features);
    Ok(Assessment { carries_answer: confidence >= LEAST_CONFIDENCE, confidence })
}

/// The features, `None` without any sentence.
///
/// # Errors
/// The embedder's.
pub async fn features(question: &str, matches: &[Match], embedder: &dyn Embedder) -> Result<Option<Features>, EmbedError> {
    let texts: Vec<&str> = matches.iter().map(|m| m.text.as_str()).collect();
    let evidence = weigh(question, &texts, embedder).await?;
    let Some(best) = evidence.first() else { return Ok(None) };
    let sentence = evidence.iter().map(|e| e.cosine).fold(f32::MIN, f32::max);
    // Found by words alone, no passage has a cosine; that of its best sentence stands in.
    let passage = matches.iter().filter_map(|m| m.similarity).reduce(f32::max).unwrap_or(sentence * PASSAGE_BY_SENTENCE);
    Ok(Some(Features { sentence, overlap: best.overlap, passage, coverage: coverage(question, &texts) }))
}

/// The logistic of the weighted features.
fn confidence(features: &Features) -> f32 {
    let Features { sentence, overlap, passage, coverage } = *features;
    let sum: f32 = [sentence, overlap, passage, coverage].iter().zip(WEIGHTS).map(|(x, w)| x * w).sum();
    1.0 / (1.0 + (-(sum + CONSTANT)).exp())
}
