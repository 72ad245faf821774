//! The index follows a table that grows and shrinks, under searches that never stop.

#![expect(clippy::print_stdout, reason = "figures for the reader of the log")]

use std::{collections::HashMap, time::Duration};

use ragline_config::{Index, index::IndexKind};
use ragline_gateway::{
    backends::pgvector::Store,
    index::{self, IndexError},
    traits::{
        ingest::DocumentStore,
        search::{NearestQuery, SearchPlan, Searcher, WorkspaceId},
    },
};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool, Row};

use crate::{
    database::{TestDatabase, default_workspace, fresh},
    index_searching::{Searching, spread, truth},
    store_fixture::{chunk, object, stored, vector},
};

const SMALL: IndexKind = IndexKind::IvfFlat { lists: 100 };
const MEDIUM: IndexKind = IndexKind::IvfFlat { lists: 1_000 };
const LARGE: IndexKind = IndexKind::Hnsw { m: 16, ef_construction: 64 };

/// Limits that a test can grow past.
fn limits() -> Index {
    Index { exact_below: 300, small_below: 1_200, medium_below: 2_500, ..Index::default() }
}

/// Adds documents of `count` chunks whose vectors are spread over the plane and a little beside it.
async fn grow(store: &Store, workspace: WorkspaceId, name: &str, count: u32) {
    let chunks = (0..count)
        .map(|n| {
            let mut chunk = chunk(n, &format!("{name} {n}"), n % 300);
            chunk.windows = Some(vec![spread(n)]);
            chunk
        })
        .collect();
    stored(store, workspace, name, chunks).await;
}

/// The plan of the indexed search as the application role would run it.
async fn indexes_scanned(database: &TestDatabase, workspace: WorkspaceId) -> String {
    let pool = database.application();
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM open_search($1, 60)").bind(workspace.0).execute(&mut *tx).await.unwrap();
    let sql = format!(
        "EXPLAIN SELECT e.chunk_id FROM embeddings e WHERE e.relation_id = 1 AND e.workspace_id = 1 AND e.space_id = 1 \
         ORDER BY (embedding::halfvec(16)) <=> '{:?}'::vector::halfvec(16) LIMIT 60",
        vector(1)
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *tx).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

async fn plan_of(store: &Store, workspace: WorkspaceId) -> SearchPlan {
    let query = NearestQuery { workspace, vector: vector(1), limit: 10, filter: None };
    store.nearest(&query).await.unwrap().plan
}

async fn active(database: &TestDatabase, config: &Index) -> (IndexKind, bool) {
    let status = index::status(&database.application(), config).await.unwrap();
    (status.report.active, status.report.due)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growing_table_gets_each_index_in_turn_while_it_is_searched() {
    let database = fresh().await;
    let (store, owner, config) = (database.store(), database.owner(), limits());
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "first", 200).await;
    let searching = Searching::start(&store, workspace);
    let none = index::run(&owner, &config).await.unwrap();
    assert!(none.relations.iter().all(|relation| !relation.changed), "{none:?}");
    assert_eq!(plan_of(&store, workspace).await, SearchPlan::Exact);
    let steps = [
        ("second", 200, SMALL, SearchPlan::IvfFlat),
        ("third", 1_000, MEDIUM, SearchPlan::IvfFlat),
        ("fourth", 1_500, LARGE, SearchPlan::Hnsw),
    ];
    for (name, count, kind, plan) in steps {
        grow(&store, workspace, name, count).await;
        assert!(active(&database, &config).await.1, "nothing is due at {name}");
        let before = store.store_version(workspace).await.unwrap();
        let known = truth(&owner).await;
        let calm = searching.calm(&known).await;
        searching.turn(known.clone());
        let report = index::run(&owner, &config).await.unwrap();
        let during = searching.turn(HashMap::new());
        for (stretch, mut searches) in [("before", calm), ("during", during), ("after", searching.calm(&known).await)] {
            let (p95_ms, recall) = (searches.p95_ms(), searches.recall());
            println!("{kind:?}, {stretch}: recall {recall:.3}, p95 {p95_ms:.1} ms of {} searches", searches.took_ms.len());
            assert!(recall >= 0.95 && searches.wanted > 0, "{kind:?}, {stretch}: recall {recall}");
        }
        let relation = report.relations.iter().find(|relation| relation.relation == 1).unwrap();
        assert_eq!((relation.after, relation.changed), (kind, true));
        assert_eq!(active(&database, &config).await, (kind, false));
        assert_eq!(plan_of(&store, workspace).await, plan);
        let query = NearestQuery { workspace, vector: vector(1), limit: 1, filter: None };
        assert_eq!(store.nearest(&query).await.unwrap().store_version, before + 1, "caches keep what the old index found");
        let scanned = indexes_scanned(&database, workspace).await;
        let name = match kind {
            IndexKind::IvfFlat { lists } => format!("embeddings_1_near_ivfflat_{lists}_"),
            _ => "embeddings_1_near_hnsw_16_64_".to_owned(),
        };
        assert!(scanned.contains(&name), "{name} is not used:\n{scanned}");
        assert_eq!(our_indexes(&owner).await.len(), 1, "an old index was left behind");
    }
    let searches = searching.finish().await;
    assert!(searches > 50, "only {searches} searches ran meanwhile");
}

async fn our_indexes(owner: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relkind = 'i' AND relname LIKE '%\\_near\\_%' ORDER BY 1")
        .fetch_all(owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_indexed_search_finds_what_an_exact_one_finds() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "all", 3_000).await;
    let exact: Vec<Vec<i64>> = found(&store, workspace).await;
    for config in [Index { exact_below: 1, small_below: 1_000_000, medium_below: 1_000_000, ..Index::default() }, limits()] {
        index::run(&database.owner(), &config).await.unwrap();
        assert_ne!(plan_of(&store, workspace).await, SearchPlan::Exact);
        let indexed = found(&store, workspace).await;
        let same: usize = exact.iter().zip(&indexed).map(|(a, b)| a.iter().filter(|id| b.contains(id)).count()).sum();
        let recall = same as f64 / exact.iter().map(Vec::len).sum::<usize>() as f64;
        assert!(recall > 0.9, "recall {recall}");
    }
}

async fn found(store: &Store, workspace: WorkspaceId) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    for step in 0..20 {
        let query = NearestQuery { workspace, vector: vector(step * 15), limit: 10, filter: None };
        all.push(store.nearest(&query).await.unwrap().matches.iter().map(|m| m.chunk_id).collect());
    }
    all
}

