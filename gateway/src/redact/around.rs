//! What stands before and behind a candidate. Many numbers are told by that alone.

/// Bytes of the same line that are looked at.
const REACH: usize = 48;

/// The line before a place, as far as it is looked at.
pub(super) fn before(text: &str, at: usize) -> &str {
    let mut from = at.saturating_sub(REACH);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let before = &text[from..at];
    before.rfind('\n').map_or(before, |line| &before[line + 1..])
}

/// Whether letters or digits, or what joins them to one name, touch neither end.
pub(super) fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    begins_word(text, start) && ends_word(text, end)
}

pub(super) fn begins_word(text: &str, start: usize) -> bool {
    !text[..start].chars().next_back().is_some_and(is_word)
}

pub(super) fn ends_word(text: &str, end: usize) -> bool {
    !text[end..].chars().next().is_some_and(is_word)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether the last word before a place that is among either list is one of `yes`. The lists are parted by blanks and
/// in lower case; a word that ends with `*` stands for all that begin with it.
pub(super) fn nearest(before: &str, yes: &str, no: &str) -> Option<bool> {
    let words = before.rsplit(|character: char| !character.is_alphanumeric());
    words.filter(|word| word.starts_with(char::is_alphabetic)).find_map(|word| {
        let word = word.to_lowercase();
        if is_among(&word, yes) { Some(true) } else { is_among(&word, no).then_some(false) }
    })
}

pub(super) fn is_among(word: &str, words: &str) -> bool {
    words.split(' ').any(|wanted| match wanted.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == wanted,
    })
}
