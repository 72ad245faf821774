//! Numbers of bank accounts (IBAN): a country, its length and the check digits.

use std::ops::Range;

use super::{around, checks, digits};

const MOST: usize = 34;

pub(super) fn find(text: &str, add: &mut dyn FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + 15 <= bytes.len() {
        let begins = bytes[at].is_ascii_alphabetic()
            && bytes[at + 1].is_ascii_alphabetic()
            && bytes[at + 2].is_ascii_digit()
            && bytes[at + 3].is_ascii_digit();
        match begins.then(|| iban(text, at)).flatten() {
            Some(end) => {
                add(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the number that begins at `start` ends.
fn iban(text: &str, start: usize) -> Option<usize> {
    let country = [text.as_bytes()[start].to_ascii_uppercase(), text.as_bytes()[start + 1].to_ascii_uppercase()];
    let length = length(country)?;
    if !around::begins_word(text, start) {
        return None;
    }
    let mut compact = [0; MOST];
    let mut filled = 0;
    let mut was_mark = false;
    for (at, character) in text[start..].char_indices() {
        if character.is_ascii_alphanumeric() {
            *compact.get_mut(filled)? = u8::try_from(character.to_ascii_uppercase()).ok()?;
            filled += 1;
            was_mark = false;
        } else if !was_mark && filled > 0 && matches!(digits::plain(character), ' ' | '-' | '.') {
            was_mark = true;
        } else {
            return None;
        }
        if filled == length {
            let end = start + at + 1;
            return (checks::iban(&compact[..length]) && around::ends_word(text, end)).then_some(end);
        }
    }
    None
}

/// Characters of a country's numbers, from the registry of SWIFT.
fn length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FO" | b"FI" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" | b"FK" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"XK" | b"MN" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"TL" | b"SO" | b"OM" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HU" | b"LB" | b"NI" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}
