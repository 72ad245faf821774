//! cl100k, the tokenizer of OpenAI's embedding models; near enough for other servers' models to cut text by.

use std::ops::Range;

use crate::traits::embedder::Tokenizer;

/// The vocabulary is part of the program.
#[derive(Debug)]
pub(in crate::backends) struct Cl100k;

impl Tokenizer for Cl100k {
    fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let tokenizer = bpe_openai::cl100k_base();
        let mut offsets: Vec<Range<usize>> = Vec::new();
        let (mut start, mut end) = (0, 0);
        for token in tokenizer.encode(text) {
            end += tokenizer.bpe.token_len(token);
            // A token may end inside a character; it is then joined with the next.
            if text.is_char_boundary(end) {
                offsets.push(start..end);
                start = end;
            }
        }
        debug_assert_eq!(end, text.len());
        offsets
    }

    fn count(&self, text: &str) -> usize {
        bpe_openai::cl100k_base().count(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cover_the_text_on_character_borders() {
        for text in ["", "plain words, and more", "naïve 日本語 🦀🦀 text", "a\u{301}\n\n  b"] {
            let mut end = 0;
            for token in Cl100k.offsets(text) {
                assert_eq!(token.start, end);
                assert!(!text[token.clone()].is_empty());
                end = token.end;
            }
            assert_eq!(end, text.len());
        }
        assert_eq!(Cl100k.count("hello world"), 2);
    }
}
