//! `make bench-1m`: a million rows in HNSW: time of the build, memory, time per query by vector, by words and by both.

use std::{fs, sync::Arc, time::Instant};

use ragline_gateway::traits::embedder::Embedder;

use crate::{described, figure::Figure, hybrid, rows::Rows, sentences::Sentences, surroundings::Surroundings, vector};

const DIMENSIONS: u32 = 384;
const MIB: f64 = 1_024.0 * 1_024.0;

pub(crate) async fn measure(around: &Surroundings, sentences: Sentences, model: &Arc<dyn Embedder>) -> anyhow::Result<()> {
    let mut rows = Rows::open(around, sentences, DIMENSIONS).await?;
    let begin = Instant::now();
    rows.fill(around.million).await?;
    let group = format!("A large index, {}", rows.name());
    let per_second = rows.stored() as f64 / begin.elapsed().as_secs_f64();
    Figure::new(&group, "stored without an index", per_second, "rows/s").keep(&around.folder)?;
    let built = rows.index().await?;
    Figure::new(&group, "index build", built.as_secs_f64() / 60.0, "minutes")
        .described(described::REBUILD_MINUTES)
        .keep(&around.folder)?;
    let size: i64 = sqlx::query_scalar("SELECT coalesce(sum(index_size_bytes), 0)::bigint FROM relation_figures()")
        .fetch_one(&rows.owner)
        .await?;
    Figure::new(&group, "index on disk", size as f64 / MIB, "MiB").keep(&around.folder)?;
    vector::measure(around, &rows).await?;
    hybrid::measure(around, &rows, model).await?;
    if let Some(memory) = postgres_mib() {
        Figure::new(&group, "memory of PostgreSQL, shared pages once", memory, "MiB").keep(&around.folder)?;
    }
    Figure::new(&group, "memory of this process, which is none of the gateway's", own_mib(), "MiB").keep(&around.folder)
}

/// Proportional set size of all PostgreSQL processes that may be looked into.
fn postgres_mib() -> Option<f64> {
    let mut total = 0.0;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let is_postgres = fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == "postgres");
        if is_postgres {
            total += field_mib(&fs::read_to_string(entry.path().join("smaps_rollup")).unwrap_or_default(), "Pss:");
        }
    }
    (total > 0.0).then_some(total)
}

fn own_mib() -> f64 {
    field_mib(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:")
}

fn field_mib(text: &str, field: &str) -> f64 {
    let kib = text.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_mebibytes() {
        assert_eq!(field_mib("Rss:  9 kB\nPss:      2048 kB\n", "Pss:"), 2.0);
        assert!(own_mib() > 0.1);
    }
}
