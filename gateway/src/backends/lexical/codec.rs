//! The bytes of one term's postings in one segment: the format's version, then for each chunk the distance of its ordinal from the one
//! before, the term's frequency and the chunk's length, both in a byte.

use super::{Corrupt, FORMAT, versioned};

/// A frequency above this counts as this: the score hardly moves any more.
pub const MOST_FREQUENCY: u8 = 63;

/// One chunk that a term occurs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Posting {
    /// Place of the chunk in its segment.
    pub ordinal: u32,
    /// 1 to [`MOST_FREQUENCY`].
    pub frequency: u8,
    /// See [`length_byte`].
    pub length: u8,
}

/// The postings of one term in one segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct List {
    /// Chunks that the term occurs in.
    pub chunks: u32,
    pub bytes: Vec<u8>,
}

/// A chunk's number of terms on a logarithmic scale: a step is 4.4 %.
pub fn length_byte(terms: u16) -> u8 {
    // At most 255 for the largest number of 16 bits.
    (f32::from(terms).ln_1p() * (255.0 / f32::ln(65_536.0))).round() as u8
}

/// The number of terms that a byte stands for.
pub fn length_of(byte: u8) -> f32 {
    (f32::from(byte) * (f32::ln(65_536.0) / 255.0)).exp_m1()
}

/// Puts a list together; ordinals must rise.
#[derive(Debug)]
pub struct Encoder {
    list: List,
    next: u32,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { list: List { chunks: 0, bytes: vec![FORMAT] }, next: 0 }
    }
}

impl Encoder {
    /// Appends a posting. One that does not lie behind the last is left out: it could not be read back.
    pub fn push(&mut self, posting: Posting) {
        let Posting { ordinal, frequency, length } = posting;
        let Some(distance) = ordinal.checked_sub(self.next) else { return };
        push_number(&mut self.list.bytes, distance);
        self.list.bytes.extend([frequency.clamp(1, MOST_FREQUENCY), length]);
        self.list.chunks += 1;
        self.next = ordinal.saturating_add(1);
    }

    pub fn finish(self) -> List {
        self.list
    }
}

/// Reads the postings of a segment of `n` chunks.
#[derive(Debug)]
pub struct Postings<'a> {
    rest: &'a [u8],
    next: u64,
    n: u32,
}

impl<'a> Postings<'a> {
    /// # Errors
    /// Bytes of another format.
    pub fn new(bytes: &'a [u8], n: u32) -> Result<Self, Corrupt> {
        Ok(Self { rest: versioned(bytes)?, next: 0, n })
    }

    #[inline]
    fn read(&mut self) -> Result<Posting, Corrupt> {
        let (distance, frequency, length) = match self.rest {
            // Most chunks with a frequent term lie near each other.
            [distance @ 0..0x80, frequency, length, rest @ ..] => {
                self.rest = rest;
                (u32::from(*distance), frequency, length)
            }
            _ => {
                let distance = take_number(&mut self.rest)?;
                let [frequency, length, rest @ ..] = self.rest else { return Err(Corrupt::CutShort) };
                self.rest = rest;
                (distance, frequency, length)
            }
        };
        if !(1..=MOST_FREQUENCY).contains(frequency) {
            return Err(Corrupt::Frequency { found: *frequency });
        }
        let ordinal = self.next + u64::from(distance);
        if ordinal >= u64::from(self.n) {
            return Err(Corrupt::Ordinal { ordinal, n: self.n });
        }
        self.next = ordinal + 1;
        // It is below `n`.
        Ok(Posting { ordinal: ordinal as u32, frequency: *frequency, length: *length })
    }
}

impl Iterator for Postings<'_> {
    type Item = Result<Posting, Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
pub(super) fn push_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn take_number(bytes: &mut &[u8]) -> Result<u32, Corrupt> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Corrupt::CutShort)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(number).map_err(|_| Corrupt::TooLarge);
        }
    }
    Err(Corrupt::TooLarge)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn encoded(postings: &[Posting]) -> List {
        let mut encoder = Encoder::default();
        for posting in postings {
            encoder.push(*posting);
        }
        encoder.finish()
    }

    fn read(bytes: &[u8], n: u32) -> Result<Vec<Posting>, Corrupt> {
        Postings::new(bytes, n)?.collect()
    }

    #[test]
    fn lengths_are_kept_within_a_few_percent() {
        for terms in 1..=u16::MAX {
            let kept = length_of(length_byte(terms));
            assert!((kept - f32::from(terms)).abs() / (f32::from(terms) + 1.0) < 0.023, "{terms} became {kept}");
        }
        assert_eq!((length_byte(0), length_byte(u16::MAX), length_of(0)), (0, 255, 0.0));
    }

    #[test]
    fn another_format_is_named() {
        assert_eq!(read(&[2, 0, 1, 1], 1), Err(Corrupt::Format { found: 2 }));
        assert_eq!(read(&[], 1), Err(Corrupt::CutShort));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(postings in prop::collection::btree_map(any::<u32>(), (1..=MOST_FREQUENCY, any::<u8>()), 0..200)) {
            let postings: Vec<_> =
                postings.into_iter().map(|(ordinal, (frequency, length))| Posting { ordinal, frequency, length }).collect();
            let list = encoded(&postings);
            prop_assert_eq!(list.chunks as usize, postings.len());
            // The largest number cannot be an ordinal, since it could not be counted.
            let read = read(&list.bytes, u32::MAX);
            match postings.last() {
                Some(last) if last.ordinal == u32::MAX => prop_assert!(read.is_err()),
                _ => prop_assert_eq!(read.unwrap(), postings),
            }
        }

        #[test]
        fn any_bytes_give_rising_ordinals_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..64), n in 0..300_u32, versioned in any::<bool>()) {
            if versioned {
                bytes.insert(0, FORMAT);
            }
            if let Ok(postings) = read(&bytes, n) {
                let found: BTreeMap<u32, u8> = postings.iter().map(|posting| (posting.ordinal, posting.frequency)).collect();
                prop_assert_eq!(found.len(), postings.len());
                prop_assert!(found.iter().all(|(ordinal, frequency)| *ordinal < n && (1..=MOST_FREQUENCY).contains(frequency)));
            }
        }
    }
}
