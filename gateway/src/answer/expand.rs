//! Expansion: words that a question lacks, from the best passages of a first search by words. Pure.

use std::collections::BTreeMap;

use super::terms::{terms, words};

/// Shorter words say too little to search for.
const LEAST_CHARS: usize = 3;
/// How often the question's own words stand in the expanded text, and each further one once: BM25 weighs a word by that.
const OWN_WEIGHT: usize = 3;

/// The question with up to `count` words that its passages have in common and it lacks; `None` where they have none.
pub(super) fn expanded(question: &str, passages: &[&str], count: usize) -> Option<String> {
    let further = further(question, passages, count);
    let own = std::iter::repeat_n(question, OWN_WEIGHT);
    (!further.is_empty()).then(|| own.chain(further.iter().map(String::as_str)).collect::<Vec<_>>().join(" "))
}

/// Words of two passages or more, those first that make up the largest share of their passages.
fn further(question: &str, passages: &[&str], count: usize) -> Vec<String> {
    let own = terms(question);
    let mut found: BTreeMap<String, Candidate> = BTreeMap::new();
    for passage in passages {
        let mut here: BTreeMap<String, (usize, String)> = BTreeMap::new();
        let mut length = 0;
        for (term, word) in words(passage) {
            length += 1;
            if !own.contains(&term) && word.chars().count() >= LEAST_CHARS && !word.contains(|c: char| c.is_numeric()) {
                here.entry(term).or_insert((0, word)).0 += 1;
            }
        }
        for (term, (times, word)) in here {
            let candidate = found.entry(term).or_insert(Candidate { share: 0.0, passages: 0, word });
            candidate.share += times as f32 / length as f32;
            candidate.passages += 1;
        }
    }
    let mut found: Vec<Candidate> = found.into_values().filter(|candidate| candidate.passages >= 2).collect();
    found.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.word.cmp(&b.word)));
    found.into_iter().take(count).map(|candidate| candidate.word).collect()
}

/// A term that the question lacks.
struct Candidate {
    /// Of the words of each passage, summed up.
    share: f32,
    passages: usize,
    /// As it stands in the first passage that has it.
    word: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passages_have_in_common_is_added_and_the_question_counts_more() {
        let passages = ["Vacuuming removes dead tuples, tuples of 2024.", "Dead tuple storage grows", "Something else: bloat"];
        assert_eq!(further("why vacuum?", &passages, 10), ["tuples", "dead"]);
        assert_eq!(further("why vacuum?", &passages, 1), ["tuples"]);
        assert_eq!(expanded("why vacuum?", &passages, 1).unwrap(), "why vacuum? why vacuum? why vacuum? tuples");
    }

    #[test]
    fn without_anything_in_common_the_question_stays_alone() {
        for passages in [&[][..], &["only one passage"], &["", "!"], &["alpha beta", "gamma delta"]] {
            assert_eq!(expanded("why?", passages, 10), None);
        }
    }
}