#[tokio::test]
async fn a_filter_is_exact_at_every_selectivity_under_an_index() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "many", 3_000).await;
    stored(&store, workspace, "few", vec![chunk(0, "far away", 290)]).await;
    index::run(&database.owner(), &limits()).await.unwrap();
    assert_eq!(plan_of(&store, workspace).await, SearchPlan::Hnsw);
    let ask = |filter, limit| NearestQuery { workspace, vector: vector(0), limit, filter: Some(object(filter).into()) };
    let few = store.nearest(&ask(json!({ "source": "few" }), 5)).await.unwrap();
    assert_eq!((few.matches.len(), few.matches[0].text.as_str(), few.plan), (1, "far away", SearchPlan::Exact));
    let many = store.nearest(&ask(json!({ "source": "many" }), 5)).await.unwrap();
    assert!(many.matches.len() == 5 && many.matches.iter().all(|m| m.filename == "many"));
    assert!(store.nearest(&ask(json!({ "source": "none" }), 5)).await.unwrap().matches.is_empty());
    // A small workspace beside the large one is never searched by an index.
    let small = database.workspace("small").await;
    stored(&store, small, "a.txt", vec![chunk(0, "mine", 5)]).await;
    assert_eq!(plan_of(&store, small).await, SearchPlan::Exact);
}

#[tokio::test]
async fn a_table_that_shrinks_far_enough_loses_its_index() {
    let database = fresh().await;
    let (store, config) = (database.store(), limits());
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "keep", 200).await;
    grow(&store, workspace, "drop", 200).await;
    index::run(&database.owner(), &config).await.unwrap();
    assert_eq!(active(&database, &config).await, (SMALL, false));
    let page = store.list(workspace, None, 1).await.unwrap();
    store.delete(workspace, page.documents[0].id).await.unwrap();
    index::run(&database.owner(), &config).await.unwrap();
    assert_eq!(active(&database, &config).await, (IndexKind::Exact, false));
    assert!(our_indexes(&database.owner()).await.is_empty());
    assert_eq!(plan_of(&store, workspace).await, SearchPlan::Exact);
}

