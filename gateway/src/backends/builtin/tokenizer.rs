//! WordPiece as the built-in model was trained with. The file's own truncation and padding are switched off: it would cut at 128.

use std::{ops::Range, path::Path};

use super::{LoadError, MAX_SEQUENCE_TOKENS};
use crate::traits::embedder::Tokenizer;

/// Bytes of a text that can matter to the model; what lies beyond is not even tokenized.
const MAX_SEQUENCE_BYTES: usize = 16 << 10;

/// The tokenizer of tokenizer.json.
#[derive(Debug)]
pub(super) struct WordPiece(tokenizers::Tokenizer);

impl WordPiece {
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        let unusable = |source| LoadError::Tokenizer { path: path.to_owned(), source };
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(unusable)?;
        tokenizer.with_truncation(None).map_err(unusable)?;
        tokenizer.with_padding(None);
        Ok(Self(tokenizer))
    }

    /// What the model is fed: the tokens between the two special ones, cut to what the model can see.
    pub(super) fn sequence(&self, text: &str) -> Result<Vec<i32>, tokenizers::Error> {
        let text = &text[..text.floor_char_boundary(MAX_SEQUENCE_BYTES)];
        let encoding = self.0.encode_fast(text, true)?;
        let mut ids: Vec<i32> = encoding.get_ids().iter().map(|&id| id.cast_signed()).collect();
        if ids.len() > MAX_SEQUENCE_TOKENS {
            let end = ids.last().copied().unwrap_or_default();
            ids.truncate(MAX_SEQUENCE_TOKENS - 1);
            ids.push(end);
        }
        Ok(ids)
    }
}

impl Tokenizer for WordPiece {
    fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let encoding = self.0.encode(text, false).expect("WordPiece with an unknown token takes every text");
        encoding.get_offsets().iter().map(|&(start, end)| start..end).collect()
    }

    fn count(&self, text: &str) -> usize {
        if text.is_empty() {
            return 0;
        }
        self.0.encode_fast(text, false).expect("WordPiece with an unknown token takes every text").len()
    }
}
