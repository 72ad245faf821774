//! Guards against tags with very many attributes: the tokenizer compares each attribute of a tag with all before it.

use crate::ingest::extract::ExtractError;

/// Attributes that a tag may have.
pub(in super::super) const MOST_ATTRIBUTES: usize = 500;

/// Elements in whose content there are no tags.
const RAW: &[&[u8]] = &[b"script", b"style", b"xmp", b"iframe", b"noembed", b"noframes", b"title", b"textarea"];

/// Refuses a page with such a tag. Passes over comments, and over what stands inside of scripts and their like.
pub(super) fn check(text: &str, is_xml: bool) -> Result<(), ExtractError> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'<') {
        at += found + 1;
        let rest = &bytes[at..];
        if let Some(comment) = rest.strip_prefix(b"!--") {
            at += 3 + find(comment, b"-->").unwrap_or(comment.len());
            continue;
        }
        let name = rest.strip_prefix(b"/").unwrap_or(rest);
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let (length, attributes) = tag(rest);
        if attributes > MOST_ATTRIBUTES {
            return Err(ExtractError::TooManyAttributes);
        }
        at += length;
        if is_xml && rest[..length].ends_with(b"/>") {
            continue;
        }
        let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if let Some(raw) = RAW.iter().find(|raw| raw.eq_ignore_ascii_case(&rest[..word])) {
            at += end_of(&bytes[at..], raw);
        }
    }
    Ok(())
}

/// How long a tag is, and how many attributes it has at most.
fn tag(bytes: &[u8]) -> (usize, usize) {
    let mut attributes = 0;
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in bytes.iter().copied().enumerate() {
        match quote {
            Some(mark) if byte == mark => quote = None,
            Some(_) => {}
            None if byte == b'>' => return (at + 1, attributes),
            None if matches!(byte, b'"' | b'\'') && before == b'=' => quote = Some(byte),
            None if !is_blank(byte) && byte != b'=' && (is_blank(before) || matches!(before, b'/' | b'"' | b'\'')) => {
                attributes += 1;
            }
            None => {}
        }
        // A value may stand apart from its sign.
        if !(is_blank(byte) && before == b'=') {
            before = byte;
        }
    }
    (bytes.len(), attributes)
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'/'
}

/// How far it is to the end tag of such an element.
fn end_of(bytes: &[u8], name: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = find(&bytes[at..], b"</") {
        at += found;
        if bytes[at + 2..].get(..name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name)) {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_very_many_attributes_is_refused_however_it_is_written() {
        for attribute in [" a", " a=1", "/a='x'", "\na = \"<>\"", " <", " a=\"1\"b"] {
            let page = format!("<p>ok</p><p{}>no", attribute.repeat(MOST_ATTRIBUTES * 2 + 2));
            assert!(check(&page, false).is_err(), "{attribute}");
        }
    }

    #[test]
    fn long_values_scripts_and_comments_are_no_attributes() {
        let words = "a b ".repeat(2_000);
        for page in [
            format!("<p title=\"{words}\">"),
            format!("<p title = '{words}'>"),
            format!("<script>if (a <b {words}</script>"),
            format!("<!-- <b {words} -->"),
            format!("a < b {words}"),
        ] {
            assert!(check(&page, false).is_ok(), "{}", &page[..40]);
        }
    }
}
