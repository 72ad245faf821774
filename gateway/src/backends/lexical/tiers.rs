//! When segments are merged, and which. A segment of level 0 is what one publish wrote; each level above holds about four times as
//! many chunks, so that a chunk is rewritten once a level.

/// Level 0 is merged from this many segments on.
pub const MOST_SMALL: usize = 32;
/// Level 0 is merged from this many chunks on, however few segments hold them.
pub const MOST_SMALL_CHUNKS: u64 = 2_000;
/// An ingest that sees more small segments than this merges before it goes on.
pub const CROWDED: usize = 64;
/// Segments of one level that become one of the next.
pub const FANOUT: usize = 4;
/// Small segments that one merge takes: it holds them in memory.
const AT_ONCE: usize = 64;

/// What is known of a segment without its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Facts {
    pub segment: i64,
    pub level: i16,
    pub n: u32,
}

/// Which segments to put together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Merge {
    pub segments: Vec<i64>,
    /// Level of the one that comes out.
    pub level: i16,
}

/// The merge of level 0 that is due.
pub fn small_merge(segments: &[Facts]) -> Option<Merge> {
    let small: Vec<_> = segments.iter().filter(|facts| facts.level == 0).take(AT_ONCE).collect();
    let chunks = chunks(small.iter().copied());
    (small.len() >= MOST_SMALL || chunks >= MOST_SMALL_CHUNKS)
        .then(|| Merge { level: level_of(chunks), segments: small.iter().map(|facts| facts.segment).collect() })
}

/// The merge above level 0 that is due, lowest level first.
pub fn large_merge(segments: &[Facts]) -> Option<Merge> {
    let mut levels: Vec<i16> = segments.iter().map(|facts| facts.level).filter(|level| *level > 0).collect();
    levels.sort_unstable();
    let full = levels.chunk_by(|a, b| a == b).find(|same| same.len() >= FANOUT)?;
    let level = *full.first()?;
    let merged: Vec<_> = segments.iter().filter(|facts| facts.level == level).collect();
    let reached = level.saturating_add(1).max(level_of(chunks(merged.iter().copied())));
    Some(Merge { level: reached, segments: merged.iter().map(|facts| facts.segment).collect() })
}

/// Everything anew, when more than a sixth of what is indexed is no longer there. To be asked once level 0 is merged: what is left
/// there is little.
pub fn rewrite(segments: &[Facts], live: u64) -> Option<Merge> {
    is_stale(chunks(segments), live).then(|| Merge {
        level: segments.iter().map(|facts| facts.level).max().unwrap_or(0).max(1),
        segments: segments.iter().map(|facts| facts.segment).collect(),
    })
}

/// Whether postings of chunks that are gone have become too many.
fn is_stale(indexed: u64, live: u64) -> bool {
    indexed.saturating_mul(5) > live.saturating_mul(6)
}

fn chunks<'a>(segments: impl IntoIterator<Item = &'a Facts>) -> u64 {
    segments.into_iter().map(|facts| u64::from(facts.n)).sum()
}

/// The level that a segment of this size belongs to, above 0.
fn level_of(chunks: u64) -> i16 {
    let mut level = 1;
    let mut most = MOST_SMALL_CHUNKS * FANOUT as u64;
    while chunks >= most && level < i16::MAX {
        level += 1;
        most = most.saturating_mul(FANOUT as u64);
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(levels: &[(i16, u32)]) -> Vec<Facts> {
        (1..).zip(levels).map(|(segment, (level, n))| Facts { segment, level: *level, n: *n }).collect()
    }

    #[test]
    fn level_0_is_merged_by_number_and_by_size() {
        assert_eq!(small_merge(&facts(&[(0, 10); 31])), None);
        assert_eq!(small_merge(&facts(&[(0, 10); 32])).unwrap().segments.len(), 32);
        assert_eq!(small_merge(&facts(&[(0, 1_999), (1, 9_000)])), None);
        assert_eq!(small_merge(&facts(&[(0, 1_999), (0, 1)])), Some(Merge { segments: vec![1, 2], level: 1 }));
        assert_eq!(small_merge(&facts(&[(0, 1_000); 300])).unwrap(), Merge { segments: (1..=64).collect(), level: 3 });
    }

    #[test]
    fn four_of_a_level_become_one_of_a_higher() {
        assert_eq!(large_merge(&facts(&[(2, 8_000), (1, 2_000), (1, 2_000), (1, 2_000), (0, 5)])), None);
        let four = facts(&[(2, 8_000), (1, 2_000), (1, 2_000), (1, 2_000), (0, 5), (1, 10)]);
        assert_eq!(large_merge(&four), Some(Merge { segments: vec![2, 3, 4, 6], level: 2 }));
        let large = facts(&[(1, 9_000), (1, 9_000), (1, 9_000), (1, 9_000)]);
        assert_eq!(large_merge(&large).unwrap().level, 3);
    }

    #[test]
    fn much_that_is_gone_has_everything_rewritten() {
        let segments = facts(&[(3, 100), (0, 20)]);
        assert_eq!(rewrite(&segments, 100), None);
        assert_eq!(rewrite(&segments, 99), Some(Merge { segments: vec![1, 2], level: 3 }));
        assert_eq!(rewrite(&[], 0), None);
    }
}
