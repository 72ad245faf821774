//! What a PromQL expression reads: its metrics and the names of its labels. Knows as much of the language as finding them takes.

use std::collections::BTreeSet;

/// Words that stand between expressions, or before a list of labels.
const OPERATORS: [&str; 10] = ["and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"];

/// The names of an expression, of both kinds.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Names {
    pub(super) metrics: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

/// Reads the names out of an expression.
pub(super) fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let mut rest = expression;
    let mut last = "";
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => rest = after(&rest[1..], '"').1,
            '[' => rest = after(rest, ']').1,
            '{' => {
                let (matchers, behind) = braces(&rest[1..]);
                names.labels.extend(matchers);
                rest = behind;
            }
            '(' if ["by", "without", "on", "ignoring"].contains(&last) => {
                let (list, behind) = after(&rest[1..], ')');
                names.labels.extend(list.split(',').map(|label| label.trim().to_owned()));
                rest = behind;
            }
            _ if word_begins(first) => {
                let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                if !OPERATORS.contains(&word) && !behind.trim_start().starts_with('(') && !aggregates(behind) {
                    names.metrics.insert(word.to_owned());
                }
                (last, rest) = (word, behind);
                continue;
            }
            // A number may end in a letter: 5m, 1e3.
            _ if first.is_ascii_digit() => rest = rest.trim_start_matches(|c| in_word(c) || c == '.'),
            _ => rest = &rest[first.len_utf8()..],
        }
        if !first.is_whitespace() {
            last = "";
        }
    }
    names
}

/// What comes before and behind the first `end`.
fn after(text: &str, end: char) -> (&str, &str) {
    text.split_once(end).unwrap_or((text, ""))
}

/// Whether a list of labels follows, as it does behind the name of an aggregation.
fn aggregates(behind: &str) -> bool {
    ["by", "without"].iter().any(|word| behind.trim_start().strip_prefix(word).is_some_and(|more| !more.starts_with(in_word)))
}

/// The labels of the matchers between braces, and what comes behind them. A value may hold a brace.
fn braces(text: &str) -> (Vec<String>, &str) {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['"', '}']).unwrap_or(rest.len());
        let label: String = rest[..end].chars().filter(|c| in_word(*c)).collect();
        if !label.is_empty() {
            labels.push(label);
        }
        match rest[end..].chars().next() {
            Some('"') => rest = after(&rest[end + 1..], '"').1,
            Some(_) => return (labels, &rest[end + 1..]),
            None => return (labels, ""),
        }
    }
}

fn word_begins(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[test]
fn metrics_and_labels_are_told_from_functions_words_and_values() {
    let of = |expression: &str| {
        let Names { metrics, labels } = names(expression);
        (metrics.into_iter().collect::<Vec<_>>().join(" "), labels.into_iter().collect::<Vec<_>>().join(" "))
    };
    let pair = |metrics: &str, labels: &str| (metrics.to_owned(), labels.to_owned());
    assert_eq!(of("up == 0"), pair("up", ""));
    assert_eq!(of(r#"sum by (a, b) (rate(x_total{c=~"y}z|sum", d!="e"}[5m])) / 1e3 > bool 0.5"#), pair("x_total", "a b c d"));
    assert_eq!(of("max(one) without (a) and on (b) two or absent(three)"), pair("one three two", "a b"));
    assert_eq!(of(r#"label_replace(time() - x, "to", "$1", "from", "(.+)")"#), pair("x", ""));
}
