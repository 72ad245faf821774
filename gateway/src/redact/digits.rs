//! Groups of digits that stand so near to each other that they can be one number.

use super::around;

/// Characters between two groups of one number.
const MOST_BETWEEN: usize = 3;

/// Digits without anything between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Group {
    pub(super) fn len(self) -> usize {
        self.end - self.start
    }
}

/// Groups with nothing but marks between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    pub(super) groups: &'a [Group],
}

/// Calls for each run of a text.
pub(super) fn runs(text: &str, mut call: impl FnMut(Run<'_>)) {
    let bytes = text.as_bytes();
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + next;
        let end = bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| start + length);
        if groups.last().is_some_and(|last| !joins(&text[last.end..start])) {
            call(Run { text, groups: &groups });
            groups.clear();
        }
        groups.push(Group { start, end });
        at = end;
    }
    if !groups.is_empty() {
        call(Run { text, groups: &groups });
    }
}

fn joins(between: &str) -> bool {
    between.len() <= 4 * MOST_BETWEEN
        && between.chars().count() <= MOST_BETWEEN
        && between.chars().all(|character| matches!(plain(character), ' ' | '-' | '.' | '/' | '(' | ')'))
}

/// Typographic blanks and hyphens as the plain ones.
pub(super) fn plain(character: char) -> char {
    match character {
        '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' => ' ',
        '\u{2010}'..='\u{2013}' | '\u{2212}' => '-',
        other => other,
    }
}

impl<'a> Run<'a> {
    /// What stands behind a group, up to the next.
    pub(super) fn between(&self, at: usize) -> &'a str {
        match (self.groups.get(at), self.groups.get(at + 1)) {
            (Some(group), Some(next)) => &self.text[group.end..next.start],
            (_, _) => "",
        }
    }

    /// The one mark behind a group.
    pub(super) fn mark(&self, at: usize) -> Option<char> {
        let mut characters = self.between(at).chars();
        characters.next().filter(|_| characters.next().is_none()).map(plain)
    }

    /// Whether the groups from `at` on have these lengths and one same mark between them: that mark, a blank for a single group.
    pub(super) fn shape(&self, at: usize, lengths: &[usize]) -> Option<char> {
        let groups = self.groups.get(at..at + lengths.len())?;
        let same_lengths = groups.iter().zip(lengths).all(|(group, length)| group.len() == *length);
        if !same_lengths {
            return None;
        }
        let mark = if lengths.len() == 1 { Some(' ') } else { self.mark(at) };
        mark.filter(|mark| (at + 1..at + lengths.len() - 1).all(|at| self.mark(at) == Some(*mark)))
    }

    /// Copies the digits of some groups; `None` if there are more than fit.
    pub(super) fn digits<'b>(&self, at: usize, count: usize, into: &'b mut [u8]) -> Option<&'b [u8]> {
        let mut length = 0;
        for group in self.groups.get(at..at + count)? {
            let digits = &self.text.as_bytes()[group.start..group.end];
            into.get_mut(length..length + digits.len())?.copy_from_slice(digits);
            length += digits.len();
        }
        into.get(..length)
    }

    /// Whether the groups are no part of a longer number, word or name.
    pub(super) fn is_whole(&self, at: usize, count: usize) -> bool {
        let last = at + count - 1;
        let attached = |mark: Option<char>| matches!(mark, Some('-' | '.'));
        around::stands_alone(self.text, self.groups[at].start, self.groups[last].end)
            && !(at > 0 && attached(self.mark(at - 1)))
            && !attached(self.mark(last))
    }

    /// From the first of some groups to the last.
    pub(super) fn range(&self, at: usize, count: usize) -> std::ops::Range<usize> {
        self.groups[at].start..self.groups[at + count - 1].end
    }

    pub(super) fn before(&self, at: usize) -> &'a str {
        around::before(self.text, self.groups[at].start)
    }
}
