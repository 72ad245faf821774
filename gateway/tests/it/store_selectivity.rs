//! Filters of every selectivity on many rows: recall on each kind of index, and that PostgreSQL finds what passes by the indexes on
//! attributes, as the application role under the policy.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the recall")]

use ragline_config::Index;
use ragline_gateway::{
    backends::pgvector::Store,
    index,
    traits::{
        filter::{Comparison, Filter, Scalar},
        search::{NearestQuery, SearchPlan, Searcher, WorkspaceId},
    },
};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    database::{DIMENSIONS, TestDatabase, default_workspace, fresh},
    store_bulk::{centres, fill, near},
    store_fixture::object,
};

const ROWS: u32 = 8_000;
const CLUSTERS: u32 = 40;
/// What is compared one by one; the rest of the selectivities walk the index.
const FEW: u32 = 200;

fn compare(key: &str, comparison: Comparison) -> Filter {
    Filter::Compare { key: key.into(), comparison }
}

async fn found(store: &Store, workspace: WorkspaceId, vector: &[f32], filter: &Filter) -> (SearchPlan, Vec<i64>) {
    let query = NearestQuery { workspace, vector: vector.to_vec(), limit: 10, filter: Some(filter.clone()) };
    let found = store.nearest_hits(&query).await.unwrap();
    (found.plan, found.hits.iter().map(|hit| hit.chunk_id).collect())
}

#[tokio::test]
async fn recall_holds_at_every_selectivity_on_every_index() {
    let database = fresh().await;
    let mut random = StdRng::seed_from_u64(7);
    let centres = centres(CLUSTERS, DIMENSIONS, &mut random);
    let vectors = (0..ROWS).map(|row| near(&centres[(row % CLUSTERS) as usize], &mut random)).collect();
    fill(&database, vectors, CLUSTERS, &mut random).await;
    let store = database.store().with_few_allowed(FEW);
    let workspace = default_workspace(&store).await;
    let below = |share: f64| compare("rank", Comparison::Lt(Scalar::Number((f64::from(ROWS) * share).ceil())));
    let filters = [
        ("50 %", below(0.5)),
        ("20 %", below(0.2)),
        ("5 %", below(0.05)),
        ("1 %", below(0.01)),
        ("0.1 %", below(0.001)),
        ("0.01 %", below(0.0001)),
        ("none", below(0.0)),
        // Half of the rows, none of them near the questions.
        ("far", compare("far", Comparison::Eq(Scalar::Bool(true)))),
        ("far and 20 %", Filter::All(vec![compare("far", Comparison::Eq(Scalar::Bool(true))), below(0.4)])),
        ("not one", compare("cluster", Comparison::Ne(Scalar::Text("c1".into())))),
        ("one or few", Filter::Any(vec![compare("cluster", Comparison::Eq(Scalar::Text("c3".into()))), below(0.01)])),
    ];
    // Questions near the clusters that are not far.
    let questions: Vec<Vec<f32>> = (0..12).map(|n| near(&centres[n % (CLUSTERS as usize / 2)], &mut random)).collect();
    let exact_store = database.store().with_few_allowed(u32::MAX / 2);
    let mut exact = Vec::new();
    for (_, filter) in &filters {
        for question in &questions {
            exact.push(found(&exact_store, workspace, question, filter).await.1);
        }
    }
    let tiers = [
        Index { exact_below: 100_000, small_below: 100_000, medium_below: 100_000, ..Index::default() },
        Index { exact_below: 1, small_below: 100_000, medium_below: 100_000, ..Index::default() },
        Index { exact_below: 1, small_below: 2, medium_below: 3, ..Index::default() },
    ];
    for config in tiers {
        index::run(&database.owner(), &config).await.unwrap();
        for (place, (name, filter)) in filters.iter().enumerate() {
            let (mut same, mut all, mut plans) = (0, 0, Vec::new());
            for (number, question) in questions.iter().enumerate() {
                let exact = &exact[place * questions.len() + number];
                let (plan, found) = found(&store, workspace, question, filter).await;
                assert_eq!(found.len(), exact.len(), "{name} under {plan:?} came back short");
                same += exact.iter().filter(|id| found.contains(id)).count();
                all += exact.len();
                plans.push(plan.label());
            }
            plans.dedup();
            let recall = if all == 0 { 1.0 } else { same as f64 / all as f64 };
            println!("{name}: recall {recall:.3} by {plans:?}");
            assert!(recall >= 0.95, "{name}: recall {recall} by {plans:?}");
        }
    }
    by_the_indexes(&database, workspace, &questions[0]).await;
}

/// Runs searches on one connection, and reads from the server's counters what they scanned.
async fn by_the_indexes(database: &TestDatabase, workspace: WorkspaceId, question: &[f32]) {
    let mut one = TestDatabase { name: database.name.clone(), space: database.space.clone(), config: database.config.clone() };
    one.config.pool_size = 1;
    let store = one.store();
    let cases = [
        ("attribute_text", compare("cluster", Comparison::Eq(Scalar::Text("c7".into())))),
        ("attribute_text", compare("source", Comparison::In(vec![Scalar::Text("s7".into()), Scalar::Text("s9".into())]))),
        ("attribute_text", object(serde_json::json!({ "cluster": "c7" })).into()),
        ("attribute_number_document", compare("rank", Comparison::Lt(Scalar::Number(20.0)))),
    ];
    for (index, filter) in cases {
        let before = scans(&store, index).await;
        found(&store, workspace, question, &filter).await;
        let after = scans(&store, index).await;
        assert!(after.0 > before.0, "{index} was not used for {}", filter.canonical());
        assert_eq!(after.1, before.1, "attributes were read one by one for {}", filter.canonical());
    }
}

/// Scans of an index, and of the whole table.
async fn scans(store: &Store, index: &str) -> (i64, i64) {
    sqlx::raw_sql("SELECT pg_stat_force_next_flush()").execute(&store.pool()).await.unwrap();
    sqlx::query_as(
        "SELECT (SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1), \
           (SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'attribute')",
    )
    .bind(index)
    .fetch_one(&store.pool())
    .await
    .unwrap()
}
