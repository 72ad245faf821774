//! How much of what is looked for is found, and how much else: on a labelled set of made-up values that their check digits hold for,
//! and of look-alikes. The rules were made with one part in view; the other was written afterwards, with other sentences, and looked at
//! only to count.

use std::{collections::BTreeMap, fmt::Write, ops::Range};

use ragline_config::Redaction;
use ragline_gateway::redact::{Kind, Redactor};

const TUNED: &str = include_str!("data/redaction/tuned.txt");
const HELD: &str = include_str!("data/redaction/held.txt");

const ALL: Redaction =
    Redaction { emails: true, phones: true, ibans: true, cards: true, ip_addresses: true, national_ids: true, api_keys: true };

/// A text and the values in it. Look-alikes have none.
struct Example {
    kind: Kind,
    text: String,
    values: Vec<Range<usize>>,
}

/// A line is `+kind` or `-kind`, a tab, and the text with its values in `⟦⟧`. A `¦` parts what keys begin with, so that no scanner of
/// repositories takes the made-up ones for true.
fn examples(set: &str) -> Vec<Example> {
    set.lines()
        .map(|line| {
            let (label, text) = line.split_once('\t').unwrap();
            let kind = Kind::ALL.into_iter().find(|kind| kind.label() == &label[1..]).unwrap();
            let written = text.replace('¦', "").replace("\\n", "\n");
            let (mut text, mut values, mut rest) = (String::new(), Vec::new(), written.as_str());
            while let Some((before, value)) = rest.split_once('⟦') {
                let (value, after) = value.split_once('⟧').unwrap();
                text.push_str(before);
                values.push(text.len()..text.len() + value.len());
                text.push_str(value);
                rest = after;
            }
            text.push_str(rest);
            assert_eq!(label.starts_with('+'), !values.is_empty(), "{line}");
            Example { kind, text, values }
        })
        .collect()
}

#[derive(Clone, Copy, Default)]
struct Tally {
    right: u32,
    missed: u32,
    wrong: u32,
}

impl Tally {
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

/// A value counts as found if just it was found, as its kind. Whatever else is found anywhere counts as wrong.
fn tally(examples: &[Example], mistakes: &mut String) -> BTreeMap<Kind, Tally> {
    let redactor = Redactor::new(&ALL);
    let mut tallies: BTreeMap<Kind, Tally> = Kind::ALL.map(|kind| (kind, Tally::default())).into();
    for Example { kind, text, values } in examples {
        let found = redactor.find(text);
        for value in values {
            if found.iter().any(|found| found.kind == *kind && found.range == *value) {
                tallies.get_mut(kind).unwrap().right += 1;
            } else {
                tallies.get_mut(kind).unwrap().missed += 1;
                writeln!(mistakes, "missed {}: {text}", kind.label()).unwrap();
            }
        }
        for found in found.iter().filter(|found| found.kind != *kind || !values.contains(&found.range)) {
            tallies.get_mut(&found.kind).unwrap().wrong += 1;
            writeln!(mistakes, "wrong {} {}: {text}", found.kind.label(), &text[found.range.clone()]).unwrap();
        }
    }
    tallies
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are read with --nocapture")]
fn what_is_looked_for_is_found_and_little_else() {
    let mut failures = String::new();
    for (name, set) in [("tuned", TUNED), ("held", HELD)] {
        let examples = examples(set);
        let mut mistakes = String::new();
        let tallies = tally(&examples, &mut mistakes);
        let mut sum = Tally::default();
        for (kind, tally) in &tallies {
            let looks_alike = examples.iter().filter(|example| example.kind == *kind && example.values.is_empty()).count();
            let values = tally.right + tally.missed;
            let (precision, recall) = (tally.precision(), tally.recall());
            let line = format!(
                "{name} {}: {values} values, {looks_alike} look-alikes, precision {precision:.3}, recall {recall:.3}",
                kind.label()
            );
            println!("{line}");
            assert!(values >= 25 && looks_alike >= 25, "{line}: too few");
            if precision < 0.95 || recall < 0.9 {
                writeln!(failures, "{line}").unwrap();
            }
            sum = Tally { right: sum.right + tally.right, missed: sum.missed + tally.missed, wrong: sum.wrong + tally.wrong };
        }
        println!("{name} all: precision {:.3}, recall {:.3}", sum.precision(), sum.recall());
        if name == "tuned" {
            println!("{mistakes}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Texts that are hard for patterns: a rule that looks back or ahead without bound would need hours for a large file of them.
#[test]
fn the_time_is_linear_in_the_text() {
    const BYTES: usize = 16 << 10;
    let redactor = Redactor::new(&ALL);
    let hard = [
        "1",
        "1 ",
        "12-",
        "4111 ",
        "a@",
        "a.",
        "a@b.",
        "0:",
        ":",
        "=",
        "token=",
        "-----BEGIN RSA PRIVATE KEY-----",
        "eyJ",
        "eyJa.",
        "sk-",
        "://a:",
        "DE12 ",
        "+49 ",
        "(0",
        "AB12",
        "1.2.",
        "key: a1",
        "\u{a0}1",
    ];
    for piece in hard {
        // The best of three: other tests run beside this one.
        let time = |bytes: usize| {
            let text = piece.repeat(bytes / piece.len());
            let once = |_| {
                let begin = std::time::Instant::now();
                redactor.redact(&text);
                begin.elapsed().as_secs_f64()
            };
            (0..3).map(once).fold(f64::INFINITY, f64::min)
        };
        let (short, long) = (time(BYTES), time(BYTES * 4));
        assert!(long < short.max(0.02) * 12.0, "{piece:?}: {short} s for {BYTES} bytes, {long} s for four times as many");
    }
}
