//! Numbers of telephones. With a country's code its plan of numbers decides; without one, a way of writing that is used for nothing
//! else, or a word before it. No library: those that know every country's plan want to be told whose numbers a text has.

use std::ops::Range;

use super::{
    around, checks,
    digits::{self, Run},
};

/// Groups of one number.
const MOST_GROUPS: usize = 8;
/// Digits that are called within a country, at least.
const LEAST_DIGITS: usize = 6;
/// Digits of one number (E.164).
const MOST_DIGITS: usize = 15;

const WORDS: &str = "\
    tel telefon* telefoon* telephon* téléphon* teléfon* tél tlf phone* phones mobile* mobil* móvil* cell cellulare \
    cellphone handy* fax* telefax sms whatsapp signal call* dial* ring hotline* helpline rufnummer* ruf rufen anrufen \
    anruf rückruf* durchwahl erreichbar portable appelez appeler llame llamar llámame chiamare chiama bel voicemail \
    landline pager";
const OTHERS: &str = "\
    order* invoice* ticket* isbn issn ean upc gtin part parts serial* sku ref reference* article* artikel* bestell* \
    rechnung* tracking* track case id ids account* konto* kunden* customer* model* modell* batch lot charge version* \
    build* policy contract* vertrag* akte* aktenzeichen facture commande pedido factura ordine patent* doi booking \
    buchung* paragraph parcel*";

pub(super) fn find(run: Run<'_>, add: &mut dyn FnMut(Range<usize>)) {
    let mut at = 0;
    while at < run.groups.len() {
        match phone(run, at) {
            Some((count, range)) => {
                add(range);
                at += count;
            }
            None => at += 1,
        }
    }
}

/// How many groups from `at` on are a number, and where it stands with its signs.
fn phone(run: Run<'_>, at: usize) -> Option<(usize, Range<usize>)> {
    let first = run.groups[at];
    let head = &run.text[..first.start];
    let mut start = first.start;
    let opened = head.ends_with('(');
    let count = if let Some(before) = head.strip_suffix('+').or_else(|| head.strip_suffix("+(")) {
        start = before.len();
        around::begins_word(run.text, start).then(|| international(run, at, 0)).flatten()?
    } else if run.text[first.start..first.end].starts_with("00") && first.len() > 3 - usize::from(at + 1 < run.groups.len()) {
        let count = international(run, at, 2)?;
        let is_told = around::nearest(run.before(at), WORDS, OTHERS);
        (is_told == Some(true) || is_told.is_none() && count > 1).then_some(count)?
    } else {
        start -= usize::from(opened);
        national(run, at, opened)?
    };
    let end = run.groups[at + count - 1].end;
    let is_free = around::begins_word(run.text, start) && around::ends_word(run.text, end) && !is_attached(run, at, count);
    is_free.then_some((count, start..end))
}

/// Whether the number goes on at either end.
fn is_attached(run: Run<'_>, at: usize, count: usize) -> bool {
    let before = at > 0 && matches!(run.mark(at - 1), Some('-' | '.' | '/'));
    before || matches!(run.mark(at + count - 1), Some('-' | '.'))
}

/// The number of groups of a number with a country's code behind `skip` digits.
fn international(run: Run<'_>, at: usize, skip: usize) -> Option<usize> {
    let mut buffer = [0; MOST_DIGITS + 3];
    let mut total = 0;
    let mut best = None;
    let mut limits = None;
    for count in 1..=MOST_GROUPS.min(run.groups.len() - at) {
        let group = run.groups[at + count - 1];
        if count > 1 && !is_joint(run.between(at + count - 2)) {
            break;
        }
        // The zero of a call from within, which is not dialled from outside: `+49 (0) 30`.
        let is_trunk = count > 1 && run.text[..group.start].ends_with('(') && &run.text[group.start..group.end] == "0";
        if !is_trunk {
            let digits = &run.text.as_bytes()[group.start..group.end];
            buffer.get_mut(total..total + digits.len())?.copy_from_slice(digits);
            total += digits.len();
        }
        let known = total.saturating_sub(skip);
        if known >= 3 || count > 1 {
            limits = limits.or_else(|| plan(&buffer[skip..total.max(skip)]));
            let (least, most) = limits?;
            if known > most {
                break;
            }
            if known >= least {
                best = Some(count);
            }
        }
    }
    best
}

fn is_joint(between: &str) -> bool {
    let plain: String = between.chars().map(digits::plain).collect();
    matches!(
        plain.as_str(),
        " " | "-" | "." | "/" | " - " | " / " | ") " | ")-" | ")" | " (" | "(" | "/ " | " /" | ")/" | "-(" | ".("
    )
}

/// The fewest and the most digits of a country's numbers, its code among them.
fn plan(digits: &[u8]) -> Option<(usize, usize)> {
    let two = checks::number(digits.get(..digits.len().min(2))?);
    Some(match (digits[0], two) {
        // Codes that no country has, and the bounds of numbers in 32 bits.
        (b'2', 21) if matches!(digits.get(2), Some(b'0' | b'4' | b'5' | b'7' | b'9')) => return None,
        (b'1', _) => (11, 11),
        (b'7', _) => (11, 11),
        (_, 33 | 34 | 61 | 93 | 94) => (11, 11),
        (_, 20 | 27 | 31 | 32 | 36 | 40 | 41 | 44 | 56 | 58 | 60 | 63 | 64 | 66 | 81 | 82 | 84) => (10, 12),
        (_, 45 | 47 | 65) => (10, 10),
        (_, 48) => (11, 11),
        (_, 30 | 52 | 54 | 55 | 57 | 86 | 90 | 91 | 92 | 98) => (11, 13),
        (_, 39) => (9, 13),
        (_, 43 | 49 | 62) => (10, 13),
        (_, 46) => (9, 12),
        (_, 51 | 53 | 95) => (10, 12),
        (
            b'2' | b'3' | b'4' | b'5' | b'6' | b'8' | b'9',
            21..=29 | 35 | 37 | 38 | 42 | 50 | 59 | 67..=69 | 80 | 85 | 87 | 88 | 96..=99,
        ) => (9, 13),
        _ => return None,
    })
}

