//! What an index finds is measured, kept at the target, and said where it cannot be.

#![expect(clippy::print_stdout, reason = "figures for the reader of the log")]

use ragline_config::{
    Index,
    index::{IndexKind, QueryParameters},
};
use ragline_gateway::{index, traits::search::WorkspaceId};
use sqlx::PgPool;

use crate::{
    database::{DIMENSIONS, TestDatabase, default_workspace, fresh, fresh_for},
    store_fixture::nearest,
};

/// Vectors without texts, straight into the workspace's relation: a mixture of clusters, each wide enough to run into the next.
pub(crate) async fn fill(owner: &PgPool, workspace: WorkspaceId, count: i32, dimensions: i32) {
    sqlx::query(
        "WITH center AS MATERIALIZED (SELECT c, array_agg(random() - 0.5 ORDER BY d) AS at \
           FROM generate_series(0, 299) c, generate_series(1, $3) d GROUP BY c) \
         INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
         SELECT w.relation_id, w.id, 1, n + (SELECT coalesce(max(chunk_id), 0) FROM embeddings), 0, 1, \
           (SELECT l2_normalize(array_agg(a + 0.9 * (random() - 0.5) + 0 * n)::vector) FROM unnest(center.at) a)::halfvec \
         FROM generate_series(1, $2) n JOIN center ON center.c = n % 300 JOIN workspace w ON w.id = $1",
    )
    .bind(workspace.0)
    .bind(count)
    .bind(dimensions)
    .execute(owner)
    .await
    .unwrap();
}

async fn state(owner: &PgPool) -> (Option<i32>, Option<i32>, Option<f32>, Option<String>, i64) {
    sqlx::query_as("SELECT probes, ef_search, recall, warning, rows_at_build FROM index_state WHERE relation_id = 1")
        .fetch_one(owner)
        .await
        .unwrap()
}

async fn relation(database: &TestDatabase, config: &Index) -> index::RelationReport {
    let report = index::run(&database.owner(), config).await.unwrap();
    report.relations.into_iter().find(|relation| relation.relation == 1).unwrap()
}

#[tokio::test]
async fn each_kind_of_index_is_calibrated_to_the_target() {
    let database = fresh_for("wide", 384).await;
    let (owner, workspace) = (database.owner(), WorkspaceId(1));
    fill(&owner, workspace, 20_000, 384).await;
    let small = Index { exact_below: 10, small_below: 1_000_000, medium_below: 1_000_000, ..Index::default() };
    let configs = [
        ("ivfflat 100", small.clone()),
        ("ivfflat 1000", Index { small_below: 10, ..small.clone() }),
        ("HNSW", Index { small_below: 10, medium_below: 10, ..small.clone() }),
    ];
    for (name, config) in configs {
        let report = relation(&database, &config).await;
        let (probes, ef_search, recall, warning, _) = state(&owner).await;
        println!(
            "20000 x 384, {name}: recall {recall:?} with {probes:?}/{ef_search:?}; {} ms in all; {warning:?}",
            report.took_ms
        );
        assert!(report.changed && report.recall == recall);
        assert!(recall.unwrap() >= 0.95 || warning.is_some(), "{name}: {recall:?}");
        let status = index::status(&database.application(), &config).await.unwrap();
        assert!(!status.report.due && status.report.recall == recall);
    }
}

#[tokio::test]
async fn an_index_that_is_searched_too_lightly_is_searched_harder_before_it_is_rebuilt() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    fill(&owner, workspace, 4_000, DIMENSIONS as i32).await;
    let config = Index { exact_below: 300, ..Index::default() };
    relation(&database, &config).await;
    let (chosen, _, recall, _, built) = state(&owner).await;
    assert!(recall.unwrap() >= 0.95);
    sqlx::raw_sql("UPDATE index_state SET probes = 1, measured_at = now() - interval '2 days' WHERE relation_id = 1")
        .execute(&owner)
        .await
        .unwrap();
    assert!(index::status(&database.application(), &config).await.unwrap().report.due);
    let before = nearest(&store, workspace, 1, 1).await.store_version;
    let report = relation(&database, &config).await;
    assert!(!report.changed, "{report:?}");
    let (probes, _, recall, _, rows_at_build) = state(&owner).await;
    assert!(probes > Some(1) && recall.unwrap() >= 0.95, "{probes:?}, at first {chosen:?}: {recall:?}");
    assert_eq!(rows_at_build, built);
    assert!(nearest(&store, workspace, 1, 1).await.store_version > before, "caches keep what the old parameters found");
    // Measured just now: the next run leaves it alone.
    assert!(!index::status(&database.application(), &config).await.unwrap().report.due);
    relation(&database, &config).await;
    assert_eq!(state(&owner).await.0, probes);
}

#[tokio::test]
async fn a_target_out_of_reach_is_said_and_no_reason_to_build_for_ever() {
    let database = fresh().await;
    let owner = database.owner();
    fill(&owner, WorkspaceId(1), 4_000, DIMENSIONS as i32).await;
    // Lists of four rows, a quarter of them looked at: not every neighbour is there.
    let config = Index { exact_below: 10, small_below: 20, recall_target: 1.0, ..Index::default() };
    let kind = IndexKind::IvfFlat { lists: 1_000 };
    assert_eq!(relation(&database, &config).await.after, kind);
    // As if the sample had found less, and the rows had moved since.
    let spoil = "UPDATE index_state SET recall = 0.7, rows_at_build = 3000, warning = 'too little', measured_at = now(), \
                 rows_at_measure = 4000 WHERE relation_id = 1";
    sqlx::raw_sql(spoil).execute(&owner).await.unwrap();
    let status = index::status(&database.application(), &config).await.unwrap();
    assert!(status.report.due && status.report.warning.as_deref() == Some("too little"), "{:?}", status.report);
    let rebuilt = relation(&database, &config).await;
    assert!(rebuilt.changed && rebuilt.before == kind && rebuilt.after == kind);
    assert_eq!(state(&owner).await.4, 4_000);
    // On these rows another build would be the same.
    sqlx::raw_sql("UPDATE index_state SET recall = 0.7 WHERE relation_id = 1").execute(&owner).await.unwrap();
    assert!(!relation(&database, &config).await.changed);
    let status = index::status(&database.application(), &config).await.unwrap();
    assert!(!status.report.due);
    assert!(matches!(status.relations[0].query, QueryParameters::IvfFlat { .. }));
    assert!(status.to_text().contains("ivfflat, 1000 lists"), "{}", status.to_text());
}
