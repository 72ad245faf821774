//! A document as one text with its atoms: words, each with the number of tokens before it and the strength of the border at its
//! beginning. Every token is counted once; what is decided later needs sums only.

mod section;

use unicode_segmentation::UnicodeSegmentation;

use self::section::Section;
use crate::{
    ingest::extract::{Block, BlockKind},
    traits::embedder::Tokenizer,
};

/// A word, or a piece of one that is too long to be kept whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Tokens of all atoms before.
    pub(super) tokens_before: u32,
    pub(super) border: Border,
}

/// How well a cut before an atom suits; a later one suits better.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Border {
    /// Inside a word.
    Inside,
    /// Inside a record that fits in a chunk.
    Record,
    Word,
    /// A sentence, or a line of code, of a table or of a list.
    Sentence,
    Block,
    /// 7 less the level.
    Heading(u8),
}

/// A document, taken apart.
#[derive(Debug)]
pub(super) struct Atoms<'a> {
    pub(super) text: String,
    pub(super) items: Vec<Atom>,
    pub(super) tokens: u32,
    /// One a block.
    sections: Vec<Section<'a>>,
    paths: Vec<Vec<String>>,
}

/// Longest text that is handed to the tokenizer at once; some need a hundred times as much memory.
const MOST_BYTES_AT_ONCE: usize = 4_096;
/// A longer word can be cut inside, if need be.
const MOST_BYTES_OF_WORD: usize = 48;
/// Pieces of such words are at least so long.
const LEAST_BYTES_OF_PIECE: usize = 12;
/// Characters of a heading that are kept in the path.
const MOST_CHARACTERS_OF_HEADING: usize = 200;

impl<'a> Atoms<'a> {
    /// Takes the blocks apart. No atom has more than `most_tokens` tokens.
    pub(super) fn of(blocks: &'a [Block], most_tokens: u32, tokenizer: &dyn Tokenizer) -> Self {
        let room = blocks.iter().map(|block| block.text.len() + 2).sum();
        let mut atoms = Self {
            text: String::with_capacity(room),
            items: Vec::new(),
            tokens: 0,
            sections: Vec::new(),
            paths: vec![Vec::new()],
        };
        let mut headings: Vec<(u8, String)> = Vec::new();
        let mut after_heading = false;
        for block in blocks {
            let mut border = Border::Block;
            if let BlockKind::Heading(level) = block.kind {
                border = Border::Heading(7_u8.saturating_sub(level));
                headings.retain(|(above, _)| *above < level);
                let name = block.text.split_whitespace().collect::<Vec<_>>().join(" ");
                headings.push((level, name.chars().take(MOST_CHARACTERS_OF_HEADING).collect()));
                atoms.paths.push(headings.iter().map(|(_, name)| name.clone()).collect());
            }
            // A heading is not parted from what it heads.
            let border = if after_heading { Border::Word } else { border };
            after_heading = matches!(block.kind, BlockKind::Heading(_));
            let first = atoms.items.len();
            let path = atoms.paths.len() - 1;
            let text_from = atoms.add(block, border, most_tokens, tokenizer);
            let header = atoms.header(block, first, text_from, most_tokens);
            if block.kind == BlockKind::Record {
                atoms.keep_together(first, most_tokens);
            }
            atoms.sections.push(Section { block, first, text_from, path, header });
        }
        atoms
    }

    /// Tokens before an atom; the number of atoms stands for the end.
    pub(super) fn tokens_before(&self, atom: usize) -> u32 {
        self.items.get(atom).map_or(self.tokens, |atom| atom.tokens_before)
    }

