//! What a chunk knows of the blocks that it was cut from: where it stands, under which headings, and the header of its table.

use super::{Atoms, Block, BlockKind, Border};
use crate::traits::place::{ChunkKind, Lines, Place};

/// One block and where it begins.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) block: &'a Block,
    pub(super) first: usize,
    /// In the text of the document.
    pub(super) text_from: usize,
    pub(super) path: usize,
    pub(super) header: Option<Header>,
}

/// The header of a table, repeated in chunks that begin with a later row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    from: usize,
    to: usize,
    tokens: u32,
    /// The first atom behind it.
    rows: usize,
    /// Tokens that are left for an atom in a chunk that repeats it.
    room: u32,
}

/// A header that fills more of a chunk than one part in so many is not repeated.
const HEADER_SHARE: u32 = 4;
/// A record that has at most this share of a chunk, in percent, is not cut: the rest is for what a chunk repeats.
const RECORD_PERCENT: u32 = 80;

impl Atoms<'_> {
    /// Tokens of the header that a chunk repeats when it begins with this atom.
    pub(in super::super) fn header_tokens(&self, start: usize) -> u32 {
        self.header_of(start).map_or(0, |header| header.tokens)
    }

    /// The text from one atom to before another, with the header of the table that it begins in.
    pub(in super::super) fn text_of(&self, start: usize, end: usize) -> String {
        let text = &self.text[self.items[start].start as usize..self.items[end - 1].end as usize];
        match self.header_of(start) {
            Some(header) => format!("{}\n{text}", &self.text[header.from..header.to]),
            None => text.to_owned(),
        }
    }

    /// The headings above the text that begins with an atom; headings at its very beginning are among them.
    pub(in super::super) fn heading_path(&self, atom: usize, end: usize) -> &[String] {
        let mut at = self.section(atom);
        while self.sections.get(at).is_some_and(|section| matches!(section.block.kind, BlockKind::Heading(_)))
            && self.sections.get(at + 1).is_some_and(|next| next.first < end)
        {
            at += 1;
        }
        self.sections.get(at).map_or(&[], |section| &self.paths[section.path])
    }

    /// Where the text from `start` to before `end` stands, of which `fresh` is the first that is new.
    pub(in super::super) fn place(&self, start: usize, fresh: usize, end: usize) -> Place {
        let block = |atom| self.sections.get(self.section(atom)).map(|section| section.block);
        let from = self.line(start, self.items[start].start);
        let to = self.line(end - 1, self.items[end - 1].end.saturating_sub(1));
        Place {
            page: block(start).and_then(|block| block.page),
            sheet: block(fresh).and_then(|block| block.sheet.as_deref()).map(str::to_owned),
            lines: from.zip(to).map(|(from, to)| Lines { from, to: to.max(from) }),
        }
    }

    /// What most of the text from one atom to before another is.
    pub(in super::super) fn kind(&self, fresh: usize, end: usize) -> ChunkKind {
        let kinds = [ChunkKind::Doc, ChunkKind::Code, ChunkKind::Comment];
        let mut sizes = [0_u32; 3];
        let mut atom = fresh;
        let mut at = self.section(fresh);
        while atom < end {
            let next = self.sections.get(at + 1).map_or(end, |next| next.first.min(end));
            let kind = self.sections.get(at).map_or(ChunkKind::Doc, |section| kind(section.block.kind));
            let size = self.tokens_before(next) - self.tokens_before(atom);
            if let Some(place) = kinds.iter().position(|other| *other == kind) {
                sizes[place] += size;
            }
            (atom, at) = (next.max(atom), at + 1);
        }
        let largest = sizes.iter().copied().max().unwrap_or(0);
        kinds.into_iter().zip(sizes).find(|(_, size)| *size == largest).map_or(ChunkKind::Doc, |(kind, _)| kind)
    }

    /// The header of a table that was just added, whose atoms are not parted from each other nor from the first row.
    pub(super) fn header(&mut self, block: &Block, first: usize, text_from: usize, most_tokens: u32) -> Option<Header> {
        if !block.has_header {
            return None;
        }
        let to = text_from + block.text.find('\n')?;
        let rows = first + self.items[first..].partition_point(|atom| (atom.start as usize) < to);
        let tokens = self.tokens_before(rows) - self.tokens_before(first);
        if rows == self.items.len() || tokens * HEADER_SHARE > most_tokens {
            return None;
        }
        for atom in self.items[first..rows].iter_mut().skip(1) {
            atom.border = Border::Inside;
        }
        self.items[rows].border = Border::Word;
        Some(Header { from: text_from, to, tokens, rows, room: most_tokens - tokens })
    }

    /// Keeps a record that was just added in one chunk, where it fits.
    pub(super) fn keep_together(&mut self, first: usize, most_tokens: u32) {
        if (self.tokens - self.tokens_before(first)) * 100 > most_tokens * RECORD_PERCENT {
            return;
        }
        for atom in self.items[first..].iter_mut().skip(1) {
            atom.border = if atom.border == Border::Sentence { Border::Record } else { Border::Inside };
        }
    }

    fn header_of(&self, start: usize) -> Option<Header> {
        let header = self.sections.get(self.section(start)).and_then(|section| section.header)?;
        let first = self.tokens_before(start + 1) - self.tokens_before(start);
        (start >= header.rows && first <= header.room).then_some(header)
    }

    fn section(&self, atom: usize) -> usize {
        self.sections.partition_point(|section| section.first <= atom).saturating_sub(1)
    }

    /// The line of the file for a place in the text, at an atom that holds it.
    fn line(&self, atom: usize, at: u32) -> Option<u32> {
        let section = self.sections.get(self.section(atom))?;
        section.block.lines.at((at as usize).saturating_sub(section.text_from))
    }
}

fn kind(kind: BlockKind) -> ChunkKind {
    match kind {
        BlockKind::Source => ChunkKind::Code,
        BlockKind::Comment => ChunkKind::Comment,
        BlockKind::Heading(_)
        | BlockKind::Paragraph
        | BlockKind::Code
        | BlockKind::Table
        | BlockKind::List
        | BlockKind::Record => ChunkKind::Doc,
    }
}
