//! Evidence: the sentences of the passages that bear on a question most, by shared terms and by meaning. What can be said of a
//! question's context without a language model rests on it.

use std::collections::{BTreeMap, BTreeSet};

use unicode_segmentation::UnicodeSegmentation;

use super::{commands, terms::terms};
use crate::traits::embedder::{EmbedError, Embedder};

/// Sentences that are compared by meaning; bounds the time that a question costs.
const CANDIDATES: usize = 24;
/// Longer runs of text are no sentences; they are cut.
const MOST_CHARS: usize = 600;
/// Shorter ones are headings and crumbs.
const LEAST_CHARS: usize = 20;

/// Prose has fewer of the signs that programs are made of.
const MOST_SIGNS_PERCENT: usize = 9;

/// One sentence and how it bears on the question.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Index of the passage.
    pub passage: usize,
    /// Number of the sentence in its passage.
    pub sentence: usize,
    pub text: String,
    /// Cosine to the question, -1 to 1.
    pub cosine: f32,
    /// Share of the question's terms that occur, rare ones weighing more, 0 to 1.
    pub overlap: f32,
}

impl Evidence {
    /// Both measures in one.
    pub fn strength(&self) -> f32 {
        0.65 * self.cosine + 0.35 * self.overlap
    }
}

/// How the question's terms weigh: those that fewer sentences have weigh more, those that none has weigh most.
#[derive(Debug)]
struct Weights(BTreeMap<String, f32>);

impl Weights {
    fn new(question: &BTreeSet<String>, sentences: &[BTreeSet<String>]) -> Self {
        let count = sentences.len() as f32;
        let weight = |term: &String| {
            let having = sentences.iter().filter(|s| s.contains(term)).count() as f32;
            (1.0 + (count + 1.0) / (having + 1.0)).ln()
        };
        Self(question.iter().map(|term| (term.clone(), weight(term))).collect())
    }

    fn covered(&self, present: &BTreeSet<String>) -> f32 {
        let total: f32 = self.0.values().sum();
        let covered: f32 = self.0.iter().filter(|(term, _)| present.contains(*term)).map(|(_, weight)| weight).sum();
        if total > 0.0 { covered / total } else { 0.0 }
    }
}

/// The strongest sentences first, at most [`CANDIDATES`].
///
/// # Errors
/// The embedder's.
pub async fn weigh(question: &str, passages: &[&str], embedder: &dyn Embedder) -> Result<Vec<Evidence>, EmbedError> {
    let mut candidates = candidates(question, passages);
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let question = embedder.embed(question).await?;
    let texts: Vec<String> = candidates.iter().map(|c| c.text.clone()).collect();
    for (candidate, vector) in candidates.iter_mut().zip(embedder.embed_batch(&texts).await?) {
        candidate.cosine = question.iter().zip(&vector).map(|(a, b)| a * b).sum();
    }
    candidates.sort_by(|a, b| b.strength().total_cmp(&a.strength()));
    Ok(candidates)
}

/// The sentences that share most with the question; among equals those of better passages.
fn candidates(question: &str, passages: &[&str]) -> Vec<Evidence> {
    let asked = terms(question);
    let mut found: Vec<(Evidence, BTreeSet<String>)> = Vec::new();
    for (passage, text) in passages.iter().enumerate() {
        for (sentence, text) in sentences(text).into_iter().enumerate() {
            let present = terms(&text);
            found.push((Evidence { passage, sentence, text, cosine: 0.0, overlap: 0.0 }, present));
        }
    }
    let present: Vec<BTreeSet<String>> = found.iter().map(|(_, terms)| terms.clone()).collect();
    let weights = Weights::new(&asked, &present);
    let mut candidates: Vec<Evidence> = found
        .into_iter()
        .map(|(mut evidence, present)| {
            evidence.overlap = weights.covered(&present);
            evidence
        })
        .collect();
    candidates.sort_by(|a, b| b.overlap.total_cmp(&a.overlap).then(a.passage.cmp(&b.passage)));
    candidates.truncate(CANDIDATES);
    candidates
}

