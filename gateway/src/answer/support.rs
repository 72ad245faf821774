//! Support: whether a passage bears out a statement. By shared words where they decide, else by meaning. Pure but for the embedder.

use std::collections::BTreeSet;

use super::{
    evidence::sentences,
    terms::{cosine, terms},
};
use crate::traits::{
    embedder::{EmbedError, Embedder},
    generator::NumberedPassage,
};

/// From this share of a statement's words on, the passage has said it.
const ENOUGH_WORDS: f32 = 0.65;
/// Sentences of a passage that a statement is compared with.
const MOST_SENTENCES: usize = 8;
/// What a statement and the best sentence must reach together: the cosine, and the share of words times [`WORDS_WEIGHT`].
const ENOUGH: f32 = 0.6;
const WORDS_WEIGHT: f32 = 0.5;

/// A passage that statements are held against.
#[derive(Debug)]
pub(super) struct Ground {
    number: u32,
    text: String,
    terms: BTreeSet<String>,
}

impl Ground {
    pub(super) fn new(passage: &NumberedPassage) -> Self {
        let NumberedPassage { number, title, text } = passage;
        let mut known = terms(text);
        known.extend(terms(title));
        Self { number: *number, text: text.clone(), terms: known }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The share of the statement's words that the passage has, 1 for a statement without any.
    fn words(&self, statement: &BTreeSet<String>) -> f32 {
        if statement.is_empty() {
            return 1.0;
        }
        statement.intersection(&self.terms).count() as f32 / statement.len() as f32
    }

    /// The sentences that share most with the statement.
    fn nearest(&self, statement: &BTreeSet<String>) -> Vec<String> {
        let mut found: Vec<(usize, String)> =
            sentences(&self.text).into_iter().map(|s| (terms(&s).intersection(statement).count(), s)).collect();
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        found.truncate(MOST_SENTENCES);
        if found.is_empty() { vec![self.text.chars().take(600).collect()] } else { found.into_iter().map(|(_, s)| s).collect() }
    }
}

/// For each statement with its passage, whether the passage bears it out. At most one request to the model.
///
/// # Errors
/// The embedder's, where words did not decide.
pub(super) async fn judge(claims: &[(&str, &Ground)], embedder: &dyn Embedder) -> Result<Vec<bool>, EmbedError> {
    let mut verdicts = Vec::with_capacity(claims.len());
    let mut open: Vec<(usize, f32, std::ops::Range<usize>)> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for (index, (statement, ground)) in claims.iter().enumerate() {
        let said = terms(statement);
        let words = ground.words(&said);
        verdicts.push(words >= ENOUGH_WORDS);
        if words < ENOUGH_WORDS {
            let begin = texts.len();
            texts.push(statement.trim().to_owned());
            texts.extend(ground.nearest(&said));
            open.push((index, words, begin..texts.len()));
        }
    }
    if open.is_empty() {
        return Ok(verdicts);
    }
    let vectors = embedder.embed_batch(&texts).await?;
    for (index, words, range) in open {
        let Some((statement, sentences)) = vectors.get(range).and_then(<[_]>::split_first) else { continue };
        let best = sentences.iter().filter_map(|sentence| cosine(statement, sentence)).fold(0.0, f32::max);
        verdicts[index] = best + WORDS_WEIGHT * words >= ENOUGH;
    }
    Ok(verdicts)
}
