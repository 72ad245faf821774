//! Personal data and secrets are taken out of a text: each is replaced by the name of its kind, from which nobody gets it back. Pure;
//! the time is linear in the text, whatever it holds.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod around;
mod assignments;
mod cards;
mod checks;
mod digits;
mod emails;
mod ibans;
mod ip_addresses;
mod keys;
mod national_ids;
mod phones;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, ops::Range};

use ragline_config::Redaction;

/// What is looked for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    ApiKey,
    Email,
    Iban,
    Card,
    NationalId,
    IpAddress,
    Phone,
}

impl Kind {
    /// All kinds; where two overlap, the one that stands first here is taken.
    pub const ALL: [Self; 7] =
        [Self::ApiKey, Self::Email, Self::Iban, Self::Card, Self::NationalId, Self::IpAddress, Self::Phone];

    /// The label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::NationalId => "national_id",
            Self::IpAddress => "ip_address",
            Self::Phone => "phone",
        }
    }

    /// What stands in the text afterwards. No pattern of any kind matches a part of it.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::ApiKey => "[API_KEY]",
            Self::Email => "[EMAIL]",
            Self::Iban => "[IBAN]",
            Self::Card => "[CARD]",
            Self::NationalId => "[NATIONAL_ID]",
            Self::IpAddress => "[IP_ADDRESS]",
            Self::Phone => "[PHONE]",
        }
    }
}

/// Where a value stands in a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// How many values of each kind were taken out; never which.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    pub fn add(&mut self, other: Self) {
        for (mine, others) in self.0.iter_mut().zip(other.0) {
            *mine += others;
        }
    }

    fn count(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }
}

/// A text without what was looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redacted<'a> {
    /// Borrowed where nothing was found.
    pub text: Cow<'a, str>,
    pub counts: Counts,
}

/// A replacement can bring to light what was hidden by its neighbour; more rounds than these are not made.
const MOST_ROUNDS: usize = 4;

/// Takes values out of texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Redactor {
    on: [bool; Kind::ALL.len()],
}

impl Redactor {
    /// One that looks for what is switched on.
    pub fn new(settings: &Redaction) -> Self {
        let on = Kind::ALL.map(|kind| is_on(settings, kind));
        Self { on }
    }

    /// Whether it looks for nothing at all.
    pub fn is_off(&self) -> bool {
        self.on.iter().all(|on| !on)
    }

    /// What is looked for, for fingerprints.
    pub fn fingerprint(&self) -> [u8; Kind::ALL.len()] {
        self.on.map(u8::from)
    }

    /// The text with every value replaced.
    pub fn redact<'a>(&self, text: &'a str) -> Redacted<'a> {
        self.redact_telling(text, |_| ())
    }

    /// As [`Redactor::redact`]; tells after each round what was replaced in it, in rising order, for whoever keeps places in the text.
    pub fn redact_telling<'a>(&self, text: &'a str, mut tell: impl FnMut(&[Found])) -> Redacted<'a> {
        let mut redacted = Redacted { text: Cow::Borrowed(text), counts: Counts::default() };
        for _ in 0..MOST_ROUNDS {
            let found = self.find(&redacted.text);
            if found.is_empty() {
                break;
            }
            for Found { kind, range: _ } in &found {
                redacted.counts.count(*kind);
            }
            redacted.text = Cow::Owned(replace(&redacted.text, &found));
            tell(&found);
        }
        redacted
    }

    /// Every value, in rising order; none overlaps another.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| self.on[*kind as usize]) {
            let mut add = |range: Range<usize>| found.push(Found { kind, range });
            match kind {
                Kind::ApiKey => {
                    keys::find(text, &mut add);
                    assignments::find(text, &mut add);
                }
                Kind::Email => emails::find(text, &mut add),
                Kind::Iban => ibans::find(text, &mut add),
                Kind::NationalId => national_ids::find(text, &mut add),
                // Found together below.
                Kind::Card | Kind::IpAddress | Kind::Phone => {}
            }
        }
        self.find_numbers(text, &mut found);
        without_overlaps(found)
    }

    /// What is made of groups of digits.
    fn find_numbers(&self, text: &str, found: &mut Vec<Found>) {
        let is_on = |kind: Kind| self.on[kind as usize];
        if is_on(Kind::IpAddress) {
            ip_addresses::find_v6(text, &mut |range| found.push(Found { kind: Kind::IpAddress, range }));
        }
        let wanted = [Kind::Card, Kind::NationalId, Kind::IpAddress, Kind::Phone].into_iter().filter(|kind| is_on(*kind));
        let wanted: Vec<Kind> = wanted.collect();
        if wanted.is_empty() {
            return;
        }
        digits::runs(text, |run| {
            for &kind in &wanted {
                let mut add = |range: Range<usize>| found.push(Found { kind, range });
                match kind {
                    Kind::Card => cards::find(run, &mut add),
                    Kind::NationalId => national_ids::find_numbers(run, &mut add),
                    Kind::IpAddress => ip_addresses::find_v4(run, &mut add),
                    Kind::Phone => phones::find(run, &mut add),
                    Kind::ApiKey | Kind::Email | Kind::Iban => {}
                }
            }
        });
    }
}

fn is_on(settings: &Redaction, kind: Kind) -> bool {
    let Redaction { emails, phones, ibans, cards, ip_addresses, national_ids, api_keys } = *settings;
    match kind {
        Kind::ApiKey => api_keys,
        Kind::Email => emails,
        Kind::Iban => ibans,
        Kind::Card => cards,
        Kind::NationalId => national_ids,
        Kind::IpAddress => ip_addresses,
        Kind::Phone => phones,
    }
}

/// Of values that overlap, the kind that comes first, then the longer one.
fn without_overlaps(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| (found.range.start, found.kind, std::cmp::Reverse(found.range.end)));
    let mut kept: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        match kept.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                if next.kind < last.kind {
                    *last = next;
                }
            }
            Some(_) | None => kept.push(next),
        }
    }
    kept
}

fn replace(text: &str, found: &[Found]) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut at = 0;
    for Found { kind, range } in found {
        replaced.push_str(&text[at..range.start]);
        replaced.push_str(kind.placeholder());
        at = range.end;
    }
    replaced.push_str(&text[at..]);
    replaced
}
