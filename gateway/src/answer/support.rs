//! Support: whether a passage bears out a statement. By figures and shared words where they decide, else by meaning. Pure but for the
//! embedder; gateway/README.md tells how well it judges.

use std::{collections::BTreeSet, ops::Range, sync::OnceLock};

use unicode_segmentation::UnicodeSegmentation;

use super::{
    evidence::sentences,
    terms::{cosine, terms},
};
use crate::traits::{
    embedder::{EmbedError, Embedder},
    generator::NumberedPassage,
};

/// Sentences in a row that may bear a statement out together.
const IN_A_ROW: usize = 3;
/// From this share of a statement's words in a row of sentences on, they say it.
const ENOUGH_WORDS: f32 = 0.65;
/// Rows that a statement is compared with by meaning, those that share most words.
const MOST_ROWS: usize = 4;
/// What the best row must reach: its cosine, and its share of words times [`WORDS_WEIGHT`].
const ENOUGH: f32 = 0.85;
const WORDS_WEIGHT: f32 = 0.5;
/// Words that deny the next word which carries meaning. Contractions end in `n't`.
const DENYING: [&str; 9] = ["not", "no", "never", "cannot", "without", "none", "neither", "nothing", "nobody"];
/// Words behind one of these that it may deny.
const DENIED_WITHIN: usize = 6;
/// Of a passage without sentences, such as a table.
const MOST_CHARS: usize = 600;

/// A passage that statements are held against. It is taken apart once the first one is: most passages of a prompt are never cited.
#[derive(Debug)]
pub struct Ground {
    passage: NumberedPassage,
    parts: OnceLock<Parts>,
}

/// What a passage says.
#[derive(Debug)]
struct Parts {
    sentences: Vec<String>,
    terms: Vec<BTreeSet<String>>,
    stances: Vec<Stance>,
    /// Of the title, which names what the passage is about.
    title: BTreeSet<String>,
    figures: BTreeSet<u64>,
}

/// What a sentence says and what it denies, by terms.
#[derive(Debug, Default)]
struct Stance {
    said: BTreeSet<String>,
    denied: BTreeSet<String>,
}

/// A row of sentences with the share of a statement's words that it has.
#[derive(Debug)]
struct Row {
    sentences: Range<usize>,
    words: f32,
}

impl Ground {
    pub fn new(passage: NumberedPassage) -> Self {
        Self { passage, parts: OnceLock::new() }
    }

    pub(super) fn number(&self) -> u32 {
        self.passage.number
    }

    fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| Parts::of(&self.passage))
    }
}

impl Parts {
    fn of(passage: &NumberedPassage) -> Self {
        let NumberedPassage { number: _, title, text } = passage;
        let mut found = sentences(text);
        if found.is_empty() {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            found = lines.map(|line| line.chars().take(MOST_CHARS).collect()).collect();
        }
        let mut known = figures(text, true);
        known.extend(figures(title, true));
        let sets = found.iter().map(|sentence| terms(sentence)).collect();
        let stances = found.iter().map(|sentence| Stance::of(sentence)).collect();
        Self { sentences: found, terms: sets, stances, title: terms(title), figures: known }
    }

    /// Whether the sentence that is nearest to a statement by its words denies what the statement says, or the other way round, and no
    /// other one denies the same.
    fn contradicts(&self, statement: &str, words: &BTreeSet<String>) -> bool {
        let common = |terms: &BTreeSet<String>| words.intersection(terms).count() as f32;
        let about = self.terms.iter().zip(&self.stances);
        let about: Vec<_> = about.filter(|(terms, _)| common(terms) >= ENOUGH_WORDS * words.len().max(1) as f32).collect();
        let near = |terms: &BTreeSet<String>| common(terms) / words.union(terms).count().max(1) as f32;
        let nearest = about.iter().max_by(|(a, _), (b, _)| near(a).total_cmp(&near(b)));
        let stance = Stance::of(statement);
        nearest.is_some_and(|(_, other)| stance.contradicts(other)) && !about.iter().any(|(_, other)| stance.agrees(other))
    }

    /// The rows of sentences, those first that share most words with a statement.
    fn rows(&self, statement: &BTreeSet<String>) -> Vec<Row> {
        let last = self.sentences.len().saturating_sub(IN_A_ROW);
        let mut rows: Vec<Row> = (0..=last)
            .map(|begin| {
                let sentences = begin..(begin + IN_A_ROW).min(self.sentences.len());
                let has = |term: &&String| {
                    self.title.contains(*term) || self.terms[sentences.clone()].iter().any(|t| t.contains(*term))
                };
                let words = statement.iter().filter(has).count() as f32 / statement.len().max(1) as f32;
                Row { sentences, words }
            })
            .collect();
        rows.sort_by(|a, b| b.words.total_cmp(&a.words));
        rows.truncate(MOST_ROWS);
        rows
    }
}

