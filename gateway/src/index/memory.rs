//! How much maintenance_work_mem a build wants. Pure.

use ragline_config::index::IndexKind;

use super::IndexError;

/// Where nobody has set maintenance_work_mem, its default of 64 MB fits no larger index; this much may be taken then.
const UNSET_BOUND: u64 = 512 << 20;
const MIB: u64 = 1 << 20;
/// The least that is ever asked for.
const LEAST: u64 = 64 << 20;

/// What the server says about maintenance_work_mem.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Allowed {
    pub(super) bytes: u64,
    /// Somebody chose it: it is what the server can bear.
    pub(super) chosen: bool,
}

impl Allowed {
    fn bound(self) -> u64 {
        if self.chosen { self.bytes } else { self.bytes.max(UNSET_BOUND) }
    }
}

/// Bytes to set for a build. ivfflat refuses to work with less than it needs; HNSW only gets slower.
pub(super) fn bytes(kind: &IndexKind, name: &str, rows: u64, dimensions: u32, allowed: Allowed) -> Result<u64, IndexError> {
    let (dimensions, bound) = (u64::from(dimensions), allowed.bound());
    match *kind {
        IndexKind::Exact => Ok(LEAST.min(bound)),
        IndexKind::IvfFlat { lists } => {
            let needed = ivfflat(u64::from(lists), dimensions);
            if needed > bound {
                return Err(IndexError::Memory {
                    index: name.to_owned(),
                    needed_mb: needed.div_ceil(MIB),
                    allowed_mb: bound / MIB,
                });
            }
            Ok(needed.max(LEAST.min(bound)))
        }
        IndexKind::Hnsw { .. } => Ok(rows.saturating_mul(2 * dimensions + 350).clamp(LEAST.min(bound), bound)),
    }
}

/// k-means over fifty samples a list: the samples, two sets of centers, a lower bound for each pair of sample and center, and the
/// distances between centers. A tenth on top.
fn ivfflat(lists: u64, dimensions: u64) -> u64 {
    let samples = (lists * 50).max(10_000);
    let row = 2 * dimensions + 16;
    let bytes = samples * row + 2 * lists * row + lists * dimensions * 4 + samples * lists * 4 + samples * 8 + lists * lists * 4;
    bytes + bytes / 10 + MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSET: Allowed = Allowed { bytes: 64 << 20, chosen: false };

    #[test]
    fn a_build_gets_what_it_needs_within_the_bound() {
        let lists = |lists| IndexKind::IvfFlat { lists };
        let hnsw = IndexKind::Hnsw { m: 16, ef_construction: 64 };
        let mb = |kind, rows, dimensions, allowed| bytes(&kind, "i", rows, dimensions, allowed).unwrap() / MIB;
        assert_eq!(mb(lists(100), 20_000, 384, UNSET), 64);
        // 50,000 samples, 1,000 lists: 247 million bytes, a tenth and a mebibyte on top.
        assert_eq!(mb(lists(1_000), 200_000, 384, UNSET), 259);
        assert_eq!(mb(hnsw, 100_000, 384, UNSET), 106);
        assert_eq!(mb(hnsw, 10_000_000, 384, UNSET), 512);
        assert_eq!(mb(hnsw, 10_000_000, 384, Allowed { bytes: 2 << 30, chosen: true }), 2_048);
    }

    #[test]
    fn ivfflat_is_refused_where_the_server_cannot_bear_it() {
        let allowed = Allowed { bytes: 128 << 20, chosen: true };
        let error = bytes(&IndexKind::IvfFlat { lists: 1_000 }, "i", 200_000, 384, allowed).unwrap_err();
        assert!(matches!(error, IndexError::Memory { allowed_mb: 128, .. }), "{error}");
    }
}
