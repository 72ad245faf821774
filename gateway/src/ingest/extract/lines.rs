//! Which lines of the file a block's text came from.

use std::ops::Range;

/// Pairs of a place in a block's text and the line of the file that begins there, in rising order. Empty: not known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LineMap(Vec<(u32, u32)>);

impl LineMap {
    /// Of a text whose lines are the file's, from line `first` on.
    pub(super) fn each(text: &str, first: u32) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let mut map = Self::default();
        for (line, at) in (first..).zip(starts) {
            map.mark(at, line);
        }
        map
    }

    /// Says that the text from `at` on is of this line; `at` and `line` do not fall.
    pub(super) fn mark(&mut self, at: usize, line: u32) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        match self.0.last_mut() {
            Some((last, of)) if *last == at => *of = line,
            Some((_, of)) if *of == line => {}
            Some(_) | None => self.0.push((at, line)),
        }
    }

    /// Follows the text after some of its ranges, which rise, were replaced by texts of these lengths. What began inside of one begins
    /// behind it now.
    pub(in crate::ingest) fn replaced(&mut self, replaced: impl Iterator<Item = (Range<usize>, usize)>) {
        let mut replaced = replaced.peekable();
        let (mut removed, mut added) = (0, 0);
        let mut moved = Self::default();
        let mut least = 0;
        for (at, line) in &self.0 {
            while let Some((range, length)) = replaced.next_if(|(range, _)| range.start < *at as usize) {
                least = range.end;
                removed += range.len();
                added += length;
            }
            moved.mark((*at as usize).max(least) + added - removed, *line);
        }
        *self = moved;
    }

    /// The line of a place in the text.
    pub fn at(&self, at: usize) -> Option<u32> {
        let after = self.0.partition_point(|(start, _)| (*start as usize) <= at);
        self.0.get(after.saturating_sub(1)).map(|(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_line_that_begins_before_it() {
        let map = LineMap::each("ab\ncd\n", 7);
        assert_eq!([0, 2, 3, 5].map(|at| map.at(at)), [Some(7), Some(7), Some(8), Some(8)]);
        assert_eq!(LineMap::default().at(0), None);
    }

    #[test]
    fn lines_follow_what_was_replaced() {
        let mut map = LineMap::each("a secret\nb\nlong\nsecret c\nd", 1);
        // A word of the first line, and what begins on the third line and ends on the fourth.
        map.replaced([(2..8, 3), (11..22, 3)].into_iter());
        let text = "a xxx\nb\nxxx c\nd";
        let lines = ["a", "b", "c", "d"].map(|word| map.at(text.find(word).unwrap()));
        assert_eq!(lines, [Some(1), Some(2), Some(4), Some(5)]);
    }
}
