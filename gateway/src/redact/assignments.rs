//! Secrets without a form of their own, told by the name before `=` or `:` and by being as mixed as chance makes them.

use std::ops::Range;

use super::{around, keys};

const LEAST: usize = 16;
const LEAST_OF_PASSWORDS: usize = 10;
const MOST: usize = 256;

/// How names of secrets end.
const SECRETS: &str = "\
    token secret apikey credential credentials passphrase pat bearer auth authorization schlüssel clé signature";
const PASSWORDS: &str = "password passwd pwd passwort kennwort contraseña passe wachtwoord passcode";
/// What may stand before `key` in one word.
const KEYS: &str = "api access secret private auth account shared encryption master signing service client app license \
    subscription storage";
/// A key or token of these is no secret.
const HARMLESS: &str = "\
    public primary foreign cache sort partition idempotency object row map page next continuation pagination cancellation \
    unique composite shard routing lookup dedup hash registry translation bibtex s3";

pub(super) fn find(text: &str, add: &mut dyn FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| matches!(byte, b'=' | b':')) {
        let sign = at + next;
        at = sign + 1;
        let Some(range) = value(text, sign + 1) else { continue };
        if named(around::before(text, sign)).is_some_and(|least| range.len() >= least) {
            at = range.end;
            add(range);
        }
    }
}

/// The fewest characters of a secret of the name that a text ends with.
fn named(before: &str) -> Option<usize> {
    let name = before.trim_end_matches([' ', '\t', '"', '\'', '`', ']', ')', '*', '_']);
    let mut words = name.rsplit(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    let last = words.next()?.to_lowercase();
    let second = words.next().map(str::to_lowercase).unwrap_or_default();
    if around::is_among(&second, HARMLESS) || HARMLESS.split(' ').any(|harmless| last.starts_with(harmless)) {
        return None;
    }
    if PASSWORDS.split(' ').any(|password| last.ends_with(password)) {
        return Some(LEAST_OF_PASSWORDS);
    }
    if SECRETS.split(' ').any(|secret| last.ends_with(secret)) {
        return Some(LEAST);
    }
    let head = last.strip_suffix("key")?;
    (head.is_empty() || KEYS.split(' ').any(|key| head.ends_with(key))).then_some(LEAST)
}

fn value(text: &str, from: usize) -> Option<Range<usize>> {
    let rest = &text[from..];
    let skipped =
        rest.bytes().take(8).take_while(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'=' | b'>')).count();
    let start = from + skipped;
    let rest = &text[start..];
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~+/=!#$%^*@".contains(byte);
    let length = rest.bytes().take(MOST + 1).take_while(belongs).count();
    let value = rest[..length].trim_end_matches(['.', '!', '*']);
    let is_call = rest[length..].starts_with('(');
    let is_path = value.starts_with('/') || value.starts_with("./") || value.contains("://");
    let is_stand_in = value.starts_with('$') || value.starts_with('%');
    let fits = (LEAST_OF_PASSWORDS..=MOST).contains(&value.len()) && !is_call && !is_path && !is_stand_in;
    (fits && keys::is_mixed(value)).then_some(start..start + value.len())
}
