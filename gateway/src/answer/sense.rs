//! What tells two questions apart that a vector takes for one: numbers, names, negations, opposites, and which way round. Pure. English
//! for the most part; in other languages numbers, names and capitals are all that is seen.

use std::{collections::BTreeSet, sync::LazyLock};

use rust_stemmers::{Algorithm, Stemmer};
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::terms::terms;

/// Words that turn a question into its opposite, which the cosine hardly sees.
const TURNING: &[&str] = &[
    "not", "no", "never", "without", "except", "cannot", "nor", "neither", "none", "before", "after", "more", "less", "least",
    "most",
];

/// Opposites that are asked about. A word may have several.
const OPPOSITES: &[(&str, &str)] = &[
    ("up", "down"),
    ("in inside into", "out outside"),
    ("on", "off"),
    ("over above", "under below"),
    ("begin start", "end stop finish"),
    ("open", "close"),
    ("enable activate", "disable deactivate"),
    ("increase raise grow", "decrease reduce lower shrink"),
    ("minimum minimal min smallest lowest shortest", "maximum maximal max largest highest longest"),
    ("first", "last"),
    ("next", "previous"),
    ("ascending", "descending"),
    ("import", "export"),
    ("upload", "download"),
    ("push", "pull"),
    ("send", "receive"),
    ("read", "write"),
    ("input", "output"),
    ("encode", "decode"),
    ("encrypt", "decrypt"),
    ("compress", "decompress"),
    ("add insert create", "remove delete drop"),
    ("grant", "revoke"),
    ("allow permit", "deny forbid prohibit"),
    ("accept", "reject refuse"),
    ("include", "exclude"),
    ("lock", "unlock"),
    ("connect", "disconnect"),
    ("install", "uninstall"),
    ("upgrade", "downgrade"),
    ("commit", "rollback"),
    ("merge", "split"),
    ("inner", "outer"),
    ("internal", "external"),
    ("public", "private"),
    ("local", "remote"),
    ("online", "offline"),
    ("client", "server"),
    ("primary", "replica standby secondary"),
    ("source", "target destination"),
    ("row", "column"),
    ("left", "right"),
    ("top", "bottom"),
    ("horizontal", "vertical"),
    ("early", "late"),
    ("old", "new"),
    ("old", "young"),
    ("high", "low"),
    ("long", "short"),
    ("large big", "small"),
    ("fast", "slow"),
    ("hot", "cold"),
    ("boil", "freeze"),
    ("positive", "negative"),
    ("advantage", "disadvantage"),
    ("buy buyer", "sell seller"),
    ("lend lender", "borrow borrower"),
    ("landlord", "tenant"),
    ("employer", "employee"),
    ("debit", "credit"),
    ("arrive arrival", "depart departure"),
    ("enter", "leave"),
    ("win", "lose"),
    ("parent", "child children"),
    ("adult", "child children"),
    ("male men", "female women"),
    ("mother", "father"),
    ("north", "south"),
    ("east", "west"),
];

/// Words between two others that cannot change places.
const ONE_WAY: &[&str] = &["to", "into", "by", "as"];

/// What both questions must agree on to share an answer.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sense {
    /// Words with a digit, words in capitals, and those that turn a question round.
    fixed: BTreeSet<String>,
    /// The [`OPPOSITES`] of which one side alone is named: the pair by its words, since this is kept in the cache and gateways of two
    /// versions may have two lists, and whether it is the second side.
    sides: BTreeSet<(String, bool)>,
    /// The terms on both sides of a word of [`ONE_WAY`].
    ways: BTreeSet<(String, String)>,
}

impl Sense {
    pub fn of(question: &str) -> Self {
        let decides = |word: &&str| {
            let lower = word.to_lowercase();
            let capitals = word.chars().count() > 1 && word.chars().all(|c| c.is_uppercase() || c == '_');
            capitals || word.chars().any(|c| c.is_ascii_digit()) || lower.ends_with("n't") || TURNING.contains(&lower.as_str())
        };
        let fixed = question.unicode_words().filter(decides).map(str::to_lowercase).collect();
        let words: Vec<String> = question.unicode_words().map(str::to_lowercase).collect();
        Self { fixed, sides: sides(&stems(words.iter().map(String::as_str))), ways: ways(&words) }
    }

    /// Whether one asks for something else than the other, though they sound alike.
    pub fn differs_from(&self, other: &Self) -> bool {
        let Self { fixed, sides, ways } = self;
        let opposed = sides.iter().any(|(pair, second)| other.sides.contains(&(pair.clone(), !second)));
        let turned = ways.iter().any(|(from, to)| from != to && other.ways.contains(&(to.clone(), from.clone())));
        *fixed != other.fixed || opposed || turned
    }
}

fn stems<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    words.into_iter().map(|word| stemmer.stem(word).into_owned()).collect()
}

fn sides(stemmed: &BTreeSet<String>) -> BTreeSet<(String, bool)> {
    static STEMS: LazyLock<Vec<[BTreeSet<String>; 2]>> =
        LazyLock::new(|| OPPOSITES.iter().map(|(one, other)| [one, other].map(|side| stems(side.split(' ')))).collect());
    let named = |((one, other), sides): (&(&str, &str), &[BTreeSet<String>; 2])| {
        let second = match sides.each_ref().map(|side| !side.is_disjoint(stemmed)) {
            [true, false] => false,
            [false, true] => true,
            [true, true] | [false, false] => return None,
        };
        Some((format!("{one}/{other}"), second))
    };
    OPPOSITES.iter().zip(STEMS.iter()).filter_map(named).collect()
}

fn ways(words: &[String]) -> BTreeSet<(String, String)> {
    let term = |word: &String| terms(word).pop_first();
    let around = |(at, word): (usize, &String)| {
        let (before, after) = (words.get(..at)?, words.get(at + 1..)?);
        if !ONE_WAY.contains(&word.as_str()) {
            return None;
        }
        Some((before.iter().rev().find_map(term)?, after.iter().find_map(term)?))
    };
    words.iter().enumerate().filter_map(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_a_question_is_kept_to_the_letter() {
        let cases: [(&str, &[&str]); 5] = [
            ("How do I restart the server?", &[]),
            ("Why does error 4011 come?", &["4011"]),
            ("Is it NOT allowed to leave?", &["not"]),
            ("Why doesn't VACUUM end?", &["doesn't", "vacuum"]),
            ("What is I?", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(Sense::of(text).fixed.into_iter().collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn opposites_and_ways_tell_questions_apart() {
        let cases = [
            ("How is the volume turned up?", "How is the volume turned down?", true),
            ("Which table is dropped?", "Which table is created?", true),
            ("When does the shop open?", "When does the shop open and close?", false),
            ("How do I begin?", "How can I start?", false),
            ("How do I convert miles to feet?", "How do I convert feet to miles?", true),
            ("How do I convert miles to feet?", "How can miles be converted to feet?", false),
            ("How do I divide hours by days?", "How do I divide days by hours?", true),
        ];
        for (question, other, expected) in cases {
            let (question, other) = (Sense::of(question), Sense::of(other));
            assert_eq!((question.differs_from(&other), other.differs_from(&question)), (expected, expected), "{question:?}");
        }
    }

    #[test]
    fn no_word_stands_on_both_sides_of_a_pair() {
        for (one, other) in OPPOSITES {
            assert!(stems(one.split(' ')).is_disjoint(&stems(other.split(' '))), "{one}: {other}");
        }
    }
}
