//! Text that is being written, held back until a sentence is complete: only then can be judged what it cites. Pure.

use unicode_segmentation::UnicodeSegmentation;

use super::citations::numbers;

/// A run of text that is longer is let go without its end; bounds what is held and how long a reader waits.
const MOST_CHARS: usize = 1_200;
/// Characters of a last word that is no abbreviation.
const LEAST_LAST_WORD: usize = 3;
/// A bracket that is not closed by then is no marker.
pub(super) const MOST_MARKER_BYTES: usize = 40;

/// What was written and not yet let go.
#[derive(Debug, Default)]
pub(super) struct Held(String);

impl Held {
    pub(super) fn push(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Takes the sentences that are complete, each with the markers behind it that are there.
    pub(super) fn complete(&mut self) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut taken = 0;
        for end in ends(&self.0) {
            sentences.push(self.0[taken..end].to_owned());
            taken = end;
        }
        self.0.drain(..taken);
        while let Some(end) = too_long(&self.0) {
            sentences.push(self.0.drain(..end).collect());
        }
        sentences
    }

    /// Takes all that is left; nothing follows.
    pub(super) fn rest(&mut self) -> Vec<String> {
        let mut sentences = self.complete();
        sentences.extend(Some(std::mem::take(&mut self.0)).filter(|rest| !rest.is_empty()));
        sentences
    }
}

/// Where sentences end that nothing written later can change.
fn ends(text: &str) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    for (border, _) in text.split_sentence_bound_indices().skip(1) {
        // An opening bracket right behind a full stop is taken for a part of the sentence.
        let border = text[..border].trim_end_matches('[').len();
        match behind(&text[border..]) {
            Some(markers) if ends.last().is_none_or(|&last| border + markers > last) => ends.push(border + markers),
            Some(_) => {}
            None => return ends,
        }
    }
    let last = ends.last().copied().unwrap_or_default();
    if is_ended(&text[last..]) {
        ends.push(text.len());
    }
    ends
}

/// Whether a full stop and a space end the text, so that nobody need wait for the next word. A marker that comes after all stands at the
/// beginning of the next sentence. What may be an abbreviation or the number of an item waits.
fn is_ended(text: &str) -> bool {
    let said = text.trim_end();
    let Some(said) = said.strip_suffix(['.', '!', '?']).filter(|_| said.len() < text.len()) else { return false };
    said.ends_with(']') || said.chars().rev().take_while(|c| c.is_alphanumeric()).count() >= LEAST_LAST_WORD
}

/// The bytes of the markers that stand at the beginning; `None` while it depends on what follows.
fn behind(text: &str) -> Option<usize> {
    let mut end = 0;
    loop {
        let rest = text[end..].trim_start_matches(' ');
        let begin = text.len() - rest.len();
        if rest.is_empty() {
            return None;
        }
        let Some(inside) = rest.strip_prefix('[') else { return Some(end) };
        match inside.find(']') {
            Some(close) if numbers(&inside[..close]).is_some() => end = begin + close + 2,
            None if inside.len() < MOST_MARKER_BYTES => return None,
            Some(_) | None => return Some(end),
        }
    }
}

/// Where text without an end of a sentence is cut: behind a word, before a bracket that may become a marker.
fn too_long(text: &str) -> Option<usize> {
    let (most, _) = text.char_indices().nth(MOST_CHARS)?;
    let open = text[..most].rfind('[').filter(|open| most - open < MOST_MARKER_BYTES && !text[*open..most].contains(']'));
    let end = open.filter(|open| *open > 0).unwrap_or(most);
    let word = text[..end].rfind(char::is_whitespace).filter(|space| *space > 0);
    Some(word.unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is let go after each character, and at the end.
    fn let_go(text: &str) -> Vec<String> {
        let mut held = Held::default();
        let mut sentences = Vec::new();
        for character in text.chars() {
            held.push(character.encode_utf8(&mut [0; 4]));
            sentences.extend(held.complete());
        }
        sentences.extend(held.rest());
        sentences
    }

    #[test]
    fn a_sentence_waits_for_the_markers_behind_it() {
        let cases: [(&str, &[&str]); 7] = [
            ("It is so [1]. And so [2]. Yes", &["It is so [1]. ", "And so [2]. ", "Yes"]),
            ("It is so. [1] [2, 3] Then this.", &["It is so. [1] [2, 3]", " Then this."]),
            ("It costs 3.14 [1].", &["It costs 3.14 [1]."]),
            ("It is known. [1] Then e.g. this.", &["It is known. ", "[1] Then e.g. this."]),
            ("One line\nAnother [2]\n", &["One line\n", "Another [2]\n"]),
            ("So it is. [See] There", &["So it is. ", "[See] There"]),
            ("本文です。[1]次です。", &["本文です。[1]", "次です。"]),
        ];
        for (text, expected) in cases {
            assert_eq!(let_go(text), expected);
        }
    }

    #[test]
    fn a_sentence_that_ended_waits_for_no_other() {
        let complete = |text: &str| {
            let mut held = Held::default();
            held.push(text);
            held.complete().len()
        };
        for (text, sentences) in
            [("It is so [1]. ", 1), ("So is Rome! ", 1), ("It is so [1].", 0), ("Ask Dr. ", 0), ("It is so. [1", 0)]
        {
            assert_eq!(complete(text), sentences, "{text}");
        }
    }

    #[test]
    fn text_without_an_end_is_let_go_behind_a_word() {
        let text = "word ".repeat(1_000);
        let sentences = let_go(&text);
        assert!(sentences.len() >= 4 && sentences.iter().all(|s| s.chars().count() <= MOST_CHARS));
        assert_eq!(sentences.concat(), text);
        let marked = format!("{} [1]", "x".repeat(MOST_CHARS - 2));
        assert_eq!(let_go(&marked).concat(), marked);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_marker_is_torn(words in prop::collection::vec("[a-zé]{1,8}|\\[[0-9]{1,2}\\]|\\.|\n|\\[x", 0..80)) {
            let text = words.join(" ");
            let sentences = let_go(&text);
            prop_assert_eq!(sentences.concat(), text.clone());
            prop_assert!(sentences.iter().all(|s| !s.trim_end().ends_with('[')));
        }
    }
}
