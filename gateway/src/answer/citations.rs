//! Citations: the markers `[n]` of an answer, checked against the passages that the generator was given. Pure.

use std::collections::BTreeSet;

/// An answer whose markers all name a passage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    pub text: String,
    /// The numbers that occur, in order.
    pub numbers: BTreeSet<u32>,
    /// Markers taken out because no passage has their number.
    pub dropped: usize,
}

/// Takes out every number that is not among `known`. `[1, 9]` with passages 1 to 5 becomes `[1]`.
pub fn check(text: &str, known: &BTreeSet<u32>) -> Checked {
    let mut checked = Checked { text: String::with_capacity(text.len()), numbers: BTreeSet::new(), dropped: 0 };
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, bracket) = rest.split_at(open);
        checked.text.push_str(before);
        let marker = bracket.find(']').and_then(|close| Some((numbers(&bracket[1..close])?, &bracket[close + 1..])));
        let Some((named, after)) = marker else {
            checked.text.push('[');
            rest = &bracket[1..];
            continue;
        };
        let kept: Vec<u32> = named.iter().copied().filter(|n| known.contains(n)).collect();
        checked.dropped += named.len() - kept.len();
        if kept.is_empty() {
            let trimmed = checked.text.trim_end_matches(' ').len();
            checked.text.truncate(trimmed);
        } else {
            let marker = kept.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            checked.text.push_str(&format!("[{marker}]"));
            checked.numbers.extend(kept);
        }
        rest = after;
    }
    checked.text.push_str(rest);
    checked
}

/// The numbers of a marker, `None` for brackets that are no marker.
fn numbers(inside: &str) -> Option<Vec<u32>> {
    if inside.len() > 40 {
        return None;
    }
    inside.split(',').map(|n| n.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_passage_is_taken_out() {
        let cases: [(&str, &str, &[u32], usize); 6] = [
            ("It is so [1].", "It is so [1].", &[1], 0),
            ("So [7]. And [2].", "So. And [2].", &[2], 1),
            ("Both [1, 2, 9].", "Both [1, 2].", &[1, 2], 1),
            ("An array a[i] and [see] [3]", "An array a[i] and [see] [3]", &[3], 0),
            ("Open [1", "Open [1", &[], 0),
            ("[2][1]", "[2][1]", &[1, 2], 0),
        ];
        for (text, expected, numbers, dropped) in cases {
            let checked = check(text, &(1..=3).collect());
            assert_eq!(checked.text, expected);
            assert_eq!(checked.numbers.iter().copied().collect::<Vec<_>>(), numbers, "{text}");
            assert_eq!(checked.dropped, dropped, "{text}");
        }
    }
}
