//! The figures of the system description, in one place: what ours are held against.

use crate::figure::Bound;

/// "simple_similarity", 95th percentile in ms.
pub(crate) const SIMILARITY_P95_MS: Bound = Bound::AtMost(5.0);
/// "filtered_similarity", 95th percentile in ms.
pub(crate) const FILTERED_P95_MS: Bound = Bound::AtMost(10.0);
/// "complex_hybrid_queries", 95th percentile in ms.
pub(crate) const HYBRID_P95_MS: Bound = Bound::AtMost(25.0);
/// "bulk_operations", ms per 1,000 embeddings.
pub(crate) const BULK_THOUSAND_MS: Bound = Bound::AtMost(100.0);
/// "Bulk inserts", embeddings a minute.
pub(crate) const BULK_A_MINUTE: Bound = Bound::AtLeast(100_000.0);
/// "Index updates", embeddings a minute.
pub(crate) const UPDATES_A_MINUTE: Bound = Bound::AtLeast(10_000.0);
/// "Throughput: 2000+ embeddings/minute with batching".
pub(crate) const EMBEDDINGS_A_MINUTE: Bound = Bound::AtLeast(2_000.0);
/// "Single embedding: 50-150ms".
pub(crate) const EMBEDDING_MS: Bound = Bound::AtMost(150.0);
/// "Cache hit", ms.
pub(crate) const HIT_MS: Bound = Bound::AtMost(5.0);
/// "Cache miss + store", ms.
pub(crate) const MISS_MS: Bound = Bound::AtMost(100.0);
/// "With Cache", requests/s.
pub(crate) const CACHED_A_SECOND: Bound = Bound::AtLeast(1_000.0);
/// "Without Cache", requests/s.
pub(crate) const UNCACHED_A_SECOND: Bound = Bound::AtLeast(50.0);
/// "Cache hit rate target", per cent.
pub(crate) const HIT_RATE: Bound = Bound::AtLeast(70.0);
/// "Reduces PostgreSQL load by 60-80%".
pub(crate) const SAVED: Bound = Bound::AtLeast(60.0);
/// "Memory usage: ~1KB per cached result".
pub(crate) const CACHED_RESULT_BYTES: Bound = Bound::AtMost(1_024.0);
/// "Index rebuild time: ~2 hours for 1M vectors", in minutes.
pub(crate) const REBUILD_MINUTES: Bound = Bound::AtMost(120.0);

/// "Query Performance by Scale", ms.
pub(crate) fn search_ms(rows: u64) -> Bound {
    Bound::AtMost(match rows {
        0..1_000 => 5.0,
        1_000..100_000 => 50.0,
        _ => 200.0,
    })
}

/// What a ratio to a raw part should at least be; our own aim, not the description's.
pub(crate) mod goal {
    /// Vector search with 8 clients, of pgbench on the same transaction.
    pub(crate) const SEARCH: f64 = 0.85;
    /// Cached search, of a bare axum route.
    pub(crate) const CACHED: f64 = 0.6;
    /// Rows stored, of raw `unnest` on the same indexed table.
    pub(crate) const STORED: f64 = 0.8;
    /// Chunks from upload to searchable, of the engine alone.
    pub(crate) const INGESTED: f64 = 0.9;
}