/// The number of groups of a number as it is dialled within its country.
fn national(run: Run<'_>, at: usize, opened: bool) -> Option<usize> {
    let digits: usize = run.groups[at..].iter().take(MOST_GROUPS).map(|group| group.len()).sum();
    if digits < LEAST_DIGITS {
        return None;
    }
    let before = run.before(at);
    let is_told = around::nearest(before, WORDS, OTHERS);
    if is_told == Some(false) {
        return None;
    }
    let is_told = is_told == Some(true) || before.trim_end().ends_with(['☎', '📞', '✆']);
    if let Some(count) = american(run, at, opened, is_told) {
        return Some(count);
    }
    let first = &run.text[run.groups[at].start..run.groups[at].end];
    if let Some(count) = distinct(run, at, first) {
        return Some(count);
    }
    let has_trunk = first.starts_with('0') && !first.starts_with("00");
    let is_area =
        has_trunk && (opened && run.between(at).starts_with(')') || run.mark(at) == Some('/')) && (3..=6).contains(&first.len());
    let (least, most) = match (has_trunk, is_told) {
        (true, true) => (7, 13),
        (true, false) if is_area => (7, 12),
        (false, true) => (LEAST_DIGITS, 11),
        (_, false) => return None,
    };
    let mut total = run.groups[at].len();
    let mut best = (total >= least && total <= most).then_some(1);
    for count in 2..=6.min(run.groups.len() - at) {
        total += run.groups[at + count - 1].len();
        if total > most || !is_joint(run.between(at + count - 2)) {
            break;
        }
        if total >= least {
            best = Some(count);
        }
    }
    // A date, a price or a year behind the word is no number to call.
    best.filter(|count| !is_date(run, at, *count))
}

fn is_date(run: Run<'_>, at: usize, count: usize) -> bool {
    let year = |at: usize| {
        run.groups.get(at).is_some_and(|group| group.len() == 4 && matches!(&run.text[group.start..group.start + 2], "19" | "20"))
    };
    let mark = run.mark(at);
    count == 3 && matches!(mark, Some('-' | '.' | '/')) && (year(at) || year(at + 2)) && run.groups[at + 1].len() <= 2
}

/// North America: an area, an exchange and four digits.
fn american(run: Run<'_>, at: usize, opened: bool, is_told: bool) -> Option<usize> {
    let is_one = run.groups[at].len() == 1 && run.text.as_bytes()[run.groups[at].start] == b'1';
    let from = if is_one { at + 1 } else { at };
    let groups = run.groups.get(from..)?;
    let begins = |at: usize| {
        let group = &run.text.as_bytes()[groups[at].start..groups[at].end];
        group.len() == 3 && group[0] >= b'2' && &group[1..] != b"11"
    };
    if let [only, ..] = groups
        && only.len() == 10
        && is_told
        && run.text.as_bytes()[only.start] >= b'2'
    {
        return Some(from - at + 1);
    }
    if groups.len() < 3 || !begins(0) || !begins(1) || groups[2].len() != 4 {
        return None;
    }
    let first = run.between(from);
    let in_brackets = (opened || is_one && run.between(at).ends_with('(')) && first.starts_with(')') && first.len() <= 2;
    let same = run.shape(from, &[3, 3, 4]);
    let is_written = match same {
        Some('-' | '.') => true,
        Some(' ') => is_told || is_one,
        Some(_) => false,
        None => in_brackets && matches!(run.mark(from + 1), Some('-' | ' ' | '.')),
    };
    let one_joins = !is_one || is_joint(run.between(at));
    (is_written && one_joins).then_some(from - at + 3)
}

/// Ways of writing that nothing else has: of France, of the United Kingdom, of German mobiles.
fn distinct(run: Run<'_>, at: usize, first: &str) -> Option<usize> {
    let begins = |with: &[&str]| with.iter().any(|with| first.starts_with(with));
    let is_blank = |lengths: &[usize]| run.shape(at, lengths) == Some(' ');
    if first.len() == 2
        && first.starts_with('0')
        && first != "00"
        && matches!(run.shape(at, &[2, 2, 2, 2, 2]), Some(' ' | '.' | '-'))
    {
        return Some(5);
    }
    let british = begins(&["07"]) && is_blank(&[5, 6])
        || begins(&["01"]) && is_blank(&[5, 6])
        || begins(&["07"]) && first.len() == 5 && is_blank(&[5, 3, 3])
        || begins(&["02"]) && is_blank(&[3, 4, 4])
        || begins(&["01", "03", "08"]) && is_blank(&[4, 3, 4]);
    if british {
        let is_pair = is_blank(&[5, 6]);
        return Some(if is_pair { 2 } else { 3 });
    }
    let is_mobile = begins(&["015", "016", "017"]) && (4..=5).contains(&first.len());
    let behind = run.groups.get(at + 1).map_or(0, |group| group.len());
    (is_mobile && matches!(run.mark(at), Some(' ' | '-' | '/')) && (7..=8).contains(&behind)).then_some(2)
}
