//! Values that share their lines. In Valkey every line but the first of a value lies once, packed, under its hash; the value itself holds
//! the first and names the others. Values and bytes in and out, no I/O.

use std::io::Read;

use bytes::Bytes;
use flate2::{
    Compression,
    read::{DeflateDecoder, DeflateEncoder},
};
use sha2::{Digest, Sha256};

use crate::traits::cache::CacheKey;

const HASH_BYTES: usize = 32;
/// A line is not unpacked to more.
const MOST_LINE_BYTES: u64 = 16 << 20;

/// A value as it is stored: what is under its own key, and what others may share.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Folded {
    pub(super) value: Bytes,
    pub(super) pieces: Vec<(CacheKey, Bytes)>,
}

/// Takes a value apart. One of a single line stays as it is.
pub(super) fn fold(value: &Bytes) -> Folded {
    let mut lines = value.split(|byte| *byte == b'\n');
    let mut folded = lines.next().unwrap_or_default().to_vec();
    let mut pieces = Vec::new();
    for line in lines {
        let hash = Sha256::digest(line);
        // Said once, before the first name.
        if pieces.is_empty() {
            folded.push(b'\n');
        }
        folded.extend(&hash);
        pieces.push((key(&hash), pack(line)));
    }
    Folded { value: folded.into(), pieces }
}

/// The keys of the pieces that a stored value names; `None` for bytes that nobody folded.
pub(super) fn named(stored: &[u8]) -> Option<Vec<CacheKey>> {
    let Some((_, names)) = parts(stored) else { return Some(Vec::new()) };
    let (hashes, rest) = names.as_chunks::<HASH_BYTES>();
    rest.is_empty().then(|| hashes.iter().map(|hash| key(hash)).collect())
}

/// Puts a value together from what is stored of it, its pieces in their order; `None` where one is missing or damaged.
pub(super) fn unfold(stored: Bytes, pieces: &[Option<Bytes>]) -> Option<Bytes> {
    let Some((first, _)) = parts(&stored) else { return Some(stored) };
    let mut value = first.to_vec();
    for piece in pieces {
        value.push(b'\n');
        DeflateDecoder::new(piece.as_deref()?).take(MOST_LINE_BYTES).read_to_end(&mut value).ok()?;
    }
    Some(value.into())
}

fn parts(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = stored.iter().position(|byte| *byte == b'\n')?;
    Some((&stored[..end], &stored[end + 1..]))
}

fn key(hash: &[u8]) -> CacheKey {
    CacheKey(format!("passage:{}", hex::encode(hash)))
}

fn pack(line: &[u8]) -> Bytes {
    let mut packed = Vec::with_capacity(line.len() / 2);
    // Nothing that is read from memory fails.
    DeflateEncoder::new(line, Compression::fast()).read_to_end(&mut packed).ok();
    packed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(folded: &Folded) -> Option<Bytes> {
        let pieces: Vec<_> = folded.pieces.iter().map(|(_, piece)| Some(piece.clone())).collect();
        unfold(folded.value.clone(), &pieces)
    }

    #[test]
    fn a_value_is_what_it_was() {
        for value in ["", "one line", "head\na\nb\na", "head\n", "\n\n", "h\n\u{0}\u{1}é"] {
            let value = Bytes::from(value);
            let folded = fold(&value);
            assert_eq!(unfolded(&folded).as_ref(), Some(&value));
            let keys: Vec<_> = folded.pieces.iter().map(|(key, _)| key.clone()).collect();
            assert_eq!(named(&folded.value), Some(keys));
        }
    }

    #[test]
    fn lines_are_shared_and_packed() {
        let passage = "the same passage again and again ".repeat(100);
        let [one, two] = ["a", "b"].map(|head| fold(&Bytes::from(format!("{head}\n{passage}"))));
        assert_eq!(one.pieces, two.pieces);
        assert!(one.value.len() == 34 && one.pieces[0].1.len() < passage.len() / 10);
    }

    #[test]
    fn a_value_without_all_its_pieces_is_none() {
        let folded = fold(&Bytes::from("head\na\nb"));
        let first = Some(folded.pieces[0].1.clone());
        assert_eq!(unfold(folded.value.clone(), &[first.clone(), None]), None);
        assert_eq!(unfold(folded.value.clone(), &[first, Some(Bytes::from_static(b"\xff\xff"))]), None);
        assert_eq!(named(&folded.value[..40]), None);
    }
}