    /// Adds a block. Returns where its text begins.
    fn add(&mut self, block: &Block, mut border: Border, most_tokens: u32, tokenizer: &dyn Tokenizer) -> usize {
        let mut separator = if self.text.is_empty() { "" } else { "\n\n" };
        let text_from = self.text.len() + separator.len();
        let units: Vec<&str> = match block.kind {
            BlockKind::Heading(_) | BlockKind::Paragraph => block.text.split_sentence_bounds().collect(),
            // An item of a list can be as long as a section.
            BlockKind::List => block.text.split_inclusive('\n').flat_map(UnicodeSegmentation::split_sentence_bounds).collect(),
            BlockKind::Code | BlockKind::Source | BlockKind::Comment | BlockKind::Table | BlockKind::Record => {
                block.text.split_inclusive('\n').collect()
            }
        };
        for unit in units.into_iter().flat_map(pieces_of_unit) {
            let from = self.text.len();
            self.text.push_str(separator);
            self.text.push_str(unit);
            if !unit.trim().is_empty() {
                self.add_unit(from, border, most_tokens, tokenizer);
                border = Border::Sentence;
            }
            separator = "";
        }
        self.text.truncate(self.text.trim_end().len());
        text_from
    }

    /// Adds the atoms of the text from `from` on.
    fn add_unit(&mut self, from: usize, first_border: Border, most_tokens: u32, tokenizer: &dyn Tokenizer) {
        let unit = &self.text[from..];
        let tokens = tokenizer.offsets(unit);
        let mut tokens = tokens.as_slice();
        let mut border = first_border;
        // A unit that was cut inside a word goes on with it.
        if border == Border::Sentence && from > 0 && !unit.starts_with(char::is_whitespace) {
            let before = self.text[..from].chars().next_back();
            if before.is_some_and(|before| !before.is_whitespace()) {
                border = Border::Inside;
            }
        }
        for (start, end, is_inside) in words(unit) {
            if is_inside {
                border = Border::Inside;
            }
            // A token belongs to the word in which it ends; blanks before a word belong to it.
            let its = tokens.partition_point(|token| token.end <= end);
            let (mine, later) = tokens.split_at(its);
            tokens = later;
            for piece in runs(mine, most_tokens, start, end) {
                let Piece { start, end, tokens } = piece;
                let (start, end) = ((from + start) as u32, (from + end) as u32);
                self.items.push(Atom { start, end, tokens_before: self.tokens, border });
                self.tokens += tokens;
                border = Border::Inside;
            }
            border = Border::Word;
        }
    }
}

struct Piece {
    start: usize,
    end: usize,
    tokens: u32,
}

/// A word whole, or cut between tokens when it has more than `most_tokens`.
fn runs(tokens: &[std::ops::Range<usize>], most_tokens: u32, start: usize, end: usize) -> Vec<Piece> {
    if tokens.len() <= most_tokens as usize {
        return vec![Piece { start, end, tokens: tokens.len() as u32 }];
    }
    let run = (most_tokens as usize / 8).max(1);
    let mut pieces: Vec<Piece> = Vec::new();
    for run in tokens.chunks(run) {
        let from = pieces.last().map_or(start, |piece| piece.end);
        let to = run.last().map_or(from, |token| token.end).clamp(from, end);
        pieces.push(Piece { start: from, end: to, tokens: run.len() as u32 });
    }
    if let Some(last) = pieces.last_mut() {
        last.end = end;
    }
    pieces
}

/// The words of a text, with `true` for one that goes on inside a longer word.
fn words(text: &str) -> Vec<(usize, usize, bool)> {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        if word.len() <= MOST_BYTES_OF_WORD {
            words.push((start, start + word.len(), false));
            continue;
        }
        let mut from = 0;
        for (at, part) in word.split_word_bound_indices() {
            let to = at + part.len();
            if to - from >= LEAST_BYTES_OF_PIECE || to == word.len() {
                words.push((start + from, start + to, from > 0));
                from = to;
            }
        }
    }
    words
}

/// A unit in pieces that the tokenizer can take, cut at blanks where there are some.
fn pieces_of_unit(mut unit: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while unit.len() > MOST_BYTES_AT_ONCE {
        let most = unit.floor_char_boundary(MOST_BYTES_AT_ONCE);
        let (piece, rest) = unit.split_at(unit[..most].rfind(char::is_whitespace).filter(|at| *at > 0).unwrap_or(most));
        pieces.push(piece);
        unit = rest;
    }
    pieces.push(unit);
    pieces
}
