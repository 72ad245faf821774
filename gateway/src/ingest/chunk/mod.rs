//! A document's text becomes chunks of a settled size that overlap. Pure; the time is linear in the text.

mod atoms;
mod span;

use ragline_config::Chunking;
use sha2::{Digest, Sha256};

use self::{
    atoms::Atoms,
    span::{Limits, Span},
};
use super::extract::Extracted;
use crate::traits::{
    embedder::Tokenizer,
    ingest::Hash,
    place::{ChunkKind, Place},
};

/// Changes whenever the same file and settings would give other chunks, so that stored documents are cut anew when they come again.
const ALGORITHM: &str = "ragline chunks 2";

/// A piece of a document, as it is found and cited.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chunk {
    /// Number in the document, from 0.
    pub position: u32,
    /// The header of the table that it begins in, what the chunk repeats of the one before, then what is new.
    pub text: String,
    pub tokens: u32,
    /// Tokens of the text that the chunk before has too.
    pub overlap_tokens: u32,
    /// The headings above the new text, outermost first.
    pub heading_path: Vec<String>,
    pub place: Place,
    /// What most of the new text is.
    pub kind: ChunkKind,
}

/// Cuts a document. A chunk has `minTokens` to `maxTokens` tokens, unless the document is shorter or a single word too long to obey;
/// a cut falls on the strongest border in reach: heading, block, sentence, word. Each chunk begins with the last 10 to 20 percent of
/// the tokens of the one before, whole sentences where some fit, as near to `overlapPercent` as they can be. A record that fits in a
/// chunk is not cut, though a chunk stays too small for it.
pub fn chunk(extracted: &Extracted, settings: &Chunking, tokenizer: &dyn Tokenizer) -> Vec<Chunk> {
    let limits = Limits { min: settings.min_tokens, max: settings.max_tokens, overlap_percent: settings.overlap_percent };
    let atoms = Atoms::of(&extracted.blocks, limits.max, tokenizer);
    let spans = span::spans(&atoms, limits);
    (0..).zip(spans).map(|(position, span)| atoms.chunk(position, span)).collect()
}

/// Over all that the chunks of a file and their vectors depend on, besides the file.
pub fn fingerprint(settings: &Chunking, model_name: &str) -> Hash {
    let Chunking { min_tokens, max_tokens, overlap_percent } = settings;
    let mut hasher = Sha256::new();
    hasher.update(ALGORITHM);
    for number in [min_tokens, max_tokens, overlap_percent] {
        hasher.update(number.to_le_bytes());
    }
    hasher.update(model_name);
    hasher.finalize().into()
}

impl Atoms<'_> {
    fn chunk(&self, position: u32, Span { start, fresh, end }: Span) -> Chunk {
        Chunk {
            position,
            text: self.text_of(start, end),
            tokens: self.header_tokens(start) + self.tokens_before(end) - self.tokens_before(start),
            overlap_tokens: self.tokens_before(fresh) - self.tokens_before(start),
            heading_path: self.heading_path(fresh, end).to_vec(),
            place: self.place(start, fresh, end),
            kind: self.kind(fresh, end),
        }
    }
}

#[cfg(test)]
mod tests;
