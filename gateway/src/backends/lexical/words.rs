//! The words of a text as they are indexed and asked for: Unicode words in lower case, without the stop words of Snowball's English
//! list, stemmed. Headings and titles are not added: the words of a heading are part of the text of the chunk that it opens.

use std::{collections::HashSet, sync::LazyLock};

use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

/// Raised with every change of what a text becomes; segments of an older one are made anew in the background.
pub const ANALYZER: i16 = 1;

/// A word is cut to this: a B-tree holds no key above 2,704 bytes, and nobody asks for longer ones.
const MOST_CHARACTERS: usize = 64;

/// The 127 words of Snowball's English list; measured better than the 33 of Lucene and than none.
const STOP_WORDS: &str = "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself \
    it its itself they them their theirs themselves what which who whom this that these those am is are was were be been being have has \
    had having do does did doing a an the and but if or because as until while of at by for with about against between into through \
    during before after above below to from up down in out on off over under again further then once here there when where why how all \
    any both each few more most other some such no nor not only own same so than too very s t can will just don should now";

/// Turns texts into terms.
pub struct Analyzer {
    stemmer: Stemmer,
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyzer").finish_non_exhaustive()
    }
}

impl Default for Analyzer {
    fn default() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English) }
    }
}

impl Analyzer {
    /// The terms of a text in order, repeated as they are.
    pub fn terms<'a>(&'a self, text: &'a str) -> impl Iterator<Item = String> + 'a {
        Self::words(text).filter_map(|word| self.term(word))
    }

    /// The words of a text as they stand in it.
    pub fn words(text: &str) -> impl Iterator<Item = &str> {
        text.unicode_words()
    }

    /// What a word is indexed as; nothing for a stop word.
    pub fn term(&self, word: &str) -> Option<String> {
        let word = word.chars().take(MOST_CHARACTERS).collect::<String>().to_lowercase().replace('’', "'");
        if is_stop_word(&word) {
            return None;
        }
        Some(self.stemmer.stem(&word).into_owned()).filter(|term| !term.is_empty())
    }
}

fn is_stop_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP_WORDS.split_ascii_whitespace().collect());
    // "What's" and "don't" say as little as "what" and "don".
    WORDS.contains(word.split('\'').next().unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        Analyzer::default().terms(text).collect()
    }

    #[test]
    fn words_are_stemmed_and_stop_words_left_out() {
        assert_eq!(terms("What's the number of Connections? It doesn’t matter."), ["number", "connect", "doesn't", "matter"]);
        assert_eq!(terms("PostgreSQL’s planner’s plans"), ["postgresql", "planner", "plan"]);
    }

    #[test]
    fn the_list_has_127_words() {
        assert_eq!(STOP_WORDS.split_ascii_whitespace().collect::<HashSet<_>>().len(), 127);
    }

    #[test]
    fn a_word_without_end_is_cut_on_a_character() {
        let long = terms(&"é".repeat(10_000));
        assert_eq!(long, ["é".repeat(MOST_CHARACTERS)]);
    }

    #[test]
    fn other_scripts_have_words_too() {
        assert_eq!(terms("Ёлка 東京"), ["ёлка", "東", "京"]);
    }
}
