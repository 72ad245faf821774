//! Citations: the markers `[n]` of a sentence, and what is left of them once each was judged. Pure.

use std::ops::Range;

use super::{request::Mark, sentence::MOST_MARKER_BYTES, terms::terms};

/// Passages that a range such as `[1-4]` may name.
const MOST_RANGE: u32 = 20;
/// Fewer terms than this before a marker are no statement of their own; the sentence is then.
const LEAST_TERMS: usize = 3;

/// A marker in a sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Marker {
    /// Bytes of the sentence, brackets included.
    pub(super) place: Range<usize>,
    /// What it names.
    pub(super) numbers: Vec<u32>,
    /// What it is to bear out: the words since the marker before it, else the sentence.
    pub(super) statement: String,
}

/// A sentence whose markers were judged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Checked {
    pub(super) text: String,
    /// `at` counts from the beginning of the sentence.
    pub(super) marks: Vec<Mark>,
}

/// The markers of a sentence. Brackets in program text are none; `in_code` tells whether a block of it is open, before and after. A marker
/// at the beginning belongs to the sentence `before`.
pub(super) fn markers(sentence: &str, before: &str, in_code: &mut bool) -> Vec<Marker> {
    let mut places: Vec<(Range<usize>, Vec<u32>)> = Vec::new();
    let mut at = 0;
    while let Some(found) = sentence[at..].find(['[', '`']) {
        let begin = at + found;
        let rest = &sentence[begin..];
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        at = begin + ticks.max(1);
        if ticks >= 3 {
            *in_code = !*in_code;
        } else if ticks > 0 && !*in_code {
            // Only what is closed is program text.
            at += rest[ticks..].find(&rest[..ticks]).map_or(0, |close| close + ticks);
        } else if ticks == 0 && !*in_code {
            let marker = rest.find(']').and_then(|close| Some((begin..begin + close + 1, numbers(&rest[1..close])?)));
            if let Some((place, numbers)) = marker {
                at = place.end;
                places.push((place, numbers));
            }
        }
    }
    with_statements(sentence, before, places)
}

fn with_statements(sentence: &str, sentence_before: &str, places: Vec<(Range<usize>, Vec<u32>)>) -> Vec<Marker> {
    let mut whole = String::with_capacity(sentence.len());
    let mut end = 0;
    for (place, _) in &places {
        whole.push_str(&sentence[end..place.start]);
        end = place.end;
    }
    whole.push_str(&sentence[end..]);
    let mut found: Vec<Marker> = Vec::with_capacity(places.len());
    let mut begin = 0;
    for (place, numbers) in places {
        let before = &sentence[begin..place.start];
        begin = place.end;
        let count = terms(before).len();
        let statement = match found.last() {
            Some(last) if count == 0 => last.statement.clone(),
            None if before.trim().is_empty() && !sentence_before.is_empty() => sentence_before.to_owned(),
            Some(_) | None if count < LEAST_TERMS => whole.clone(),
            Some(_) | None => before.to_owned(),
        };
        found.push(Marker { place, numbers, statement });
    }
    found
}

/// The sentence with the numbers that `keep` says yes to; it is given the index of the marker and the number. `[1, 9]` of which only 1
/// is kept becomes `[1]`.
pub(super) fn keep(sentence: &str, markers: &[Marker], keep: impl Fn(usize, u32) -> bool) -> Checked {
    let mut checked = Checked { text: String::with_capacity(sentence.len()), marks: Vec::new() };
    let mut end = 0;
    for (index, Marker { place, numbers, statement: _ }) in markers.iter().enumerate() {
        checked.text.push_str(&sentence[end..place.start]);
        end = place.end;
        let mut kept: Vec<u32> = numbers.iter().copied().filter(|&number| keep(index, number)).collect();
        kept.dedup();
        if kept.is_empty() {
            let trimmed = checked.text.trim_end_matches(' ').len();
            checked.text.truncate(trimmed);
            continue;
        }
        let at = checked.text.chars().count();
        checked.marks.extend(kept.iter().map(|&number| Mark { number, at }));
        let named = kept.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        checked.text.push_str(&format!("[{named}]"));
    }
    checked.text.push_str(&sentence[end..]);
    checked
}

