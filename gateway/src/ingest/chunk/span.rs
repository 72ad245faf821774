//! Where chunks begin and end: arithmetic on the sums of tokens and the borders between atoms.

use super::atoms::{Atoms, Border};

/// The settings, in tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) overlap_percent: u32,
}

/// Share of a chunk that the next one repeats: at least, wanted, at most. A pipeline's share lies in the same bounds as all of them; one
/// that a caller asked for is kept more narrowly.
fn overlap(percent: u32) -> (u32, u32, u32) {
    match percent {
        10..=20 => (10, percent, 20),
        _ => (percent.saturating_sub(5), percent, (percent + 5).min(55)),
    }
}

/// Some tokenizers merge what stands on both sides of a border, so that a chunk counted by sums has a few tokens less.
const SLACK: u32 = 4;

/// The atoms of one chunk: `start..fresh` is repeated, `fresh..end` is new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) fresh: usize,
    pub(super) end: usize,
}

/// All chunks, in order. Each begins before or where the one before ends, and ends later.
pub(super) fn spans(atoms: &Atoms<'_>, limits: Limits) -> Vec<Span> {
    let document = Document { atoms, limits };
    let mut spans = Vec::new();
    let (mut start, mut fresh) = (0, 0);
    while fresh < atoms.items.len() {
        let end = document.end(start, fresh);
        spans.push(Span { start, fresh, end });
        start = document.next_start(start, end);
        fresh = end;
    }
    spans
}

struct Document<'a> {
    atoms: &'a Atoms<'a>,
    limits: Limits,
}

impl Document<'_> {
    fn tokens(&self, start: usize, end: usize) -> u32 {
        self.atoms.tokens_before(end) - self.atoms.tokens_before(start)
    }

    /// The end of the chunk that begins at `start`: the strongest border, among those the last, that leaves neither this chunk nor the
    /// last one too small.
    fn end(&self, start: usize, fresh: usize) -> usize {
        let count = self.atoms.items.len();
        let Limits { min, max, .. } = self.limits;
        let header = self.atoms.header_tokens(start);
        if header + self.tokens(start, count) <= max {
            return count;
        }
        let least = min.saturating_add(SLACK).min(max);
        let mut best: Option<(bool, Border, usize)> = None;
        for end in fresh + 1..count {
            let size = header + self.tokens(start, end);
            if size > max {
                break;
            }
            let rest = self.tokens(end, count) + size * overlap(self.limits.overlap_percent).0 / 100;
            let border = self.atoms.items[end].border;
            // A chunk too small is better than a word or a record that is cut.
            let candidate = (size >= least && rest >= least && border > Border::Record, border, end);
            let is_better = best.is_none_or(|(fits, border, _)| {
                if candidate.0 || fits {
                    (candidate.0, candidate.1) >= (fits, border)
                } else {
                    candidate.1.min(Border::Word) >= border.min(Border::Word)
                }
            });
            if is_better {
                best = Some(candidate);
            }
        }
        best.map_or(fresh + 1, |(_, _, end)| end)
    }

    /// Where the chunk after `start..end` begins.
    fn next_start(&self, start: usize, end: usize) -> usize {
        let (least, wanted, most) = overlap(self.limits.overlap_percent);
        if end >= self.atoms.items.len() || wanted == 0 {
            return end;
        }
        let size = self.atoms.header_tokens(start) + self.tokens(start, end);
        let (least, wanted, most) = ((size * least).div_ceil(100), size * wanted / 100, size * most / 100);
        // At least one new atom must fit behind what is repeated.
        let room = |at| self.limits.max.saturating_sub(self.tokens(end, end + 1) + self.atoms.header_tokens(at));
        let mut best: Option<((bool, bool, u32), usize)> = None;
        for at in (start + 1..end).rev() {
            let overlap = self.tokens(at, end);
            if overlap > most.min(room(at)) {
                break;
            }
            let border = self.atoms.items[at].border;
            if overlap < least || border == Border::Inside {
                continue;
            }
            // Sentences before lines of a record before words, then the nearest to what is wanted.
            let rank = (border < Border::Sentence, border == Border::Word, overlap.abs_diff(wanted));
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, at));
            }
        }
        best.map_or_else(|| self.nearest_below(start, end, wanted.min(room(end - 1))), |(_, at)| at)
    }

    /// Where no border between words will do: as much as fits, cut inside a word.
    fn nearest_below(&self, start: usize, end: usize, most: u32) -> usize {
        (start + 1..end).rev().take_while(|at| self.tokens(*at, end) <= most).last().unwrap_or(end)
    }
}
