//! Where chunks begin and end: arithmetic on the sums of tokens and the borders between atoms.

use super::atoms::{Atom, Border};

/// The settings, in tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) overlap_percent: u32,
}

/// Share of a chunk that the next one repeats, at least and at most.
const OVERLAP_PERCENT: (u32, u32) = (10, 20);

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
pub(super) fn spans(atoms: &[Atom], total_tokens: u32, limits: Limits) -> Vec<Span> {
    let document = Document { atoms, total_tokens, limits };
    let mut spans = Vec::new();
    let (mut start, mut fresh) = (0, 0);
    while fresh < atoms.len() {
        let end = document.end(start, fresh);
        spans.push(Span { start, fresh, end });
        start = document.next_start(start, end);
        fresh = end;
    }
    spans
}

struct Document<'a> {
    atoms: &'a [Atom],
    total_tokens: u32,
    limits: Limits,
}

impl Document<'_> {
    fn before(&self, atom: usize) -> u32 {
        self.atoms.get(atom).map_or(self.total_tokens, |atom| atom.tokens_before)
    }

    fn tokens(&self, start: usize, end: usize) -> u32 {
        self.before(end) - self.before(start)
    }

    /// The end of the chunk that begins at `start`: the strongest border, among those the last, that leaves neither this chunk nor the
    /// last one too small.
    fn end(&self, start: usize, fresh: usize) -> usize {
        let count = self.atoms.len();
        let Limits { min, max, .. } = self.limits;
        if self.tokens(start, count) <= max {
            return count;
        }
        let least = min.saturating_add(SLACK).min(max);
        let mut best: Option<(bool, Border, usize)> = None;
        for end in fresh + 1..count {
            let size = self.tokens(start, end);
            if size > max {
                break;
            }
            let rest = self.tokens(end, count) + size * OVERLAP_PERCENT.0 / 100;
            let border = self.atoms[end].border;
            // A chunk too small is better than a word that is cut.
            let candidate = (size >= least && rest >= least && border > Border::Inside, border, end);
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
        let Some(first_fresh) = self.atoms.get(end) else { return end };
        let size = self.tokens(start, end);
        let least = (size * OVERLAP_PERCENT.0).div_ceil(100);
        let most = size * OVERLAP_PERCENT.1 / 100;
        let wanted = size * self.limits.overlap_percent.clamp(OVERLAP_PERCENT.0, OVERLAP_PERCENT.1) / 100;
        // At least one new atom must fit behind what is repeated.
        let room = self.limits.max.saturating_sub(self.before(end + 1) - first_fresh.tokens_before);
        let mut best: Option<((bool, u32), usize)> = None;
        for at in (start + 1..end).rev() {
            let overlap = self.tokens(at, end);
            if overlap > most.min(room) {
                break;
            }
            let border = self.atoms[at].border;
            if overlap < least || border == Border::Inside {
                continue;
            }
            // Sentences before words, then the nearest to what is wanted.
            let rank = (border < Border::Sentence, overlap.abs_diff(wanted));
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, at));
            }
        }
        best.map_or_else(|| self.nearest_below(start, end, wanted.min(room)), |(_, at)| at)
    }

    /// Where no border between words will do: as much as fits, cut inside a word.
    fn nearest_below(&self, start: usize, end: usize, most: u32) -> usize {
        (start + 1..end).rev().take_while(|at| self.tokens(*at, end) <= most).last().unwrap_or(end)
    }
}
