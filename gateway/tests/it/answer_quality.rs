//! How far an answer's figures can be trusted: whether its confidence is the share that holds, and whether a passage that is cited says
//! what it is cited for. Asked of [`Corpus`] with the built-in model.

#![expect(clippy::print_stdout, reason = "the figures are what the README tells")]

use std::collections::BTreeMap;

use ragline_gateway::{
    answer::{
        confidence,
        support::{Ground, judge},
    },
    traits::{embedder::Embedder, generator::NumberedPassage, search::Match},
};
use serde::Deserialize;

use crate::{corpus::Corpus, model::builtin};

/// Of the confidences that fall into the same tenth, mean and share may differ by so much, weighted by their number.
const MOST_CALIBRATION_ERROR: f32 = 0.1;
const LEAST_ITEMS: usize = 200;

/// A question and whether the corpus answers it. The weights of the confidence were chosen without these.
#[derive(Deserialize)]
struct Item {
    question: String,
    answerable: bool,
}

/// Of (confidence, whether it holds): in ten bins of the same width, the mean distance of confidence and share.
fn calibration_error(judged: &[(f32, bool)]) -> f32 {
    let mut bins: BTreeMap<usize, (f32, f32)> = BTreeMap::new();
    for &(confidence, holds) in judged {
        let bin = bins.entry(((confidence * 10.0) as usize).min(9)).or_default();
        *bin = (bin.0 + confidence, bin.1 + f32::from(u8::from(holds)));
    }
    bins.values().map(|(confidence, holds)| (confidence - holds).abs()).sum::<f32>() / judged.len() as f32
}

#[tokio::test(flavor = "multi_thread")]
async fn the_confidence_is_the_share_that_holds() {
    let (embedder, corpus) = (builtin(), Corpus::shared().await);
    let mut judged = Vec::new();
    for line in include_str!("data/confidence.jsonl").lines() {
        let Item { question, answerable } = serde_json::from_str(line).unwrap();
        let matches = corpus.search(&embedder.embed(&question).await.unwrap());
        let found = confidence::assess(&question, &matches, embedder.as_ref()).await.unwrap();
        judged.push((found.confidence, answerable));
    }
    let error = calibration_error(&judged);
    let wrong = judged.iter().filter(|(confidence, holds)| (*confidence >= 0.5) != *holds).count();
    println!("calibration error {error:.3} on {} questions, {wrong} on the wrong side", judged.len());
    assert!(judged.len() >= LEAST_ITEMS);
    assert!(error <= MOST_CALIBRATION_ERROR, "{error}");
    assert!(wrong * 8 <= judged.len(), "{wrong} of {}", judged.len());
}

#[test]
fn the_error_is_that_of_the_bins() {
    assert!(calibration_error(&[(0.95, true), (0.05, false), (1.0, true)]) < 0.04);
    assert!((calibration_error(&[(0.9, false), (0.9, true)]) - 0.4).abs() < 1e-6);
}

/// A statement, the file whose passage that holds `says` it is about, and whether it is true of it.
#[derive(Deserialize)]
struct Statement {
    file: String,
    says: String,
    statement: String,
    supported: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn citations_that_hold_stay_and_others_go() {
    let (embedder, corpus) = (builtin(), Corpus::shared().await);
    let (mut kept, mut gone, mut strangers) = ((0, 0), (0, 0), (0, 0));
    for line in include_str!("data/statements.jsonl").lines() {
        let Statement { file, says, statement, supported } = serde_json::from_str(line).unwrap();
        let near = corpus.search_all(&embedder.embed(&statement).await.unwrap());
        let own = near.iter().find(|found| found.filename == file && squashed(&found.text).contains(&squashed(&says))).unwrap();
        let others = near.iter().filter(|found| found.filename != file).take(2);
        let grounds: Vec<Ground> = std::iter::once(own).chain(others).map(ground).collect();
        let claims: Vec<(&str, &Ground)> = grounds.iter().map(|ground| (statement.as_str(), ground)).collect();
        let verdicts = judge(&claims, embedder.as_ref()).await.unwrap();
        let count = if supported { &mut kept } else { &mut gone };
        *count = (count.0 + usize::from(verdicts[0] == supported), count.1 + 1);
        if verdicts[0] != supported {
            println!("judged {}: {statement}", verdicts[0]);
        }
        let wrong = verdicts[1..].iter().filter(|verdict| **verdict).count();
        strangers = (strangers.0 + verdicts.len() - 1 - wrong, strangers.1 + verdicts.len() - 1);
    }
    println!("kept {kept:?} that hold; took out {gone:?} that are false, {strangers:?} of the nearest passages of other files");
    assert!(kept.0 * 100 >= kept.1 * 95, "{kept:?}");
    assert!(gone.0 * 100 >= gone.1 * 90, "{gone:?}");
    assert!(strangers.0 * 100 >= strangers.1 * 80, "{strangers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_citation_of_the_opposite_goes() {
    let (embedder, corpus) = (builtin(), Corpus::shared().await);
    let (mut kept, mut gone) = ((0, 0), (0, 0));
    for line in include_str!("data/negations.jsonl").lines() {
        let Statement { file, says, statement, supported } = serde_json::from_str(line).unwrap();
        let near = corpus.search_all(&embedder.embed(&statement).await.unwrap());
        let own = near.iter().find(|found| found.filename == file && squashed(&found.text).contains(&squashed(&says)));
        let ground = ground(own.unwrap_or_else(|| panic!("{file} does not say {says}")));
        let verdict = judge(&[(statement.as_str(), &ground)], embedder.as_ref()).await.unwrap()[0];
        let count = if supported { &mut kept } else { &mut gone };
        *count = (count.0 + usize::from(verdict == supported), count.1 + 1);
        if verdict != supported {
            println!("judged {verdict}: {statement}");
        }
    }
    println!("with and without a negation: kept {kept:?} that hold, took out {gone:?} that say the opposite");
    assert_eq!(kept.0, kept.1);
    assert!(gone.0 * 100 >= gone.1 * 60, "{gone:?}");
}

fn ground(found: &Match) -> Ground {
    Ground::new(NumberedPassage { number: 1, title: found.filename.clone(), text: found.text.clone() })
}

fn squashed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
