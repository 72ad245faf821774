//! `verify` on a live pipeline: all is well and nothing stays; each part that is broken is named by its test.

use std::time::Duration;

use ragline_config::CacheMode;
use ragline_gateway::traits::ingest::{DocumentStore, JobStatus, JobStore};
use serde_json::json;
use sqlx::Row;

use crate::{
    database::default_workspace,
    env_fixture::{database, serve},
    store_fixture,
    verify_fixture::{LivePipeline, failures, idle_pipeline, live_pipeline, silent_port},
};

const NAMES: [&str; 13] = [
    "Database Connection",
    "pgvector Extension",
    "Embeddings Table",
    "Vector Similarity Search",
    "Bulk Vector Operations",
    "Index Performance",
    "Cache Key Generation",
    "Cache Simulation",
    "Document chunking and embedding generation",
    "pgvector storage and retrieval",
    "Semantic search with real embeddings",
    "RAG context integration in AI chat",
    "End-to-end query flow validation",
];

/// Puts `count` rows of random vectors into the workspace `default`, as the owner.
async fn fill(pipeline: &LivePipeline, count: i32) {
    let owner = pipeline.database.owner();
    let document = "INSERT INTO document (id, workspace_id, collection_id, source, content_type, size_bytes, content_hash, \
          chunking_fingerprint, space_id, chunks) \
        SELECT gen_random_uuid(), w.id, c.id, 'filler', 'text/plain', 1, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), \
          (SELECT id FROM embedding_space), $1 \
        FROM workspace w JOIN collection c ON c.workspace_id = w.id WHERE w.name = 'default' RETURNING id";
    let row = sqlx::query(document).bind(count).fetch_one(&owner).await.unwrap();
    let id: uuid::Uuid = row.get(0);
    let chunks = "WITH made AS (INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash) \
          SELECT d.workspace_id, d.collection_id, d.id, n, 'filler ' || n, 2, decode(repeat('00', 32), 'hex') \
          FROM document d, generate_series(0, $2 - 1) n WHERE d.id = $1 RETURNING id, workspace_id, collection_id) \
        INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
          SELECT w.relation_id, m.workspace_id, m.collection_id, m.id, 0, (SELECT id FROM embedding_space), \
            (SELECT array_agg(random() - 0.5 + 0 * m.id * g)::halfvec FROM generate_series(1, 384) g) \
          FROM made m JOIN workspace w ON w.id = m.workspace_id";
    sqlx::query(chunks).bind(id).bind(count).execute(&owner).await.unwrap();
}

#[tokio::test]
async fn a_sound_pipeline_passes_every_test_and_keeps_nothing_of_it() {
    let pipeline = live_pipeline().await;
    let before = pipeline.rows().await;
    let report = pipeline.verify().await;
    assert_eq!(failures(&report), []);
    assert!(report.passed());
    assert_eq!(report.results.iter().map(|r| r.test_name).collect::<Vec<_>>(), NAMES);
    assert_eq!(pipeline.rows().await, before);
    assert_eq!(pipeline.keys().await, Vec::<String>::new(), "keys stay in Valkey");
    let bulk = &report.results[4].details;
    assert_eq!((&bulk["inserted_count"], &bulk["found_count"]), (&json!(10), &json!(10)));
    let average = bulk["avg_similarity"].as_f64().unwrap();
    assert!((average - 0.955).abs() < 0.005, "{average}");
    let chunking = &report.results[8].details;
    assert!(chunking["chunk_count"].as_u64().unwrap() > 3, "{chunking:?}");
    let flow = &report.results[12].details;
    assert_eq!(flow["cache_hit"], json!(true));
}

#[tokio::test]
async fn what_a_user_has_stored_stays_as_it_is() {
    let pipeline = live_pipeline().await;
    fill(&pipeline, 50).await;
    let before = pipeline.rows().await;
    assert_eq!(failures(&pipeline.verify().await), []);
    assert_eq!(pipeline.rows().await, before);
}

