//! Where the cache is.

use crate::config::{Cache, CacheCluster, CacheSentinel};

/// Checks that one place is named, and within bounds.
pub(super) fn places(cache: &Cache, require: &mut impl FnMut(bool, &'static str, &str)) {
    let Cache { sentinel, cluster, database, .. } = cache;
    require(sentinel.is_none() || cluster.is_none(), "cache.cluster", "give cache.sentinel or cache.cluster, not both");
    if let Some(CacheSentinel { addresses, master_name }) = sentinel {
        require((1..=9).contains(&addresses.len()), "cache.sentinel.addresses", "must be 1 to 9 addresses");
        let named =
            (1..=128).contains(&master_name.len()) && !master_name.contains(|c: char| c.is_whitespace() || c.is_control());
        require(named, "cache.sentinel.masterName", "must be 1 to 128 characters without spaces");
    }
    if let Some(CacheCluster { addresses }) = cluster {
        require((1..=64).contains(&addresses.len()), "cache.cluster.addresses", "must be 1 to 64 addresses");
        require(*database == 0, "cache.database", "must be 0: a cluster has no other");
    }
}
