//! Where the caller wants an answer to end: before the text that is complete first, wherever the pieces of the model part it. Pure.

/// Looks out for texts in what is written piece by piece.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// None of them empty.
    texts: Vec<String>,
    /// The end of what was written, which may be the beginning of one of them.
    held: String,
}

/// What of a piece may be shown.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// One of the texts came: nothing follows.
    pub(super) ended: bool,
}

impl Stops {
    pub(super) fn new(texts: &[String]) -> Self {
        Self { texts: texts.iter().filter(|text| !text.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Takes the next piece. What may be the beginning of a text waits for the next one.
    pub(super) fn push(&mut self, piece: &str) -> Shown {
        if self.texts.is_empty() {
            return Shown { text: piece.to_owned(), ended: false };
        }
        self.held.push_str(piece);
        if let Some(at) = first(&self.held, &self.texts) {
            let mut text = std::mem::take(&mut self.held);
            text.truncate(at);
            return Shown { text, ended: true };
        }
        let begun = self.texts.iter().map(|text| begun(&self.held, text)).max().unwrap_or_default();
        let text = self.held.drain(..self.held.len() - begun).collect();
        Shown { text, ended: false }
    }

    /// What waited, once nothing follows.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Where the text begins that is complete first; of those that end together, the longest.
fn first(written: &str, texts: &[String]) -> Option<usize> {
    let found = texts.iter().filter_map(|text| written.find(text.as_str()).map(|at| (at + text.len(), at)));
    found.min().map(|(_, at)| at)
}

/// The bytes at the end of `written` that `text` begins with.
fn begun(written: &str, text: &str) -> usize {
    let borders = text.char_indices().map(|(at, _)| at).skip(1);
    borders.filter(|&at| written.ends_with(&text[..at])).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(texts: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut stops = Stops::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let mut all = String::new();
        for piece in pieces {
            let Shown { text, ended } = stops.push(piece);
            all.push_str(&text);
            if ended {
                return (all, true);
            }
        }
        all.push_str(&stops.rest());
        (all, false)
    }

    #[test]
    fn an_answer_ends_before_the_first_text_wherever_pieces_part_it() {
        for (texts, pieces, expected, ended) in [
            (&["END"][..], &["one E", "N", "D two"][..], "one ", true),
            (&["END"], &["one E", "N two"], "one EN two", false),
            (&["END"], &["one EN"], "one EN", false),
            (&["aab"], &["aa", "ab"], "a", true),
            (&["x", "two"], &["one two x"], "one ", true),
            (&["aüü", "ü"], &["aü", "ü"], "a", true),
            (&["aüü", "ü"], &["aüü"], "a", true),
            (&["bü", "ü"], &["abü"], "a", true),
            (&["ü\n"], &["f", "ü", "\nr"], "f", true),
            (&[], &["a", "b"], "ab", false),
            (&[""], &["a", "b"], "ab", false),
        ] {
            assert_eq!(shown(texts, pieces), (expected.to_owned(), ended), "{texts:?} in {pieces:?}");
        }
    }

    #[test]
    fn what_cannot_become_one_of_the_texts_does_not_wait() {
        let mut stops = Stops::new(&["END".to_owned()]);
        assert_eq!(stops.push("all of it E").text, "all of it ");
        assert_eq!(stops.push("x").text, "Ex");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(pieces in prop::collection::vec("[abü]{0,4}", 0..8), texts in prop::collection::vec("[abü]{1,3}", 0..4)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let whole = pieces.concat();
            // As if the model wrote one character at a time.
            let ends = (0..=whole.len()).filter(|&end| whole.is_char_boundary(end));
            let first = ends.filter_map(|end| texts.iter().filter_map(|text| whole[..end].strip_suffix(text)).map(str::len).min()).next();
            let expected = (whole[..first.unwrap_or(whole.len())].to_owned(), first.is_some());
            prop_assert_eq!(shown(&texts, &pieces), expected);
        }
    }
}