/// For each statement with its passage, whether the passage bears it out. At most one request to the model.
///
/// # Errors
/// The embedder's, where words did not decide.
pub async fn judge(claims: &[(&str, &Ground)], embedder: &dyn Embedder) -> Result<Vec<bool>, EmbedError> {
    let mut verdicts = Vec::with_capacity(claims.len());
    let mut open: Vec<(usize, Vec<f32>, Range<usize>)> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for (index, (statement, ground)) in claims.iter().enumerate() {
        let ground = ground.parts();
        let words: BTreeSet<String> = terms(statement).into_iter().filter(|term| !is_figure(term)).collect();
        let right = figures(statement, false).is_subset(&ground.figures) && !ground.contradicts(statement, &words);
        let rows = ground.rows(&words);
        let best = rows.first().map_or(0.0, |row| row.words);
        // Without words there is nothing to judge.
        verdicts.push(right && (words.is_empty() || best >= ENOUGH_WORDS));
        if right && !words.is_empty() && best < ENOUGH_WORDS {
            let begin = texts.len();
            texts.push(statement.trim().to_owned());
            texts.extend(rows.iter().map(|row| ground.sentences[row.sentences.clone()].join(" ")));
            open.push((index, rows.iter().map(|row| row.words).collect(), begin..texts.len()));
        }
    }
    if open.is_empty() {
        return Ok(verdicts);
    }
    let vectors = embedder.embed_batch(&texts).await?;
    for (index, words, range) in open {
        let Some((statement, rows)) = vectors.get(range).and_then(<[_]>::split_first) else { continue };
        let reached =
            rows.iter().zip(words).map(|(row, words)| cosine(statement, row).unwrap_or_default() + WORDS_WEIGHT * words);
        verdicts[index] = reached.fold(0.0, f32::max) >= ENOUGH;
    }
    Ok(verdicts)
}

impl Stance {
    fn of(text: &str) -> Self {
        let mut stance = Self::default();
        let mut denies = 0;
        for word in text.unicode_words().map(str::to_lowercase) {
            if DENYING.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n\u{2019}t") {
                // Two in a row deny nothing.
                denies = if denies > 0 { 0 } else { DENIED_WITHIN };
                continue;
            }
            match terms(&word).pop_first() {
                Some(term) if denies > 0 => {
                    stance.denied.insert(term);
                    denies = 0;
                }
                Some(term) => {
                    stance.said.insert(term);
                }
                None => denies = denies.saturating_sub(1),
            }
        }
        stance
    }

    /// Both deny the same.
    fn agrees(&self, other: &Self) -> bool {
        !self.denied.is_disjoint(&other.denied)
    }

    /// One denies what the other says, which denies nothing.
    fn contradicts(&self, other: &Self) -> bool {
        let differ = |a: &Self, b: &Self| b.denied.is_empty() && a.denied.difference(&a.said).any(|term| b.said.contains(term));
        differ(self, other) || differ(other, self)
    }
}

fn is_figure(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The whole numbers of a text: of `3.14` those before and behind the point, of `1,008` the one, of `16MB` the 16; with `spelled` those in
/// words below a hundred as well.
fn figures(text: &str, spelled: bool) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut tens = None;
    for word in text.unicode_words().map(str::to_lowercase) {
        if is_figure(&word) {
            let parts = word.split(|c: char| !c.is_ascii_digit() && c != ',');
            found.extend(parts.filter_map(|part| part.replace(',', "").parse::<u64>().ok()));
        }
        if spelled {
            let unit = match word.as_str() {
                "once" => Some(1),
                "twice" => Some(2),
                word => (0..).zip(UNITS).find(|(_, name)| *name == word).map(|(number, _)| number),
            };
            found.extend(unit);
            found.extend(tens.zip(unit.filter(|unit| *unit < 10)).map(|(tens, unit): (u64, u64)| tens + unit));
            tens = (2..).zip(TENS).find(|(_, name)| *name == word).map(|(number, _)| number * 10);
            found.extend(tens);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::retrieve_fixture::Model;

    const TEXT: &str = "Ambrose Tull was the first keeper and served for thirty-one years. He was paid forty pounds a year. The lens has \
        1,008 prisms and was made in Paris. It is cleaned twice a day.";

    async fn borne_out(statement: &str) -> bool {
        let passage = NumberedPassage { number: 1, title: "lighthouse.md, Keepers".into(), text: TEXT.into() };
        judge(&[(statement, &Ground::new(passage))], &Model::default()).await.unwrap()[0]
    }

    #[test]
    fn figures_are_the_same_in_digits_and_words() {
        let found = |text| figures(text, true).into_iter().collect::<Vec<_>>();
        assert_eq!(found("thirty-one of 1,008, twice, 16MB or 3.5; sixty"), [1, 2, 3, 5, 16, 30, 31, 60, 1008].map(|n: u64| n));
        assert_eq!(figures("thirty-one of 31 and 00:25", false), BTreeSet::from([0, 25, 31]));
    }

    #[test]
    fn what_one_denies_the_other_must_not_say() {
        let contradict = |a: &str, b: &str| Stance::of(a).contradicts(&Stance::of(b));
        for (a, b, expected) in [
            ("Sequences are not replicated.", "Sequences are replicated.", true),
            ("It cannot be used with the feature.", "It can be used with the feature.", true),
            ("There's no performance difference.", "There is a performance difference.", true),
            ("It isn't stored.", "It is stored.", true),
            ("It is not stored.", "It is never stored.", false),
            ("They counted them once and never again.", "They counted them.", false),
            ("It is stored, and not readable.", "It is stored.", false),
            ("It is supported here, and not supported there.", "It is supported here.", false),
            ("Not without reason was it built.", "With reason it was built.", false),
            ("There is no difference in performance.", "There is no performance difference.", false),
        ] {
            assert_eq!(contradict(a, b), expected, "{a} {b}");
            assert_eq!(contradict(b, a), expected, "{b} {a}");
        }
    }

    #[tokio::test]
    async fn what_a_passage_says_is_borne_out_and_another_figure_is_not() {
        for (statement, expected) in [
            ("Ambrose Tull, the first keeper, served 31 years", true),
            ("Ambrose Tull, the first keeper, served 44 years", false),
            ("The lens consists of 1008 prisms from Paris", true),
            ("The lens consists of 1250 prisms from Paris", false),
            ("Yes, 40", true),
            ("The lens is not cleaned twice a day", false),
            ("It isn't cleaned twice a day", false),
            ("The lens is cleaned twice a day", true),
        ] {
            assert_eq!(borne_out(statement).await, expected, "{statement}");
        }
    }
}
