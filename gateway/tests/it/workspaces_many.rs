//! A thousand workspaces in one pipeline: each is searched by the rows of its own alone. Prints the times beside those of a pipeline
//! with one workspace (`cargo test … -- workspaces_many --nocapture`); asserts what was looked at, not how long it took.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::time::Instant;

use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        inspect::Inspector,
        search::{Directory, NearestQuery, SearchPlan, Searcher, WorkspaceId},
        workspaces::{WorkspaceName, WorkspaceStore},
    },
};
use sqlx::PgPool;

use crate::database::{TestDatabase, fresh_for};

const DIMENSIONS: u32 = 384;
/// Chunks of each workspace.
const ROWS: i32 = 20;
const SEARCHES: usize = 400;

/// Workspaces `w1`, `w2`, … of the pool, each with a document whose chunks have random directions.
const FILL: &str = "WITH made AS (SELECT create_workspace('w' || n) AS id, n FROM generate_series(1, $1) n), \
      put AS (INSERT INTO document (id, workspace_id, collection_id, source, content_type, size_bytes, content_hash, \
        chunking_fingerprint, space_id, chunks) \
      SELECT gen_random_uuid(), m.id, 1, 'w' || m.n, 'text/plain', 0, sha256('a'), sha256('b'), (SELECT id FROM embedding_space), $2 \
        FROM made m RETURNING id, workspace_id), \
      cut AS (INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash) \
      SELECT p.workspace_id, 1, p.id, n, repeat('w' || p.workspace_id || ' ', 200), 600, sha256('c') FROM put p, generate_series(1, $2) n \
        RETURNING id, workspace_id) \
    INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
      SELECT 0, c.workspace_id, 1, c.id, 0, (SELECT id FROM embedding_space), \
        (SELECT array_agg(random() - 0.5 + 0 * c.id * g)::halfvec FROM generate_series(1, $3) g) FROM cut c";

struct Pipeline {
    database: TestDatabase,
    store: Store,
}

async fn pipeline(workspaces: i32) -> Pipeline {
    let database = fresh_for("many", DIMENSIONS).await;
    let owner: PgPool = database.owner();
    let dimensions = i32::try_from(DIMENSIONS).unwrap();
    sqlx::query(FILL).bind(workspaces).bind(ROWS).bind(dimensions).execute(&owner).await.unwrap();
    sqlx::raw_sql("VACUUM ANALYZE").execute(&owner).await.unwrap();
    Pipeline { store: database.store(), database }
}

fn question(number: usize) -> Vec<f32> {
    (0..DIMENSIONS as usize).map(|n| ((n * 31 + number * 17) % 101) as f32 - 50.0).collect()
}

impl Pipeline {
    async fn query(&self, name: &str, number: usize) -> NearestQuery {
        let workspace: WorkspaceId = self.store.workspace(name).await.unwrap().unwrap();
        NearestQuery { workspace, vector: question(number), limit: 10, filter: None }
    }

    /// Median and 95th percentile in milliseconds.
    async fn times(&self, name: &str) -> (f64, f64) {
        let mut query = self.query(name, 0).await;
        let mut times = Vec::with_capacity(SEARCHES);
        for number in 0..SEARCHES + 20 {
            query.vector = question(number);
            let begun = Instant::now();
            let found = self.store.nearest(&query).await.unwrap();
            let took = begun.elapsed().as_secs_f64() * 1_000.0;
            assert!(found.matches.len() == 10 && found.matches.iter().all(|one| one.filename == name), "{name}");
            assert_eq!(found.plan, SearchPlan::Exact);
            if number >= 20 {
                times.push(took);
            }
        }
        times.sort_by(f64::total_cmp);
        (times[SEARCHES / 2], times[SEARCHES * 95 / 100])
    }
}

#[tokio::test]
async fn one_of_a_thousand_workspaces_is_searched_by_its_own_rows() {
    let (many, one) = (pipeline(1_000).await, pipeline(1).await);
    let explained = many.store.explain(&many.query("w500", 0).await).await.unwrap();
    assert!(explained.index_names.iter().any(|name| name.contains("workspace")), "{:?}", explained.index_names);
    for round in 1..=3 {
        let ((p50, p95), (alone_p50, alone_p95)) = (many.times("w500").await, one.times("w1").await);
        println!(
            "round {round}: one of 1,000 p50 {p50:.2} ms, p95 {p95:.2} ms; alone p50 {alone_p50:.2} ms, p95 {alone_p95:.2} ms"
        );
    }
    let listed = many.store.workspaces(None, 1_000).await.unwrap();
    assert_eq!((listed.items.len(), listed.has_more), (1_000, true));
    let last: WorkspaceName = listed.items.last().unwrap().name.parse().unwrap();
    // `default` is the one more.
    assert_eq!(many.store.workspaces(Some(&last), 1_000).await.unwrap().items.len(), 1);
    assert_ne!(many.database.name, one.database.name);
}
