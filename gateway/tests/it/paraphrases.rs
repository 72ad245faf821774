//! Whether the questions that the similarity cache takes for one say the same: pairs that do and near misses that do not, with the
//! built-in model. The lists in `answer/sense.rs` were made with those in view that are not held out.

#![expect(clippy::print_stdout, reason = "the figures are what RETRIEVAL.md tells")]

use ragline_config::SimilarityCache;
use ragline_gateway::{answer::sense::Sense, traits::embedder::Embedder};
use serde::Deserialize;

use crate::model::builtin;

/// Of the near misses, the share that may be taken for the same question.
const MOST_FALSE: f32 = 0.025;
/// Of the pairs that say the same, the share that must be found.
const LEAST_FOUND: f32 = 0.4;
const LEAST_PAIRS: usize = 240;

#[derive(Deserialize)]
struct Pair {
    question: String,
    other: String,
    same: bool,
    held_out: bool,
}

/// A pair as the cache sees it.
#[derive(Clone, Copy)]
struct Judged {
    same: bool,
    held_out: bool,
    cosine: f32,
    differs: bool,
}

/// The shares of paraphrases and of near misses that are taken for one question.
fn shares<'a>(pairs: impl Iterator<Item = &'a Judged> + Clone, least: f32) -> [f32; 2] {
    [true, false].map(|same| {
        let of = pairs.clone().filter(|pair| pair.same == same);
        let taken = of.clone().filter(|pair| pair.cosine >= least && !pair.differs).count();
        taken as f32 / of.count().max(1) as f32
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_similarity_cache_seldom_takes_one_question_for_another() {
    let pairs: Vec<Pair> =
        include_str!("data/paraphrases.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(pairs.len() >= LEAST_PAIRS);
    let texts: Vec<String> = pairs.iter().flat_map(|pair| [pair.question.clone(), pair.other.clone()]).collect();
    let vectors = builtin().embed_batch(&texts).await.unwrap();
    let judged = |(pair, vectors): (&Pair, &[Vec<f32>])| Judged {
        same: pair.same,
        held_out: pair.held_out,
        cosine: vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum(),
        differs: Sense::of(&pair.question).differs_from(&Sense::of(&pair.other)),
    };
    let judged: Vec<Judged> = pairs.iter().zip(vectors.chunks(2)).map(judged).collect();
    let held_out = |same| judged.iter().filter(|pair| pair.held_out && pair.same == same).count();
    assert!([true, false].into_iter().all(|same| held_out(same) >= 40));
    for least in [0.8, 0.85, 0.88, 0.9, SimilarityCache::BUILTIN_THRESHOLD, 0.95, 0.97] {
        let all = shares(judged.iter(), least);
        let held_out = shares(judged.iter().filter(|pair| pair.held_out), least);
        let blind = judged.iter().map(|pair| Judged { differs: false, ..*pair }).collect::<Vec<_>>();
        let blind = shares(blind.iter(), least);
        println!("{least:.2}: same and other taken for one: {all:.3?}, held out {held_out:.3?}, by the cosine alone {blind:.3?}");
    }
    let [found, wrong] = shares(judged.iter(), SimilarityCache::BUILTIN_THRESHOLD);
    assert!(found >= LEAST_FOUND && wrong <= MOST_FALSE, "found {found}, wrong {wrong}");
    let [_, unseen] = shares(judged.iter().filter(|pair| pair.held_out), SimilarityCache::BUILTIN_THRESHOLD);
    assert!(unseen <= MOST_FALSE, "wrong among those held out: {unseen}");
}