/// The sentences of a passage. Lines that a text was wrapped at are joined; paragraphs, items of lists, rows of tables and commands of a
/// shell are not. Other program text has no sentences.
pub fn sentences(text: &str) -> Vec<String> {
    let cut = |sentence: &str| sentence.trim().chars().take(MOST_CHARS).collect::<String>();
    let of = |paragraph: &str| {
        if commands::are(paragraph) {
            return commands::each(paragraph).iter().map(|command| commands::quoted(&cut(command))).collect();
        }
        let statements = statements(paragraph).into_iter().filter(|statement| !is_program(statement));
        statements.flat_map(|statement| statement.unicode_sentences().map(cut).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    text.split("\n\n").flat_map(of).filter(|sentence| sentence.chars().count() >= LEAST_CHARS).collect()
}

/// The runs of lines of a paragraph that belong together.
fn statements(paragraph: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut row_before = false;
    for line in paragraph.lines() {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_row = words.contains(" | ") || commands::is_in_columns(line);
        let item = item(&words);
        let begins = is_row || row_before || item.is_some();
        row_before = is_row;
        let words = item.unwrap_or(&words);
        match found.last_mut() {
            Some(last) if !begins => {
                last.push(' ');
                last.push_str(words);
            }
            Some(_) | None => found.push(words.to_owned()),
        }
    }
    found
}

/// What a line says that begins an item of a list: `- `, `* `, `\u{2022} `, `1. ` or `a) `.
fn item(line: &str) -> Option<&str> {
    let (marker, rest) = line.split_once(' ')?;
    let counts = |n: &str| n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit());
    let numbered = marker.strip_suffix('.').is_some_and(counts);
    let lettered = marker.strip_suffix(')').is_some_and(|n| counts(n) || n.len() == 1);
    (matches!(marker, "-" | "*" | "+" | "\u{2022}" | "\u{2013}") || numbered || lettered).then_some(rest)
}

/// Whether a text is a program or its output: many of its characters are of a kind that prose has few of.
fn is_program(text: &str) -> bool {
    let written = text.chars().filter(|c| !c.is_whitespace()).count();
    let signs = text.chars().filter(|c| "{}[]<>=;$\\|&#~^_@+*/".contains(*c)).count();
    signs * 100 > written * MOST_SIGNS_PERCENT
}

/// Share of the question's terms that occur anywhere in the texts, 0 to 1, each term weighing the same.
pub fn coverage(question: &str, texts: &[&str]) -> f32 {
    let asked = terms(question);
    if asked.is_empty() {
        return 0.0;
    }
    let present: BTreeSet<String> = texts.iter().flat_map(|text| terms(text)).collect();
    asked.intersection(&present).count() as f32 / asked.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_join_wrapped_lines_and_leave_crumbs_out() {
        let text = "Chapter 3\n\nThe port is 5432 by\ndefault. It can be changed in the file.\n\nYes.";
        assert_eq!(sentences(text), ["The port is 5432 by default.", "It can be changed in the file."]);
    }

    #[test]
    fn items_of_a_list_and_rows_of_a_table_are_sentences_of_their_own() {
        let text = "The following can be set:\n- the port that the server\n  listens on\n- the folder of its data files\n1. Then start the server.";
        let found = [
            "The following can be set:",
            "the port that the server listens on",
            "the folder of its data files",
            "Then start the server.",
        ];
        assert_eq!(sentences(text), found);
        assert_eq!(sentences("port | the port it listens on\nhost | the host it listens on").len(), 2);
    }

    #[test]
    fn programs_have_no_sentences() {
        let text =
            "The table is made so:\n\nCREATE TABLE t (a int[], b text) WITH (fillfactor=70);\nSELECT a[1] FROM t WHERE b = 'x';";
        assert_eq!(sentences(text), ["The table is made so:"]);
        assert!(is_program("if (x == NULL) { return f(y->z); }"));
        assert!(!is_program("The file pg_hba.conf is read at the start; see max_connections (by default 100)."));
    }

    #[test]
    fn each_command_of_a_shell_and_each_line_in_columns_stands_alone() {
        let text = "Start it so:\n\n$ cd library\nmake dev RAGLINE_PORT=8080\n. target/dev/env  # address and key\n\n\
            make test      everything, on a bare machine\nmake test-gitops    Argo CD against a real cluster";
        let found = [
            "`make dev RAGLINE_PORT=8080`",
            "`. target/dev/env # address and key`",
            "make test everything, on a bare machine",
            "make test-gitops Argo CD against a real cluster",
        ];
        assert_eq!(sentences(text), found);
    }

    #[test]
    fn the_sentence_that_shares_rare_terms_comes_first() {
        let text =
            "The server listens on a port. The default port of the server is 5432 always. Servers are machines with ports.";
        let found = candidates("What is the default port?", &["Nothing of the kind is said in here.", text]);
        assert_eq!((found[0].passage, found[0].sentence), (1, 1));
        assert!(found[0].overlap > 0.9, "{}", found[0].overlap);
    }
}
