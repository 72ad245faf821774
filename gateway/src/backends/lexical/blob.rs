//! The postings of a small segment in one piece: a table of where each term begins, then the terms in the order of their bytes, each
//! with its list. A term is found by halving, without reading the others.

use std::collections::BTreeMap;

use super::{
    Corrupt, FORMAT,
    codec::{List, push_number, take_number},
    versioned,
};

/// Bytes of one place of the table.
const PLACE: usize = 4;

/// A list inside a blob.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry<'a> {
    pub term: &'a str,
    pub chunks: u32,
    pub bytes: &'a [u8],
}

/// The bytes of a segment's lists.
///
/// # Errors
/// Lists of more than 4 GiB.
pub fn encode(lists: &BTreeMap<String, List>) -> Result<Vec<u8>, Corrupt> {
    let mut places = Vec::with_capacity(lists.len() * PLACE);
    let mut entries = Vec::new();
    for (term, List { chunks, bytes }) in lists {
        places.extend(small(entries.len())?.to_le_bytes());
        push_number(&mut entries, small(term.len())?);
        entries.extend(term.as_bytes());
        push_number(&mut entries, *chunks);
        push_number(&mut entries, small(bytes.len())?);
        entries.extend(bytes);
    }
    let mut blob = vec![FORMAT];
    blob.extend(small(lists.len())?.to_le_bytes());
    blob.append(&mut places);
    blob.append(&mut entries);
    Ok(blob)
}

fn small(number: usize) -> Result<u32, Corrupt> {
    u32::try_from(number).map_err(|_| Corrupt::TooLarge)
}

/// A blob that is read in place.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    places: &'a [[u8; PLACE]],
    entries: &'a [u8],
}

impl<'a> Blob<'a> {
    /// # Errors
    /// Bytes of another format, or too few for the table.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        let (count, rest) = versioned(bytes)?.split_first_chunk::<PLACE>().ok_or(Corrupt::CutShort)?;
        let size = (u32::from_le_bytes(*count) as usize).checked_mul(PLACE).ok_or(Corrupt::TooLarge)?;
        let (table, entries) = rest.split_at_checked(size).ok_or(Corrupt::CutShort)?;
        let (places, _) = table.as_chunks::<PLACE>();
        Ok(Self { places, entries })
    }

    /// The list of a term.
    ///
    /// # Errors
    /// Bytes that are no entry.
    pub fn find(&self, term: &str) -> Result<Option<Entry<'a>>, Corrupt> {
        let (mut low, mut high) = (0, self.places.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.entry(middle)?;
            match entry.term.cmp(term) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(Some(entry)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// Every list, in the order of the terms.
    pub fn entries(self) -> impl Iterator<Item = Result<Entry<'a>, Corrupt>> {
        (0..self.places.len()).map(move |number| self.entry(number))
    }

    fn entry(&self, number: usize) -> Result<Entry<'a>, Corrupt> {
        let place = self.places.get(number).ok_or(Corrupt::CutShort)?;
        let mut rest = self.entries.get(u32::from_le_bytes(*place) as usize..).ok_or(Corrupt::CutShort)?;
        let term = take(&mut rest)?;
        let chunks = take_number(&mut rest)?;
        let bytes = take(&mut rest)?;
        Ok(Entry { term: std::str::from_utf8(term).map_err(|_| Corrupt::Term)?, chunks, bytes })
    }
}

/// A length and as many bytes.
fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Corrupt> {
    let length = take_number(rest)? as usize;
    let (taken, after) = rest.split_at_checked(length).ok_or(Corrupt::CutShort)?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_term_is_found_and_no_other(lists in prop::collection::btree_map("[a-zé東]{1,6}", (any::<u32>(), prop::collection::vec(any::<u8>(), 0..300)), 0..40), other in "[a-z]{1,4}") {
            let lists: BTreeMap<_, _> = lists.into_iter().map(|(term, (chunks, bytes))| (term, List { chunks, bytes })).collect();
            let bytes = encode(&lists).unwrap();
            let blob = Blob::new(&bytes).unwrap();
            for (term, list) in &lists {
                prop_assert_eq!(blob.find(term).unwrap(), Some(Entry { term, chunks: list.chunks, bytes: &list.bytes }));
            }
            prop_assert_eq!(blob.find(&other).unwrap().is_some(), lists.contains_key(&other));
            prop_assert_eq!(blob.entries().map(|entry| entry.unwrap().term).collect::<Vec<_>>(), lists.keys().collect::<Vec<_>>());
        }

        #[test]
        fn damaged_bytes_do_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
            let lists = ["a", "bb", "ccc"].map(|term| (term.to_owned(), List { chunks: 1, bytes: vec![FORMAT, 0, 1, 1] }));
            let mut bytes = encode(&BTreeMap::from(lists)).unwrap();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(blob) = Blob::new(&bytes) {
                for term in ["a", "bb", "x"] {
                    let _: Result<_, Corrupt> = blob.find(term);
                }
                // A damaged table may be long, but never longer than the bytes.
                prop_assert!(blob.entries().count() <= bytes.len());
            }
        }
    }
}
