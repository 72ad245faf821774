//! Passages become a text again: what a passage repeats of the one before (see [`super::chunk`]) is left out. Pure.

/// Lines of a table's header that a passage may repeat before what it shares with the one before.
const MOST_HEADER_LINES: usize = 3;

/// Adds the next passage to a text that ends with the one before, of which it repeats the end.
pub fn join(text: &mut String, before: &str, next: &str) {
    if let Some(shared) = shared(before, next) {
        return text.push_str(&next[shared..]);
    }
    // The header of a table stands before what is repeated.
    let mut header = 0;
    for line in next.split_inclusive('\n').take(MOST_HEADER_LINES) {
        header += line.len();
        if !text.contains(next[..header].trim_end()) {
            break;
        }
        if let Some(shared) = shared(before, &next[header..]) {
            return text.push_str(&next[header + shared..]);
        }
    }
    text.push_str("\n\n");
    text.push_str(next);
}

/// Bytes that `next` begins with and `before` ends with, the most there are.
fn shared(before: &str, next: &str) -> Option<usize> {
    let most = before.len().min(next.len());
    let mut starts = before.char_indices().map(|(at, _)| at).filter(|at| before.len() - at <= most);
    starts.find(|at| next.starts_with(&before[*at..])).map(|at| before.len() - at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ragline_config::Chunking;

    use super::*;
    use crate::{
        ingest::{chunk::chunk, extract::extract},
        traits::embedder::Tokenizer,
    };

    /// Tokens are words.
    #[derive(Debug)]
    struct Words;

    impl Tokenizer for Words {
        fn offsets(&self, text: &str) -> Vec<std::ops::Range<usize>> {
            let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
            text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect()
        }
    }

    fn joined(passages: &[&str]) -> String {
        let mut text = passages[0].to_owned();
        for pair in passages.windows(2) {
            join(&mut text, pair[0], pair[1]);
        }
        text
    }

    #[test]
    fn what_is_repeated_comes_once() {
        assert_eq!(joined(&["One. Two. Three.", "Three. Four.", "Four. Five."]), "One. Two. Three. Four. Five.");
        assert_eq!(joined(&["ä ö", "ö ü"]), "ä ö ü");
        assert_eq!(joined(&["One.", "Two."]), "One.\n\nTwo.");
    }

    #[test]
    fn the_header_of_a_table_comes_once() {
        let passages = ["name | age\nA | 1\nB | 2", "name | age\nB | 2\nC | 3", "name | age\nC | 3\nD | 4"];
        assert_eq!(joined(&passages), "name | age\nA | 1\nB | 2\nC | 3\nD | 4");
    }

    proptest! {
        #[test]
        fn a_text_that_was_cut_is_whole_again(words in prop::collection::vec("[a-z]{1,9}[.]?", 1..400)) {
            // No word comes twice: a text that repeats itself may be cut where nobody can tell what is repeated.
            let text = words.iter().enumerate().map(|(number, word)| format!("{number}{word}")).collect::<Vec<_>>().join(" ");
            let extracted = extract(text.as_bytes(), "a.txt", None).unwrap();
            let settings = Chunking { min_tokens: 16, max_tokens: 32, overlap_percent: 15 };
            let chunks = chunk(&extracted, &settings, &Words);
            let passages: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
            prop_assert_eq!(joined(&passages), text);
        }
    }
}
