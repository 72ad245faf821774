//! How far an answer's figures can be trusted: whether its confidence is the share that holds, and whether a passage that is cited says
//! what it is cited for. Asked of [`Corpus`] with the built-in model.

use std::collections::BTreeMap;

use ragline_gateway::{
    answer::{
        confidence::{self, Features},
        support::{Ground, judge},
    },
    traits::{embedder::Embedder, generator::NumberedPassage, search::Match},
};
use serde::Deserialize;

use crate::{corpus::Corpus, model::builtin};

/// Of the confidences that fall into the same tenth, mean and share may differ by so much, weighted by their number.
const MOST_CALIBRATION_ERROR: f32 = 0.1;
const LEAST_ITEMS: usize = 200;

/// A question, whether the corpus answers it, and its features as they were when they were recorded.
#[derive(Deserialize)]
struct Item {
    question: String,
    answerable: bool,
    /// Not among those that the weights were fitted on.
    held_out: bool,
    sentence: f32,
    overlap: f32,
    passage: f32,
    coverage: f32,
}

impl Item {
    fn features(&self) -> Features {
        let Self { question: _, answerable: _, held_out: _, sentence, overlap, passage, coverage } = *self;
        Features { sentence, overlap, passage, coverage }
    }
}

fn items() -> Vec<Item> {
    include_str!("data/confidence.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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

#[test]
fn the_confidence_is_the_share_that_holds() {
    let held_out: Vec<Item> = items().into_iter().filter(|item| item.held_out).collect();
    let judged: Vec<(f32, bool)> =
        held_out.iter().map(|item| (confidence::confidence(&item.features()), item.answerable)).collect();
    let error = calibration_error(&judged);
    let wrong = judged.iter().filter(|(confidence, holds)| (*confidence >= 0.5) != *holds).count();
    println!("calibration error {error:.3} on {} held-out items, {wrong} on the wrong side", judged.len());
    assert!(judged.len() >= LEAST_ITEMS);
    assert!(error <= MOST_CALIBRATION_ERROR, "{error}");
    assert!(wrong * 10 <= judged.len(), "{wrong} of {}", judged.len());
}

#[test]
fn the_error_is_that_of_the_bins() {
    assert!(calibration_error(&[(0.95, true), (0.05, false), (1.0, true)]) < 0.04);
    assert!((calibration_error(&[(0.9, false), (0.9, true)]) - 0.4).abs() < 1e-6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_features_are_those_of_today() {
    let (embedder, corpus) = (builtin(), Corpus::shared().await);
    for item in items().iter().step_by(29) {
        let matches = corpus.search(&embedder.embed(&item.question).await.unwrap());
        let found = confidence::features(&item.question, &matches, embedder.as_ref()).await.unwrap().unwrap();
        let (found, recorded) = (confidence::confidence(&found), confidence::confidence(&item.features()));
        assert!((found - recorded).abs() < 0.1, "{}: {found} is not {recorded}", item.question);
    }
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

fn ground(found: &Match) -> Ground {
    Ground::new(&NumberedPassage { number: 1, title: found.filename.clone(), text: found.text.clone() })
}

fn squashed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
