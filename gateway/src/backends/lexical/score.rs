//! BM25: idf = ln(1 + (N - df + .5) / (df + .5)), k1 = 1.5, b = .75, each term weighed by how often the question says it. N, df and
//! the mean length are sums over the segments at hand, so nothing has to be kept up to date.

use std::{cmp::Ordering, collections::HashMap};

use super::{
    Corrupt,
    codec::{MOST_FREQUENCY, Postings, length_of},
    words::Analyzer,
};

const K1: f32 = 1.5;
const B: f32 = 0.75;
/// Distinct terms of a question that count, the rarest ones; more is abuse. Frequent terms are never cut for being frequent.
pub const MOST_TERMS: usize = 64;
/// Distinct terms that are looked up at all.
const MOST_LOOKED_UP: usize = 1_024;

/// The terms of a question, each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Question {
    pub terms: Vec<String>,
    /// How often the question says each.
    pub frequencies: Vec<u32>,
}

impl Question {
    pub fn new(analyzer: &Analyzer, text: &str) -> Self {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut question = Self::default();
        for term in analyzer.terms(text) {
            match places.get(&term) {
                Some(place) => {
                    if let Some(frequency) = question.frequencies.get_mut(*place) {
                        *frequency += 1;
                    }
                }
                None if question.terms.len() < MOST_LOOKED_UP => {
                    places.insert(term.clone(), question.terms.len());
                    question.terms.push(term);
                    question.frequencies.push(1);
                }
                None => {}
            }
        }
        question
    }

    /// Whether only the rarest terms may count, so that it must be known how rare they are.
    pub fn is_too_long(&self) -> bool {
        self.terms.len() > MOST_TERMS
    }

    /// The question of the rarest terms. `chunks` says how many chunks have a term; one that it does not name is rarest.
    pub fn of_the_rarest(self, chunks: &HashMap<String, i64>) -> Self {
        let mut terms: Vec<_> = self.terms.into_iter().zip(self.frequencies).collect();
        terms.sort_by_key(|(term, _)| chunks.get(term).copied().unwrap_or(0));
        terms.truncate(MOST_TERMS);
        let (terms, frequencies) = terms.into_iter().unzip();
        Self { terms, frequencies }
    }
}

/// A segment and the lists in it that the question asks for.
#[derive(Clone, Debug, Default)]
pub struct Source<'a> {
    /// Its chunks.
    pub n: u32,
    /// Their terms together.
    pub total_terms: u64,
    pub lists: Vec<Found<'a>>,
}

/// The postings of one term of the question.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Place of the term in the question.
    pub term: usize,
    pub chunks: u32,
    pub bytes: &'a [u8],
}

/// The score of every chunk of every segment.
#[derive(Clone, Debug)]
pub struct Scores {
    values: Vec<f32>,
    /// Where each segment begins.
    begins: Vec<usize>,
}

/// A chunk and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Which of the segments.
    pub source: usize,
    pub ordinal: u32,
    pub value: f32,
}

