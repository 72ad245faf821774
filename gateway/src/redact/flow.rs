//! A text that comes in pieces leaves in pieces, without what was looked for. What could yet become a part of a value is held back.

use super::Redactor;

/// Bytes of what has left that still decide what comes: the words before a number.
const REACH: usize = 64;
/// Without the end of a sentence, so many bytes are held back at most: no value but a key in PEM is longer.
const MOST_HELD: usize = 16 << 10;

/// A text under way.
#[derive(Debug)]
pub struct Flow {
    redactor: Redactor,
    /// The end of what has left, as it came in but for the values in it.
    said: String,
    held: String,
    counts: super::Counts,
}

impl Flow {
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, said: String::new(), held: String::new(), counts: super::Counts::default() }
    }

    /// Takes a piece; gives what can leave, which may be nothing.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        if self.redactor.is_off() {
            return std::mem::take(&mut self.held);
        }
        let settled = settled(&self.held);
        self.leave(settled)
    }

    /// The rest.
    pub fn finish(&mut self) -> String {
        self.leave(self.held.len())
    }

    /// What was taken out so far.
    pub fn counts(&self) -> super::Counts {
        self.counts
    }

    /// Redacts the held text up to a place, with what was said before it in view.
    fn leave(&mut self, until: usize) -> String {
        let rest = self.held.split_off(until);
        let leaving = std::mem::replace(&mut self.held, rest);
        if leaving.is_empty() {
            return leaving;
        }
        let said = self.said.len();
        let all = std::mem::take(&mut self.said) + &leaving;
        let redacted = self.redactor.redact(&all);
        self.counts.add(redacted.counts);
        let text = redacted.text.into_owned();
        // What was said is redacted, so nothing is found in it; a value that began in it begins with what follows.
        let out = match text.get(said..) {
            Some(out) if text.starts_with(&all[..said]) => out.to_owned(),
            Some(_) | None => self.redactor.redact(&leaving).text.into_owned(),
        };
        let mut from = text.len().saturating_sub(REACH);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        self.said = text[from..].to_owned();
        out
    }
}

/// Up to where a text cannot become part of a value by what follows: behind its last line or sentence, and before a key in PEM that
/// has not ended.
fn settled(held: &str) -> usize {
    if let Some(begin) = held.rfind("-----BEGIN ")
        && !held[begin..].contains("-----END ")
        && held.len() - begin < MOST_HELD
    {
        return begin;
    }
    let line = held.rfind('\n').map(|at| at + 1);
    let sentence = held.match_indices([' ']).rev().map(|(at, _)| at).find(|at| {
        let mut before = held[..*at].chars().rev();
        matches!(before.next(), Some('.' | '!' | '?' | ';')) && before.next().is_some_and(|character| !character.is_ascii_digit())
    });
    let settled = line.max(sentence).unwrap_or(0);
    if settled == 0 && held.len() > MOST_HELD { held.rfind(char::is_whitespace).unwrap_or(held.len()) } else { settled }
}