#[tokio::test]
async fn what_a_killed_run_left_is_dropped_or_taken_up() {
    let database = fresh().await;
    let (store, owner, config) = (database.store(), database.owner(), limits());
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "all", 400).await;
    // Finished, but killed before the swap; and another that is no longer wanted.
    for (name, lists) in [("embeddings_1_near_ivfflat_100_1", 100), ("embeddings_1_near_ivfflat_1000_1", 1_000)] {
        let sql = format!(
            "CREATE INDEX {name} ON embeddings_1 USING ivfflat ((embedding::halfvec(16)) halfvec_cosine_ops) WITH (lists = {lists}) WHERE space_id = 1"
        );
        sqlx::raw_sql("SET maintenance_work_mem = '512MB'").execute(&owner).await.unwrap();
        let sql = format!("SET maintenance_work_mem = '512MB'; {sql}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&owner).await.unwrap();
    }
    sqlx::raw_sql(
        "UPDATE index_state SET building_index = 'embeddings_1_near_ivfflat_100_1', building_since = now() WHERE relation_id = 1",
    )
    .execute(&owner)
    .await
    .unwrap();
    let status = index::status(&database.application(), &config).await.unwrap();
    assert!(status.report.build.unwrap().running && status.report.due);
    index::run(&owner, &config).await.unwrap();
    assert_eq!(our_indexes(&owner).await, ["embeddings_1_near_ivfflat_100_1"]);
    assert_eq!(active(&database, &config).await, (SMALL, false));
    // An index that somebody dropped serves nothing; the next run builds it anew.
    sqlx::raw_sql("DROP INDEX embeddings_1_near_ivfflat_100_1").execute(&owner).await.unwrap();
    assert_eq!(active(&database, &config).await, (IndexKind::Exact, true));
    index::run(&owner, &config).await.unwrap();
    assert_eq!(active(&database, &config).await, (SMALL, false));
}

#[tokio::test]
async fn a_run_that_is_killed_in_the_middle_gives_the_lock_back_and_is_taken_up() {
    let database = fresh().await;
    let (store, owner, config) = (database.store(), database.owner(), limits());
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "all", 400).await;
    // An open transaction that has written keeps the build waiting.
    let mut blocker = owner.begin().await.unwrap();
    sqlx::raw_sql("DELETE FROM embeddings_1 WHERE chunk_id = -1; SELECT pg_current_xact_id()")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let second = database.owner();
    let run = tokio::spawn({
        let (owner, config) = (second.clone(), config.clone());
        async move { index::run(&owner, &config).await }
    });
    let building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()";
    wait_until(&owner, building, 1).await;
    let third = index::run(&database.owner(), &config).await.unwrap();
    assert!(third.busy);
    let status = index::status(&database.application(), &config).await.unwrap();
    assert!(status.report.build.unwrap().running);
    run.abort();
    run.await.unwrap_err();
    second.close().await;
    wait_until(&owner, building, 0).await;
    blocker.rollback().await.unwrap();
    assert_eq!(plan_of(&store, workspace).await, SearchPlan::Exact);
    let report = index::run(&database.owner(), &config).await.unwrap();
    assert!(!report.busy);
    assert_eq!(active(&database, &config).await, (SMALL, false));
    assert_eq!(our_indexes(&owner).await.len(), 1);
}

async fn wait_until(owner: &PgPool, sql: &'static str, wanted: i64) {
    let reached = async {
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(owner).await.unwrap() != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.expect("the build did not get there");
}

#[tokio::test]
async fn a_server_with_too_little_memory_keeps_what_serves_and_says_why() {
    let database = fresh().await;
    let (store, owner, config) = (database.store(), database.owner(), limits());
    let workspace = default_workspace(&store).await;
    grow(&store, workspace, "all", 1_500).await;
    let sql = format!("ALTER ROLE ragline_owner IN DATABASE {} SET maintenance_work_mem = '16MB'", database.name);
    crate::database::superuser_runs(&sql).await;
    let error = index::run(&database.owner(), &config).await.unwrap_err();
    assert!(matches!(error, IndexError::Memory { allowed_mb: 16, .. }), "{error}");
    let status = index::status(&database.application(), &config).await.unwrap();
    assert!(status.report.build.unwrap().error.unwrap().contains("maintenance_work_mem"));
    assert_eq!(plan_of(&store, workspace).await, SearchPlan::Exact);
    drop(owner);
}

#[tokio::test]
async fn the_report_is_what_the_operator_reads() {
    let database = fresh().await;
    let status = index::status(&database.application(), &limits()).await.unwrap();
    let value = serde_json::to_value(&status).unwrap();
    let report: ragline_config::IndexReport = serde_json::from_value(value.clone()).unwrap();
    assert_eq!((report.vectors, report.active, report.due), (0, IndexKind::Exact, false));
    assert_eq!(value["relations"][0]["active"], json!({ "type": "exact" }));
}