/// Scores all chunks. `frequencies` are the question's own, in the order that `Found::term` counts.
///
/// # Errors
/// Postings that cannot be read.
pub fn score(frequencies: &[u32], sources: &[Source<'_>]) -> Result<Scores, Corrupt> {
    let mut begins = Vec::with_capacity(sources.len());
    let (mut chunks, mut total_terms) = (0_usize, 0_u64);
    for source in sources {
        begins.push(chunks);
        chunks += source.n as usize;
        total_terms = total_terms.saturating_add(source.total_terms);
    }
    if u32::try_from(chunks).is_err() {
        return Err(Corrupt::Full { found: chunks as u64 });
    }
    let weights = weights(total_terms as f32 / chunks.max(1) as f32);
    let factors = factors(frequencies, sources, chunks as f32);
    let mut values = vec![0.0_f32; chunks];
    for (source, begin) in sources.iter().zip(&begins) {
        let Some(values) = values.get_mut(*begin..*begin + source.n as usize) else { continue };
        for found in &source.lists {
            add(values, found, source.n, factors.get(found.term).copied().unwrap_or(0.0), &weights)?;
        }
    }
    Ok(Scores { values, begins })
}

/// What each term is worth.
fn factors(frequencies: &[u32], sources: &[Source<'_>], chunks: f32) -> Vec<f32> {
    let mut with_term = vec![0_u64; frequencies.len()];
    for found in sources.iter().flat_map(|source| &source.lists) {
        if let Some(count) = with_term.get_mut(found.term) {
            *count += u64::from(found.chunks);
        }
    }
    let factor = |(frequency, count): (&u32, u64)| *frequency as f32 * idf(chunks, count as f32);
    frequencies.iter().zip(with_term).map(factor).collect()
}

fn idf(chunks: f32, with_term: f32) -> f32 {
    (((chunks - with_term).max(0.0) + 0.5) / (with_term + 0.5)).ln_1p()
}

/// Adds one term's share to the scores of a segment.
fn add(values: &mut [f32], found: &Found<'_>, n: u32, factor: f32, weights: &Weights) -> Result<(), Corrupt> {
    let mut counted = 0;
    for posting in Postings::new(found.bytes, n)? {
        let posting = posting?;
        if let Some(value) = values.get_mut(posting.ordinal as usize) {
            *value += factor * weights[usize::from(posting.frequency % FREQUENCIES)][usize::from(posting.length)];
        }
        counted += 1;
    }
    if counted == found.chunks { Ok(()) } else { Err(Corrupt::Count { counted: found.chunks, named: counted }) }
}

/// What an occurrence is worth, by frequency and by the byte of the chunk's length.
type Weights = [[f32; 256]; FREQUENCIES as usize];
const FREQUENCIES: u8 = MOST_FREQUENCY + 1;

fn weights(mean_length: f32) -> Box<Weights> {
    // Without a word there is no mean length, and nothing is weighed.
    let mean = if mean_length > 0.0 { mean_length } else { 1.0 };
    let norms: [f32; 256] = std::array::from_fn(|byte| K1 * (1.0 - B + B * length_of(byte as u8) / mean));
    let mut weights = Box::new([[0.0_f32; 256]; FREQUENCIES as usize]);
    for (frequency, row) in (0..=MOST_FREQUENCY).map(f32::from).zip(weights.iter_mut()) {
        for (norm, weight) in norms.iter().zip(row) {
            *weight = frequency * (K1 + 1.0) / (frequency + norm);
        }
    }
    weights
}

impl Scores {
    /// The best `count` chunks that have any score and that `allowed` lets pass, best first; of equals the one that was stored first.
    pub fn best(&self, count: usize, allowed: impl Fn(usize, u32) -> bool) -> Vec<Ranked> {
        if count == 0 {
            return Vec::new();
        }
        let most = count.min(self.values.len()).max(1);
        let mut top: Vec<(f32, usize, Ranked)> = Vec::with_capacity(most.saturating_mul(2));
        let mut above = 0.0;
        for (source, begin) in self.begins.iter().enumerate() {
            let end = self.begins.get(source + 1).copied().unwrap_or(self.values.len());
            let Some(values) = self.values.get(*begin..end) else { continue };
            for (ordinal, value) in (0_u32..).zip(values) {
                if *value > above && allowed(source, ordinal) {
                    top.push((*value, begin + ordinal as usize, Ranked { source, ordinal, value: *value }));
                    if top.len() == most * 2 {
                        top.select_nth_unstable_by(most - 1, better);
                        top.truncate(most);
                        above = top.last().map_or(0.0, |(value, ..)| *value);
                    }
                }
            }
        }
        top.sort_unstable_by(better);
        top.truncate(count);
        top.into_iter().map(|(.., ranked)| ranked).collect()
    }

    /// Chunks that have any score.
    pub fn matching(&self) -> usize {
        self.values.iter().filter(|value| **value > 0.0).count()
    }
}

fn better(a: &(f32, usize, Ranked), b: &(f32, usize, Ranked)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backends::lexical::{
        codec::List,
        segment::{Segment, build, total_terms},
    };

    /// BM25 by the book, over words that need no stemming, with exact lengths.
    fn by_the_book(texts: &[Vec<&str>], question: &[&str]) -> Vec<f32> {
        let mean = texts.iter().map(Vec::len).sum::<usize>() as f32 / texts.len() as f32;
        let one = |text: &Vec<&str>| {
            let term = |term: &&str| {
                let with = texts.iter().filter(|text| text.contains(term)).count() as f32;
                let idf = (1.0 + (texts.len() as f32 - with + 0.5) / (with + 0.5)).ln();
                let frequency = text.iter().filter(|word| *word == term).count() as f32;
                idf * frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * text.len() as f32 / mean))
            };
            question.iter().map(term).sum()
        };
        texts.iter().map(one).collect()
    }

    fn source<'a>(segment: &'a Segment, question: &Question) -> Source<'a> {
        let found = |(term, name): (usize, &String)| {
            segment.lists.get(name).map(|List { chunks, bytes }| Found { term, chunks: *chunks, bytes })
        };
        Source {
            n: segment.members.len() as u32,
            total_terms: total_terms(&segment.members),
            lists: question.terms.iter().enumerate().filter_map(found).collect(),
        }
    }

    proptest! {
        #[test]
        fn scores_are_those_of_the_book(
            texts in prop::collection::vec(prop::collection::vec(prop::sample::select(vec!["red", "green", "blue", "black", "white"]), 0..30), 1..40),
            question in prop::collection::vec(prop::sample::select(vec!["red", "green", "blue", "black", "pink"]), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            // Without a word there is no mean length.
            prop_assume!(texts.iter().any(|text| !text.is_empty()));
            let analyzer = Analyzer::default();
            let joined: Vec<_> = texts.iter().map(|text| text.join(" ")).collect();
            let chunks: Vec<_> = (0_i64..).zip(joined.iter().map(String::as_str)).collect();
            // The same chunks in two segments score as in one.
            let (first, second) = chunks.split_at(cut.index(chunks.len()));
            let segments = [build(&analyzer, first.iter().copied()), build(&analyzer, second.iter().copied())];
            let asked = Question::new(&analyzer, &question.join(" "));
            let sources: Vec<_> = segments.iter().map(|segment| source(segment, &asked)).collect();
            let scores = score(&asked.frequencies, &sources).unwrap();
            let expected = by_the_book(&texts, &question);
            for (found, expected) in scores.values.iter().zip(&expected) {
                // The length is kept within 2.3 %.
                prop_assert!((found - expected).abs() <= 0.023 * expected + 1e-4, "{found} is not {expected}");
            }
            let best = scores.best(5, |_, _| true);
            prop_assert_eq!(best.len(), scores.matching().min(5));
            let mut sorted: Vec<_> = scores.values.iter().copied().filter(|value| *value > 0.0).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted.truncate(5);
            prop_assert_eq!(best.iter().map(|ranked| ranked.value).collect::<Vec<_>>(), sorted);
        }
    }

    #[test]
    fn of_equals_the_first_wins_and_more_begin_like_fewer() {
        let scores = Scores { values: vec![1.0, 2.0, 1.0, 0.0, 1.0, 2.0], begins: vec![0, 2] };
        let places =
            |count| scores.best(count, |_, _| true).iter().map(|ranked| (ranked.source, ranked.ordinal)).collect::<Vec<_>>();
        let all = [(0, 1), (1, 3), (0, 0), (1, 0), (1, 2)];
        for count in 0..8 {
            assert_eq!(places(count), all[..count.min(5)], "{count}");
        }
        let even = scores.best(9, |source, ordinal| source == 1 && ordinal % 2 == 0);
        assert_eq!(even.iter().map(|ranked| ranked.ordinal).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn a_question_weighs_what_it_repeats() {
        let question = Question::new(&Analyzer::default(), "cats, dogs and the cat");
        assert_eq!(question, Question { terms: vec!["cat".into(), "dog".into()], frequencies: vec![2, 1] });
    }

    #[test]
    fn a_question_without_end_is_cut_to_its_rarest_terms() {
        let text: Vec<_> = (0..5_000).map(|n| format!("w{n}")).collect();
        let question = Question::new(&Analyzer::default(), &text.join(" "));
        assert!(question.is_too_long() && question.terms.len() == MOST_LOOKED_UP);
        let chunks = (0..5_000).map(|n| (format!("w{n}"), 5_000 - n)).collect();
        let rarest = question.of_the_rarest(&chunks);
        assert_eq!((rarest.terms.len(), rarest.terms[0].as_str()), (MOST_TERMS, "w1023"));
    }

    #[test]
    fn a_count_that_does_not_fit_its_postings_is_an_error() {
        let segment = build(&Analyzer::default(), [(1, "cat")]);
        let question = Question::new(&Analyzer::default(), "cat");
        let mut source = source(&segment, &question);
        source.lists[0].chunks = 7;
        assert_eq!(score(&question.frequencies, &[source]).unwrap_err(), Corrupt::Count { counted: 7, named: 1 });
    }
}
