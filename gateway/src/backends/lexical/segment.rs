//! A segment: its chunks, whose place is their ordinal, and the lists of its terms.

use std::collections::{BTreeMap, HashMap};

use super::{
    Corrupt,
    codec::{Encoder, List, MOST_FREQUENCY, Posting, length_byte},
    words::Analyzer,
};

/// Bytes of one chunk in the list of a segment's chunks: its id, then its number of terms, the highest byte first.
pub const MEMBER_BYTES: usize = 10;

/// A chunk of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    pub chunk_id: i64,
    /// Its terms, repeated ones counted; at most 65,535.
    pub terms: u16,
}

/// What a text or a merge becomes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Segment {
    pub members: Vec<Member>,
    pub lists: BTreeMap<String, List>,
}

/// Makes a segment of chunks.
pub fn build<'a>(analyzer: &Analyzer, chunks: impl IntoIterator<Item = (i64, &'a str)>) -> Segment {
    let mut members = Vec::new();
    let mut vocabulary = Vocabulary::default();
    // How often each term of the vocabulary is in the chunk at hand, and which are in it.
    let mut frequencies: Vec<u32> = Vec::new();
    let mut present = Vec::new();
    for (ordinal, (chunk_id, text)) in (0_u32..).zip(chunks) {
        let mut terms = 0_u32;
        for word in Analyzer::words(text) {
            let Some(term) = vocabulary.term(analyzer, word) else { continue };
            frequencies.resize(vocabulary.encoders.len(), 0);
            if frequencies[term] == 0 {
                present.push(term);
            }
            frequencies[term] += 1;
            terms += 1;
        }
        let terms = u16::try_from(terms).unwrap_or(u16::MAX);
        let length = length_byte(terms);
        for term in present.drain(..) {
            let frequency = u8::try_from(std::mem::take(&mut frequencies[term])).unwrap_or(u8::MAX).min(MOST_FREQUENCY);
            vocabulary.encoders[term].push(Posting { ordinal, frequency, length });
        }
        members.push(Member { chunk_id, terms });
    }
    Segment { members, lists: vocabulary.into_lists() }
}

/// The terms of a segment by number, and the words that became them: few words make up most of a text, and each is stemmed once.
#[derive(Debug, Default)]
struct Vocabulary<'a> {
    words: HashMap<&'a str, Option<usize>>,
    terms: HashMap<String, usize>,
    encoders: Vec<Encoder>,
}

impl<'a> Vocabulary<'a> {
    /// The number of the term that a word becomes; nothing for one that is not indexed.
    fn term(&mut self, analyzer: &Analyzer, word: &'a str) -> Option<usize> {
        let Self { words, terms, encoders } = self;
        *words.entry(word).or_insert_with(|| {
            let term = analyzer.term(word)?;
            Some(*terms.entry(term).or_insert_with(|| {
                encoders.push(Encoder::default());
                encoders.len() - 1
            }))
        })
    }

    fn into_lists(self) -> BTreeMap<String, List> {
        let mut lists: Vec<_> = self.encoders.into_iter().map(Encoder::finish).collect();
        let list = |(term, number): (String, usize)| (term, lists.get_mut(number).map(std::mem::take).unwrap_or_default());
        self.terms.into_iter().map(list).collect()
    }
}

/// The number of terms of all chunks.
pub fn total_terms(members: &[Member]) -> u64 {
    members.iter().map(|member| u64::from(member.terms)).sum()
}

/// The bytes of a segment's chunks.
pub fn encode_members(members: &[Member]) -> Vec<u8> {
    members.iter().flat_map(|member| member.chunk_id.to_be_bytes().into_iter().chain(member.terms.to_be_bytes())).collect()
}

/// The chunks of a segment of `n`.
///
/// # Errors
/// Bytes of another number of chunks.
pub fn decode_members(bytes: &[u8], n: u32) -> Result<Vec<Member>, Corrupt> {
    let (pieces, rest) = bytes.as_chunks::<MEMBER_BYTES>();
    if pieces.len() != n as usize || !rest.is_empty() {
        return Err(Corrupt::Members { bytes: bytes.len(), n });
    }
    let member = |[a, b, c, d, e, f, g, h, high, low]: &[u8; MEMBER_BYTES]| Member {
        chunk_id: i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        terms: u16::from_be_bytes([*high, *low]),
    };
    Ok(pieces.iter().map(member).collect())
}

/// The id of one chunk, without reading the others.
pub fn chunk_id_at(bytes: &[u8], ordinal: u32) -> Option<i64> {
    let begin = (ordinal as usize).checked_mul(MEMBER_BYTES)?;
    bytes.get(begin..)?.first_chunk().map(|id| i64::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::lexical::codec::Postings;

    #[test]
    fn a_segment_counts_its_words() {
        let segment = build(&Analyzer::default(), [(7, "cats and a dog, cats"), (9, ""), (8, "dogs")]);
        let members: Vec<_> = segment.members.iter().map(|member| (member.chunk_id, member.terms)).collect();
        assert_eq!(members, [(7, 3), (9, 0), (8, 1)]);
        let dog = &segment.lists["dog"];
        let postings: Vec<_> = Postings::new(&dog.bytes, 3).unwrap().map(|posting| posting.unwrap().ordinal).collect();
        assert_eq!((dog.chunks, postings), (2, vec![0, 2]));
        assert_eq!(segment.lists.keys().collect::<Vec<_>>(), ["cat", "dog"]);
    }

    #[test]
    fn chunks_are_read_as_they_were_written() {
        let members = [Member { chunk_id: i64::MAX, terms: 3 }, Member { chunk_id: 258, terms: u16::MAX }];
        let bytes = encode_members(&members);
        assert_eq!(decode_members(&bytes, 2).unwrap(), members);
        assert_eq!((chunk_id_at(&bytes, 1), chunk_id_at(&bytes, 2)), (Some(258), None));
        assert_eq!(decode_members(&bytes, 3), Err(Corrupt::Members { bytes: 20, n: 3 }));
        assert_eq!(decode_members(&bytes[1..], 2), Err(Corrupt::Members { bytes: 19, n: 2 }));
    }
}
