//! The terms of a text: lower-case words, stemmed, without those that carry no meaning; and the cosine of two vectors. Pure.

use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

/// English words that say nothing about what a question is after, question words among them.
const STOP_WORDS: &str = "a about above after again all also am an and any are as at be because been before being below between both but by \
    can cannot could did do does doing don down during each else ever few for from further get give had has have having he her here hers him \
    his how i if in into is it its itself just may me might more most much must my no nor not now of off on once one only or other our out \
    over own per please same say says shall she should so some such tell than that the their them then there these they thing things this \
    those through to too two under until up us use used uses using very was way we were what when where whether which while who whom whose \
    why will with within without would you your";

/// The distinct terms of a text.
pub(crate) fn terms(text: &str) -> BTreeSet<String> {
    words(text).map(|(term, _)| term).collect()
}

/// Every word of a text that carries meaning, in lower case, behind its term.
pub(super) fn words(text: &str) -> impl Iterator<Item = (String, String)> {
    let stemmer = Stemmer::create(Algorithm::English);
    let words = text.unicode_words().map(str::to_lowercase).filter(|word| !is_stop_word(word));
    words.map(move |word| (stemmer.stem(&word).into_owned(), word))
}

/// Both have norm 1. `None` for vectors that cannot be compared.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> Option<f32> {
    (a.len() == b.len()).then(|| a.iter().zip(b).map(|(a, b)| a * b).sum())
}

fn is_stop_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP_WORDS.split_ascii_whitespace().collect());
    WORDS.contains(word.split(['\'', '’']).next().unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_stemmed_and_stop_words_left_out() {
        let found: Vec<_> = terms("What's the maximum number of Connections that PostgreSQL allows?").into_iter().collect();
        assert_eq!(found, ["allow", "connect", "maximum", "number", "postgresql"]);
    }
}
