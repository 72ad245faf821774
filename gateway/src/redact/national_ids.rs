//! Numbers that a state gives to a person: the United States (SSN), the United Kingdom (NINO), Germany (Steuer-ID), France (NIR),
//! Spain (DNI, NIE) and Italy (codice fiscale). Where a number has no check digit, its own way of writing or a word before it decides.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{around, checks, digits::Run};

/// Those that have letters. Checked below.
static LETTERED: LazyLock<Regex> = LazyLock::new(|| {
    const PATTERN: &str = "(?-u)\
        (?P<nino>[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[A-D])\
        |(?P<nie>[XYZ][ -]?[0-9]{7}[ -]?[A-Z])\
        |(?P<dni>[0-9]{8}[ -]?[A-Z]|[0-9]{1,2}\\.[0-9]{3}\\.[0-9]{3}[ -]?[A-Z])\
        |(?P<corsica>[1-478][ .]?[0-9]{2}[ .]?[0-9]{2}[ .]?2[ABab][ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{2})\
        |(?P<fiscale>[A-Za-z]{3} ?[A-Za-z]{3} ?[0-9L-NP-Vl-np-v]{2}[A-EHLMPR-Ta-ehlmpr-t][0-9L-NP-Vl-np-v]{2} ?[A-Za-z][0-9L-NP-Vl-np-v]{3}[A-Za-z])";
    Regex::new(PATTERN).expect("the pattern is a constant")
});

const OTHERS: &str = "\
    order* invoice* ticket* part parts serial* sku ref reference* article* artikel* tracking* case model* batch lot isbn \
    product* item* catalog* flight booking* phone* tel extension bin";
const SSN: &str = "\
    ssn ssns social security sozialversicherung* itin tin taxpayer*";

pub(super) fn find(text: &str, add: &mut dyn FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(captures) = LETTERED.captures_at(text, at) {
        let Some(whole) = captures.get(0) else { break };
        let compact: Vec<u8> =
            whole.as_str().bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect();
        let is_kind = |name: &str| captures.name(name).is_some();
        let before = || around::before(text, whole.start());
        let is_id = if is_kind("nino") {
            nino(&compact) && around::nearest(before(), "nino insurance ni", OTHERS) != Some(false)
        } else if is_kind("nie") {
            nie(&compact)
        } else if is_kind("dni") {
            compact.split_last().is_some_and(|(letter, digits)| checks::dni_letter(checks::number(digits)) == *letter)
        } else if is_kind("corsica") {
            corsica(&compact)
        } else {
            checks::codice_fiscale(&compact)
        };
        if is_id && around::stands_alone(text, whole.start(), whole.end()) && !text[..whole.start()].ends_with(['-', '.']) {
            add(whole.range());
            at = whole.end();
        } else {
            // All that can be matched begins with an ASCII character.
            at = whole.start() + 1;
        }
    }
}

/// Pairs of letters that are not given out.
fn nino(compact: &[u8]) -> bool {
    !matches!(compact.get(..2), Some(b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ") | None)
}

fn nie(compact: &[u8]) -> bool {
    let [first, digits @ .., letter] = compact else { return false };
    checks::dni_letter(u64::from(first - b'X') * 10_000_000 + checks::number(digits)) == *letter
}

fn corsica(compact: &[u8]) -> bool {
    let mut digits = compact.to_vec();
    let department: &[u8] = if digits.get(6) == Some(&b'A') { b"19" } else { b"18" };
    if let Some(place) = digits.get_mut(5..7) {
        place.copy_from_slice(department);
    }
    checks::nir(&digits)
}

/// Those that are digits alone.
pub(super) fn find_numbers(run: Run<'_>, add: &mut dyn FnMut(Range<usize>)) {
    let mut at = 0;
    while at < run.groups.len() {
        match number(run, at).filter(|count| run.is_whole(at, *count)) {
            Some(count) => {
                add(run.range(at, count));
                at += count;
            }
            None => at += 1,
        }
    }
}

/// How many groups from `at` on are such a number.
fn number(run: Run<'_>, at: usize) -> Option<usize> {
    if is_ssn(run, at) {
        let is_one = run.groups[at].len() == 9;
        return Some(if is_one { 1 } else { 3 });
    }
    let mut buffer = [0; 15];
    let steuer: [&[usize]; 3] = [&[11], &[2, 3, 3, 3], &[2, 9]];
    let nir: [&[usize]; 4] = [&[15], &[13, 2], &[1, 2, 2, 2, 3, 3, 2], &[1, 2, 2, 2, 3, 5]];
    let fits = |shape: &&&[usize]| matches!(run.shape(at, shape), Some(' ' | '/' | '.' | '-'));
    let holds = |buffer: &mut [u8], count: usize, check: fn(&[u8]) -> bool| run.digits(at, count, buffer).is_some_and(check);
    if let Some(shape) = steuer.iter().find(fits)
        && holds(&mut buffer, shape.len(), checks::steuer_id)
    {
        return Some(shape.len());
    }
    let shape = nir.iter().find(fits)?;
    holds(&mut buffer, shape.len(), checks::nir).then_some(shape.len())
}

/// Three, two and four digits, none of them of a block that is not given out.
fn is_ssn(run: Run<'_>, at: usize) -> bool {
    let mark = run.shape(at, &[3, 2, 4]);
    let is_one = run.groups[at].len() == 9;
    if mark.is_none() && !is_one {
        return false;
    }
    let mut buffer = [0; 9];
    let Some(digits) = run.digits(at, if is_one { 1 } else { 3 }, &mut buffer) else { return false };
    let area = checks::number(&digits[..3]);
    let is_given = !matches!(area, 0 | 666 | 900..) && &digits[3..5] != b"00" && &digits[5..] != b"0000";
    let told = around::nearest(run.before(at), SSN, OTHERS);
    is_given && (told == Some(true) || mark == Some('-') && told.is_none())
}