/// The numbers of a marker, as in `1`, `1, 2` and `1-3`; `None` for brackets that are no marker.
pub(super) fn numbers(inside: &str) -> Option<Vec<u32>> {
    if inside.len() > MOST_MARKER_BYTES {
        return None;
    }
    let mut named = Vec::new();
    for part in inside.split([',', ';']) {
        match part.split_once(['-', '\u{2013}']) {
            None => named.push(part.trim().parse().ok()?),
            Some((first, last)) => {
                let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
                if last < first || last - first >= MOST_RANGE {
                    return None;
                }
                named.extend(first..=last);
            }
        }
    }
    Some(named)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(text: &str) -> Checked {
        keep(text, &markers(text, "", &mut false), |_, number| (1..=3).contains(&number))
    }

    #[test]
    fn a_number_without_a_passage_is_taken_out() {
        /// What is said, what is left of it, the markers with their places.
        type Case<'a> = (&'a str, &'a str, &'a [(u32, usize)]);
        let cases: [Case<'_>; 10] = [
            ("It is so [1].", "It is so [1].", &[(1, 9)]),
            ("So [7]. And [2].", "So. And [2].", &[(2, 8)]),
            ("Both [1, 2, 9].", "Both [1, 2].", &[(1, 5), (2, 5)]),
            ("All [1-3].", "All [1, 2, 3].", &[(1, 4), (2, 4), (3, 4)]),
            ("An array a[i] and [see] [3]", "An array a[i] and [see] [3]", &[(3, 24)]),
            ("Open [1", "Open [1", &[]),
            ("[2][1]", "[2][1]", &[(2, 0), (1, 3)]),
            ("Wörter [1]", "Wörter [1]", &[(1, 7)]),
            ("Read `a[9]` first [1]", "Read `a[9]` first [1]", &[(1, 18)]),
            ("A tick ` and [9] more", "A tick ` and more", &[]),
        ];
        for (text, expected, marks) in cases {
            let checked = known(text);
            assert_eq!(checked.text, expected);
            assert_eq!(checked.marks, marks.iter().map(|&(number, at)| Mark { number, at }).collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn a_block_of_program_text_has_no_markers() {
        let mut in_code = false;
        assert!(markers("```sql\n", "", &mut in_code).is_empty() && in_code);
        assert!(markers("SELECT a[1];\n", "", &mut in_code).is_empty() && in_code);
        assert!(markers("```\n", "", &mut in_code).is_empty() && !in_code);
        assert_eq!(markers("So [1].", "", &mut in_code).len(), 1);
    }

    #[test]
    fn a_marker_bears_out_what_stands_before_it() {
        let statements =
            |text: &str| markers(text, "It was said.", &mut false).into_iter().map(|m| m.statement).collect::<Vec<_>>();
        let text = "The default port is 5432 [1], and the socket lies under /tmp by default [2][3].";
        let second = ", and the socket lies under /tmp by default ";
        assert_eq!(statements(text), ["The default port is 5432 ", second, second]);
        assert_eq!(statements("According to [1], the port is 5432."), ["According to , the port is 5432."]);
        assert_eq!(statements("[1][2] Then the port."), ["It was said.", "It was said."]);
    }

    proptest! {
        #[test]
        fn without_judgement_nothing_is_lost(text in "([a-z ]|\\[|\\]|[0-9]|,|`|é){0,60}") {
            let found = markers(&text, "", &mut false);
            let checked = keep(&text, &found, |_, _| false);
            prop_assert!(checked.marks.is_empty());
            prop_assert!(keep(&text, &found, |_, _| true).text.len() >= checked.text.len());
        }
    }
}
