//! The search by vector in the database alone: by the gateway's own store, and by pgbench on the very transaction.

use std::sync::Arc;

use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        filter::Filter,
        ingest::Metadata,
        inspect::Inspector,
        search::{NearestQuery, Searcher, WorkspaceId},
    },
};

use crate::{
    clients::{self, Work},
    described::{self, goal},
    figure::{Bound, Figure},
    load::Rate,
    pgbench,
    rows::Rows,
    surroundings::Surroundings,
};

pub(crate) const CLIENTS: [usize; 2] = [1, 8];
pub(crate) const RESULTS: u32 = 5;

/// Searches with each vector in turn.
#[derive(Debug)]
struct Nearest {
    store: Store,
    workspace: WorkspaceId,
    vectors: Vec<Vec<f32>>,
    filter: Option<Filter>,
}

impl Work for Nearest {
    async fn once(&self, number: usize) -> anyhow::Result<()> {
        let vector = self.vectors[number % self.vectors.len()].clone();
        self.store
            .nearest(&NearestQuery { workspace: self.workspace, vector, limit: RESULTS, filter: self.filter.clone() })
            .await?;
        Ok(())
    }
}

pub(crate) async fn measure(around: &Surroundings, rows: &Rows) -> anyhow::Result<()> {
    let mut vectors = rows.sentences.question_vectors(rows.dimensions);
    vectors.truncate(pgbench::VECTORS);
    let first = NearestQuery { workspace: rows.workspace, vector: vectors[0].clone(), limit: RESULTS, filter: None };
    let explained = rows.store.explain(&first).await?;
    let group = format!("Vector search alone, {}, {}", rows.name(), explained.plan.label());
    let count = rows.store.serving(rows.workspace).await?.rows;
    let work = |filter| Nearest { store: rows.store.clone(), workspace: rows.workspace, vectors: vectors.clone(), filter };
    let plain = Arc::new(work(None));
    for clients in CLIENTS {
        let raw = pgbench::rate(around, &rows.schema, &explained, &vectors, clients)?;
        let own = clients::rate(around, &plain, clients).await?;
        let what = described_clients(clients);
        keep(around, &group, &format!("pgbench, {what}"), raw, [None, None])?;
        Figure::new(&group, format!("the gateway's store, {what}"), own.per_second, "requests/s")
            .beside("pgbench", raw.per_second)
            .aims_at((clients == 8).then_some(goal::SEARCH))
            .keep(&around.folder)?;
        let alone = clients == 1;
        times(
            around,
            &group,
            &format!("the gateway's store, {what}"),
            own,
            [alone.then(|| described::search_ms(count)), alone.then_some(described::SIMILARITY_P95_MS)],
        )?;
    }
    let one_kind = Metadata::from_iter([("kind".to_owned(), 3.into())]);
    let filtered = Arc::new(work(Some(Filter::Contains(one_kind))));
    let rate = clients::rate(around, &filtered, 1).await?;
    keep(around, &group, "with a filter that a tenth passes, 1 client", rate, [None, Some(described::FILTERED_P95_MS)])
}

pub(crate) fn described_clients(clients: usize) -> String {
    format!("{clients} client{}", if clients == 1 { "" } else { "s" })
}

/// Rate, median and 95th percentile; the bounds are those of the two times.
pub(crate) fn keep(around: &Surroundings, group: &str, name: &str, rate: Rate, bounds: [Option<Bound>; 2]) -> anyhow::Result<()> {
    Figure::new(group, name, rate.per_second, "requests/s").keep(&around.folder)?;
    times(around, group, name, rate, bounds)
}

/// Median and 95th percentile.
pub(crate) fn times(
    around: &Surroundings,
    group: &str,
    name: &str,
    rate: Rate,
    bounds: [Option<Bound>; 2],
) -> anyhow::Result<()> {
    let [p50, p95] = bounds;
    Figure::new(group, format!("{name}, p50"), rate.p50_ms, "ms").maybe_described(p50).keep(&around.folder)?;
    Figure::new(group, format!("{name}, p95"), rate.p95_ms, "ms").maybe_described(p95).keep(&around.folder)
}
