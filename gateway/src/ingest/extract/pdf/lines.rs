//! One line of a page, and the characters it is made of.

/// A line of text as it stands on the page. Lengths are in the page's units.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) characters: usize,
    /// Where it begins and ends, along its direction.
    pub(super) start: f64,
    pub(super) end: f64,
    /// The height of its base line, upwards.
    pub(super) base: f64,
    /// Mean height of its letters.
    pub(super) size: f64,
    /// Quarter turns of its direction.
    pub(super) turn: u8,
}

impl Line {
    /// Whether it says the same at the same place, as letters do that are drawn twice to look bold.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        self.text == other.text
            && (self.base - other.base).abs() < self.size * 0.2
            && (self.start - other.start).abs() < self.size * 0.2
    }
}

/// Appends what a glyph stands for: ligatures as their letters, nothing for control and private characters.
pub(super) fn push(text: &mut String, glyph: &str) {
    for character in glyph.chars() {
        match character {
            '\u{FB00}' => text.push_str("ff"),
            '\u{FB01}' => text.push_str("fi"),
            '\u{FB02}' => text.push_str("fl"),
            '\u{FB03}' => text.push_str("ffi"),
            '\u{FB04}' => text.push_str("ffl"),
            '\u{FB05}' | '\u{FB06}' => text.push_str("st"),
            '\u{A0}' | '\t' | '\n' | '\r' => text.push(' '),
            '\u{E000}'..='\u{F8FF}' | '\u{FFFD}' | '\u{200B}' | '\u{FEFF}' => {}
            character if character.is_control() => {}
            character => text.push(character),
        }
    }
}

/// One blank between words, and no rows of dots.
pub(super) fn tidied(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches(['.', '\u{2026}']);
        let dots = word.len() - bare.len();
        let is_leader = dots >= 4 || (bare.is_empty() && tidied.ends_with('.'));
        let word = if is_leader { bare } else { word };
        if !tidied.is_empty() && !word.is_empty() {
            tidied.push(' ');
        }
        tidied.push_str(word);
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaders_of_a_table_of_contents_go() {
        assert_eq!(tidied("1.1 Scope . . . . . . . 12"), "1.1 Scope . 12");
        assert_eq!(tidied("Scope......... 12"), "Scope 12");
        assert_eq!(tidied("And so on...  it goes"), "And so on... it goes");
    }

    #[test]
    fn ligatures_become_letters() {
        let mut text = String::new();
        push(&mut text, "e\u{FB03}cient\u{0}\u{E010}");
        assert_eq!(text, "efficient");
    }
}
