//! The search: exact results under every filter, versions that travel, and servers that go away.

use std::time::Duration;

use ragline_config::Database;
use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        ingest::DocumentStore,
        search::{Directory, NearestQuery, SearchPlan, Searcher, StoreError, WorkspaceId},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    database::{default_workspace, fresh},
    store_fixture::{chunk, nearest, object, stored, texts, vector},
};

async fn filtered(store: &Store, workspace: WorkspaceId, filter: Value) -> Vec<String> {
    let query = NearestQuery { workspace, vector: vector(0), limit: 100, filter: Some(object(filter).into()) };
    store.nearest(&query).await.unwrap().matches.into_iter().map(|found| found.text).collect()
}

#[tokio::test]
async fn a_filter_sees_the_metadata_that_a_match_shows() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, "a0", 5), chunk(1, "a1", 1)]).await;
    stored(&store, workspace, "b.txt", vec![chunk(0, "b0", 0)]).await;
    let cases = [
        (json!({}), vec!["b0", "a1", "a0"]),
        (json!({ "source": "a.txt" }), vec!["a1", "a0"]),
        (json!({ "chunk": 0 }), vec!["b0", "a0"]),
        (json!({ "source": "a.txt", "chunk": 0 }), vec!["a0"]),
        (json!({ "source": "c.txt" }), vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(filtered(&store, workspace, filter.clone()).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn the_limit_counts_chunks_and_the_best_come_first() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", (0..200).map(|n| chunk(n, &n.to_string(), n)).collect()).await;
    let found = nearest(&store, workspace, 0, 100).await;
    let expected: Vec<String> = (0..100).map(|n: u32| n.to_string()).collect();
    assert_eq!(found.matches.iter().map(|m| m.text.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(found.plan, SearchPlan::Exact);
}

#[tokio::test]
async fn another_gateway_learns_of_a_publish_and_a_deletion() {
    let database = fresh().await;
    let (here, there) = (database.store(), database.store());
    let workspace = default_workspace(&here).await;
    let first = there.store_version(workspace).await.unwrap();
    let published = stored(&here, workspace, "a.txt", vec![chunk(0, "one", 0)]).await;
    here.delete(workspace, published.document_id).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), async {
        while there.store_version(workspace).await.unwrap() != first + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the version did not travel");
}

#[tokio::test]
async fn searches_survive_that_every_connection_is_cut() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, "one", 0)]).await;
    let url = database.url("DATABASE_BOOTSTRAP_URL");
    let mut superuser = <sqlx::PgConnection as sqlx::Connection>::connect(url.expose_secret()).await.unwrap();
    for _ in 0..3 {
        sqlx::raw_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ragline_app'")
            .execute(&mut superuser)
            .await
            .unwrap();
        assert_eq!(texts(&store, workspace, 0, 10).await, ["one"]);
    }
    // The version is read from the table until somebody listens again, and is right at all times.
    let version = store.store_version(workspace).await.unwrap();
    assert_eq!(version, nearest(&store, workspace, 0, 1).await.store_version);
}

#[tokio::test]
async fn a_server_that_is_down_is_said_to_be_unreachable() {
    let database = fresh().await;
    let url = SecretString::from("postgres://a:b@127.0.0.1:1/d");
    let store = Store::connect(&Database::default(), &url, database.space.clone()).unwrap();
    let begun = std::time::Instant::now();
    let error = store.ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_wrong_password_is_unauthorized_and_a_new_one_is_taken() {
    let database = fresh().await;
    let right = database.url("DATABASE_URL");
    let mut wrong = url::Url::parse(right.expose_secret()).unwrap();
    wrong.set_password(Some("wrong")).unwrap();
    let store = Store::connect(&database.config, &SecretString::from(String::from(wrong)), database.space.clone()).unwrap();
    let error = store.ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Unauthorized(_)), "{error:?}");
    store.replace_url(&right).unwrap();
    store.ready().await.unwrap();
}

#[tokio::test]
async fn an_unknown_workspace_is_not_found() {
    let database = fresh().await;
    let store = database.store();
    let query = NearestQuery { workspace: WorkspaceId(99), vector: vector(0), limit: 1, filter: None };
    assert!(matches!(store.nearest(&query).await, Err(StoreError::NotFound { what: "workspace" })));
    assert!(store.workspace("nobody").await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_pool_says_so() {
    let mut database = fresh().await;
    database.config.pool_size = 1;
    let store = database.store();
    store.ready().await.unwrap();
    let held = store.pool().acquire().await.unwrap();
    let error = store.workspace("default").await.unwrap_err();
    assert!(matches!(error, StoreError::PoolExhausted), "{error:?}");
    drop(held);
    store.workspace("default").await.unwrap();
}
