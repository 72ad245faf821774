//! Addresses of e-mail: found by their `@`.

use std::ops::Range;

const MOST_LOCAL: usize = 64;
const MOST_DOMAIN: usize = 253;
/// What stands behind the last dot of names that have an `@` in them: of files, `logo@2x.png`, and of units, `getty@tty1.service`.
const FILES: [&str; 19] = [
    "service", "socket", "timer", "target", "mount", "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "scss", "js",
    "mjs", "json", "html", "pdf",
];

pub(super) fn find(text: &str, add: &mut dyn FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(next) = text[at..].find('@') {
        let sign = at + next;
        at = sign + 1;
        if let Some(range) = address(text, sign) {
            at = range.end;
            add(range);
        }
    }
}

fn address(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = local(text, sign)?;
    let end = domain(text, sign + 1)?;
    // A path behind a colon: the remote of a repository, `git@host:owner/name`.
    let mut behind = text[end..].chars();
    let is_remote = behind.next() == Some(':') && behind.next().is_some_and(char::is_alphanumeric) && {
        let path = text[end + 1..].char_indices().take(MOST_DOMAIN).take_while(|(_, character)| !character.is_whitespace());
        path.clone().any(|(_, character)| character == '/')
    };
    (!is_remote && !is_user(&text[..start])).then_some(start..end)
}

/// Whether the user of an address of the web is meant, `https://user:password@host`.
fn is_user(before: &str) -> bool {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'?' | b'/');
    let user = before.bytes().rev().take(MOST_DOMAIN).take_while(|byte| !ends(byte)).count();
    before.as_bytes()[..before.len() - user].ends_with(b"://")
}

/// Where the part before the sign begins.
fn local(text: &str, sign: usize) -> Option<usize> {
    let mut start = sign;
    for (at, character) in text[..sign].char_indices().rev() {
        if sign - at > MOST_LOCAL || !(character.is_alphanumeric() || ".!#$%&'*+-=?^_`{|}~".contains(character)) {
            break;
        }
        start = at;
    }
    // Marks that belong to the sentence or the code around it.
    let local = &text[start..sign];
    let trimmed = local.trim_start_matches(|character: char| ".!#$%&'*+-=?^`{|}~".contains(character));
    let trimmed = trimmed.rsplit(['=', '`', '|', '{', '}', '?', '&', '*']).next().unwrap_or(trimmed);
    let start = sign - trimmed.len();
    let is_handle = text[..start].ends_with('@');
    let is_sane =
        trimmed.starts_with(|character: char| character.is_alphanumeric() || character == '_') && !trimmed.ends_with('.');
    (is_sane && !is_handle).then_some(start)
}

/// Where the part behind the sign ends.
fn domain(text: &str, start: usize) -> Option<usize> {
    let bounded = text[start..]
        .char_indices()
        .find(|(at, character)| *at > MOST_DOMAIN || !(character.is_alphanumeric() || matches!(character, '-' | '.')));
    let domain = &text[start..bounded.map_or(text.len(), |(at, _)| start + at)];
    let domain = domain.find("..").map_or(domain, |at| &domain[..at]).trim_end_matches(['.', '-']);
    let (rest, top) = domain.rsplit_once('.')?;
    let is_top = (2..=24).contains(&top.chars().count()) && top.chars().all(char::is_alphabetic) || top.starts_with("xn--");
    let labels = rest.split('.').all(|label| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-'));
    let is_file = FILES.iter().any(|file| top.eq_ignore_ascii_case(file));
    (is_top && labels && !is_file).then_some(start + domain.len())
}