#[tokio::test]
async fn a_switched_off_cache_is_no_failure() {
    let mut pipeline = idle_pipeline().await;
    pipeline.config.cache.mode = CacheMode::Disabled;
    pipeline.start_worker();
    let report = pipeline.verify().await;
    assert_eq!(failures(&report), []);
    assert_eq!(report.results[7].details["cache"], json!("disabled"));
    assert_eq!(pipeline.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stopped_valkey_fails_the_tests_of_the_cache() {
    let mut pipeline = idle_pipeline().await;
    pipeline.config.cache.port = silent_port();
    pipeline.start_worker();
    let before = pipeline.rows().await;
    let report = pipeline.verify().await;
    let failures = failures(&report);
    // The tier inside the process still serves the end-to-end flow.
    assert_eq!(failures.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Cache Simulation"]);
    assert!(failures[0].1.contains("does not answer"), "{}", failures[0].1);
    assert_eq!(pipeline.rows().await, before);
}

#[tokio::test]
async fn a_visible_foreign_row_fails_the_test_of_the_table() {
    let pipeline = live_pipeline().await;
    fill(&pipeline, 3).await;
    pipeline
        .superuser_runs(
            "SET search_path = public; SELECT create_workspace('neighbour'); \
             INSERT INTO embeddings SELECT relation_id, (SELECT id FROM workspace WHERE name = 'neighbour'), collection_id, chunk_id, 1, \
               space_id, embedding FROM embeddings LIMIT 1; \
             CREATE POLICY leak ON embeddings FOR SELECT TO PUBLIC USING (true)",
        )
        .await;
    let before = pipeline.rows().await;
    let failures = failures(&pipeline.verify().await);
    let of_table = failures.iter().find(|(name, _)| *name == "Embeddings Table");
    assert!(of_table.is_some_and(|(_, reason)| reason.contains("rows of another workspace can be seen")), "{failures:?}");
    assert_eq!(pipeline.rows().await, before);
}

#[tokio::test]
async fn a_missing_index_fails_the_test_of_the_index() {
    let mut pipeline = live_pipeline().await;
    fill(&pipeline, 300).await;
    pipeline.config.index.exact_below = 0;
    let failures = failures(&pipeline.verify().await);
    assert_eq!(failures.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Index Performance"]);
    assert!(failures[0].1.contains("300 rows want ivfflat with 100 lists, but exact search serves"), "{}", failures[0].1);
}

#[tokio::test]
async fn an_index_that_was_dropped_behind_the_back_fails_the_test_of_the_index() {
    let mut pipeline = live_pipeline().await;
    fill(&pipeline, 300).await;
    pipeline.config.index.exact_below = 0;
    // The state says that an index serves which is not there.
    pipeline
        .superuser_runs(
            "UPDATE index_state SET kind = 'ivfflat', index_name = 'gone', lists = 100, probes = 10, rows_at_build = 300 \
             WHERE relation_id = (SELECT relation_id FROM workspace WHERE name = 'default')",
        )
        .await;
    let failures = failures(&pipeline.verify().await);
    let of_index = failures.iter().find(|(name, _)| *name == "Index Performance");
    assert!(of_index.is_some_and(|(_, reason)| reason.contains("gone or not valid")), "{failures:?}");
}

#[tokio::test]
async fn an_index_that_serves_passes_the_test_of_the_index() {
    let mut pipeline = live_pipeline().await;
    fill(&pipeline, 300).await;
    pipeline.config.index.exact_below = 0;
    pipeline
        .superuser_runs(
            "CREATE INDEX serving ON embeddings_1 USING ivfflat ((embedding::halfvec(384)) halfvec_cosine_ops) WITH (lists = 100); \
             UPDATE index_state SET kind = 'ivfflat', index_name = 'serving', lists = 100, probes = 10, rows_at_build = 300 \
             WHERE relation_id = 1",
        )
        .await;
    let report = pipeline.verify().await;
    assert_eq!(failures(&report), []);
    let details = &report.results[5].details;
    assert_eq!(
        (&details["index_usage"], &details["plan"], &details["index_name"]),
        (&json!(true), &json!("ivfflat"), &json!("serving"))
    );
}

#[tokio::test]
async fn a_database_that_is_down_fails_every_test_but_ends() {
    let mut pipeline = idle_pipeline().await;
    pipeline.wrong_port = Some(silent_port());
    let report = pipeline.verify().await;
    assert!(!report.passed());
    assert!(failures(&report)[0].1.contains("PostgreSQL cannot be reached"), "{:?}", failures(&report)[0]);
}

#[tokio::test]
async fn what_a_killed_verification_left_an_hour_ago_is_removed() {
    let pipeline = live_pipeline().await;
    let store = pipeline.database.store();
    let workspace = default_workspace(&store).await;
    for source in ["ragline-verify/killed/lighthouse.md", "mine.txt"] {
        let job = store_fixture::queued(&store, workspace, &[source], json!({})).await;
        while store.job(workspace, job).await.unwrap().unwrap().status != JobStatus::Completed {
            store.wait_for_work(Duration::from_secs(1)).await;
        }
    }
    pipeline
        .superuser_runs(
            "UPDATE document SET created_at = now() - interval '2 hours'; UPDATE job SET created_at = now() - interval '2 hours'",
        )
        .await;
    assert_eq!(failures(&pipeline.verify().await), []);
    let left: Vec<String> = store.list(workspace, None, 10).await.unwrap().documents.into_iter().map(|d| d.source).collect();
    assert_eq!(left, ["mine.txt"]);
    let rows = pipeline.rows().await;
    assert_eq!((rows["document"], rows["blob"], rows["job"], rows["job_item"]), (1, 1, 1, 1));
}

#[tokio::test]
async fn the_command_beside_a_serving_gateway_prints_the_report_and_ends_with_0() {
    let database = database().await;
    let gateway = serve(&database, &[("VALKEY_DB", "12")]).await;
    let output = gateway.run(&["verify", "--json"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let results: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(results.iter().map(|result| result["test_name"].as_str().unwrap()).collect::<Vec<_>>(), NAMES);
    assert!(results.iter().all(|result| result["passed"] == json!(true) && result["duration_ms"].as_f64().is_some()), "{text}");
}

#[tokio::test]
async fn the_command_ends_with_1_and_names_the_failure() {
    let database = database().await;
    let gateway = serve(&database, &[("VALKEY_PORT", &silent_port().to_string())]).await;
    let output = gateway.run(&["verify"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("❌ Cache Simulation (") && text.contains("❌ Failed: 1"), "{text}");
}
