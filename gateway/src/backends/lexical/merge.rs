//! What becomes of segments that are put together: the chunks that are left, one segment after another, and for each term the
//! postings of those chunks under their new ordinals.

use super::{
    Corrupt,
    codec::{Encoder, List, Posting, Postings},
    segment::Member,
};

/// What is left of the segments.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Survivors {
    pub members: Vec<Member>,
    /// For each segment: the new ordinal of each of its chunks, `None` for those that are gone.
    pub places: Vec<Vec<Option<u32>>>,
}

/// Numbers anew the chunks that still live.
///
/// # Errors
/// More chunks than one segment can have.
pub fn survivors(segments: &[Vec<Member>], lives: impl Fn(i64) -> bool) -> Result<Survivors, Corrupt> {
    let mut survivors = Survivors::default();
    for segment in segments {
        let mut places = Vec::with_capacity(segment.len());
        for member in segment {
            if !lives(member.chunk_id) {
                places.push(None);
                continue;
            }
            let found = survivors.members.len();
            // The number of chunks is kept in a signed column.
            let place = i32::try_from(found).map_err(|_| Corrupt::Full { found: found as u64 })?;
            places.push(Some(place.unsigned_abs()));
            survivors.members.push(*member);
        }
        survivors.places.push(places);
    }
    Ok(survivors)
}

/// The postings of one term in one of the segments.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The segment's part of [`Survivors::places`].
    pub places: &'a [Option<u32>],
    pub bytes: &'a [u8],
}

/// The postings of one term in the new segment; `parts` in the order of the segments. Without chunks: none is left.
///
/// # Errors
/// Postings that cannot be read.
pub fn merge(parts: &[Part<'_>]) -> Result<List, Corrupt> {
    let mut merged = Encoder::default();
    for Part { places, bytes } in parts {
        let n = u32::try_from(places.len()).map_err(|_| Corrupt::Full { found: places.len() as u64 })?;
        for posting in Postings::new(bytes, n)? {
            let Posting { ordinal, frequency, length } = posting?;
            if let Some(Some(ordinal)) = places.get(ordinal as usize) {
                merged.push(Posting { ordinal: *ordinal, frequency, length });
            }
        }
    }
    Ok(merged.finish())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::backends::lexical::{
        segment::{Segment, build},
        words::Analyzer,
    };

    fn merged(segments: &[Segment], lives: impl Fn(i64) -> bool) -> Segment {
        let members: Vec<_> = segments.iter().map(|segment| segment.members.clone()).collect();
        let Survivors { members, places } = survivors(&members, lives).unwrap();
        let terms: BTreeSet<_> = segments.iter().flat_map(|segment| segment.lists.keys()).collect();
        let list = |term: &&String| {
            let part = |(segment, places): (&'_ Segment, &'_ Vec<Option<u32>>)| {
                segment.lists.get(*term).map(|list| (places.clone(), list.bytes.clone()))
            };
            let parts: Vec<_> = segments.iter().zip(&places).filter_map(part).collect();
            merge(&parts.iter().map(|(places, bytes)| Part { places, bytes }).collect::<Vec<_>>()).unwrap()
        };
        let lists: BTreeMap<_, _> =
            terms.iter().map(|term| ((*term).clone(), list(term))).filter(|(_, list)| list.chunks > 0).collect();
        Segment { members, lists }
    }

    proptest! {
        #[test]
        fn a_merge_is_what_building_anew_would_give(
            batches in prop::collection::vec(prop::collection::vec("([a-f]{1,2} ){0,12}", 0..6), 0..6),
            gone in prop::collection::btree_set(0..36_i64, 0..20),
        ) {
            let analyzer = Analyzer::default();
            let mut ids = 0_i64..;
            let batches: Vec<Vec<(i64, String)>> = batches
                .into_iter()
                .map(|batch| batch.into_iter().map(|text| (ids.next().unwrap(), text)).collect())
                .collect();
            let segments: Vec<_> = batches
                .iter()
                .map(|batch| build(&analyzer, batch.iter().map(|(id, text)| (*id, text.as_str()))))
                .collect();
            let lives = |id: i64| !gone.contains(&id);
            let left = batches.iter().flatten().filter(|(id, _)| lives(*id)).map(|(id, text)| (*id, text.as_str()));
            prop_assert_eq!(merged(&segments, lives), build(&analyzer, left));
        }
    }

    #[test]
    fn damaged_postings_end_the_merge() {
        let part = Part { places: &[Some(0)], bytes: &[1, 5, 1, 1] };
        assert_eq!(merge(&[part]), Err(Corrupt::Ordinal { ordinal: 5, n: 1 }));
    }
}
