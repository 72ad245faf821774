//! The pieces of a chunk that get a vector each. A model that sees a whole chunk gets one; a small one gets short windows.

use crate::traits::embedder::Tokenizer;

/// Tokens by which a window may end early so that no word is cut.
const MOST_TOKENS_BACK: usize = 24;

/// The windows of a chunk, in order, `window_tokens` tokens each and without overlap; `None`: the chunk whole. A rest shorter than
/// half a window is made whole from the end of the chunk, so that no vector stands for a crumb.
pub fn windows<'t>(text: &'t str, window_tokens: Option<usize>, tokenizer: &dyn Tokenizer) -> Vec<&'t str> {
    let text = text.trim();
    let Some(size) = window_tokens.filter(|size| *size > 0) else { return vec![text] };
    let tokens = tokenizer.offsets(text);
    if tokens.len() <= size {
        return vec![text];
    }
    let begins_word = |token: usize| {
        let start = tokens[token].start;
        start == 0 || text[..start].ends_with(char::is_whitespace) || text[start..].starts_with(char::is_whitespace)
    };
    // The word border nearest before `token` that is no farther than `most`.
    let border =
        |token: usize, most: usize| (token.saturating_sub(most)..=token).rev().find(|at| begins_word(*at)).unwrap_or(token);
    let back = MOST_TOKENS_BACK.min(size / 4);
    let mut windows = Vec::with_capacity(tokens.len() / size + 1);
    let mut first = 0;
    while tokens.len() - first > size {
        let next = border(first + size, back);
        windows.push(text[tokens[first].start..tokens[next].start].trim());
        first = next;
    }
    if (tokens.len() - first) * 2 < size {
        let earliest = tokens.len() - size;
        first = (earliest..=first).find(|at| begins_word(*at)).unwrap_or(earliest);
    }
    windows.push(text[tokens[first].start..].trim());
    windows.retain(|window| !window.is_empty());
    windows
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    /// A token a letter.
    #[derive(Debug)]
    struct Letters;

    impl Tokenizer for Letters {
        fn offsets(&self, text: &str) -> Vec<Range<usize>> {
            text.char_indices()
                .filter(|(_, letter)| !letter.is_whitespace())
                .map(|(at, letter)| at..at + letter.len_utf8())
                .collect()
        }
    }

    #[test]
    fn windows_follow_one_another_and_a_crumb_is_made_whole() {
        assert_eq!(windows("ab cd ef gh ij", Some(4), &Letters), ["ab cd", "ef gh", "ij"]);
        assert_eq!(windows("ab cd ef gh i", Some(4), &Letters), ["ab cd", "ef gh", "gh i"]);
    }

    #[test]
    fn no_word_is_cut_that_need_not_be() {
        assert_eq!(windows("abc def ghi jkl", Some(8), &Letters), ["abc def", "ghi jkl"]);
        assert_eq!(windows("abcdefghij", Some(4), &Letters), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn a_short_chunk_and_a_model_that_sees_all_have_one_window() {
        assert_eq!(windows(" ab cd ", Some(4), &Letters), ["ab cd"]);
        assert_eq!(windows("ab cd ef", None, &Letters), ["ab cd ef"]);
        assert_eq!(windows("ab", Some(0), &Letters), ["ab"]);
    }
}
