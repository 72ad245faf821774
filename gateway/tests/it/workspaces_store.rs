//! The end of a workspace, piece by piece, and that every table with rows of workspaces is walled.

use std::{collections::BTreeMap, time::Duration};

use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        ingest::DocumentStore,
        search::{StoreError, WorkspaceId},
        workspaces::{NewKey, Scope, WorkspaceName, WorkspaceStore},
    },
};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    database::{TestDatabase, fresh},
    store_fixture::{chunk, claimed, hash, stored, texts},
};

/// Tables that hold rows of workspaces, partitions included; the canary belongs to none.
const BOUND: &str = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' \
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'canary' ORDER BY 1";

fn name(text: &str) -> WorkspaceName {
    text.parse().unwrap()
}

/// Rows of a workspace in each table that has any.
async fn rows(owner: &PgPool, workspace: WorkspaceId) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sqlx::query_scalar(BOUND).fetch_all(owner).await.unwrap();
    assert!(tables.len() >= 15, "{tables:?}");
    let mut rows = BTreeMap::new();
    for table in tables {
        let sql = format!("SELECT count(*) FROM {table} WHERE workspace_id = $1");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).bind(workspace.0).fetch_one(owner).await.unwrap();
        if count > 0 {
            rows.insert(table, count);
        }
    }
    rows
}

/// A workspace with rows in every table.
async fn filled(database: &TestDatabase, store: &Store, called: &str) -> WorkspaceId {
    let workspace = database.workspace(called).await;
    for number in 0..3 {
        let text = format!("text {number}");
        stored(store, workspace, &format!("{number}.txt"), vec![chunk(0, &text, number), chunk(1, "same", 9)]).await;
    }
    let claim = claimed(store, workspace, "open.txt", json!({})).await;
    store.stage(&claim, vec![chunk(0, "two", 1)]).await.unwrap();
    let key = NewKey { name: "k".into(), scope: Scope::Read, sha256: hash(called), expires_in_days: None };
    store.create_key(&name(called), key).await.unwrap().unwrap();
    for sql in [
        "INSERT INTO lex_seg (workspace_id, format, analyzer, level, n, sum_len, ids) VALUES ($1, 1, 1, 0, 1, 1, '')",
        "INSERT INTO lex_post SELECT workspace_id, seg, 'term', 1, '' FROM lex_seg WHERE workspace_id = $1",
        "INSERT INTO response (id, workspace_id, open, input, answer, body) VALUES (gen_random_uuid(), $1, false, '[]', 'a', '{}')",
    ] {
        sqlx::query(sql).bind(workspace.0).execute(&database.owner()).await.unwrap();
    }
    workspace
}

async fn piece(store: &Store, most: i32) -> i64 {
    sqlx::query_scalar("SELECT erase_workspaces($1)").bind(most).fetch_one(&store.pool()).await.unwrap()
}

#[tokio::test]
async fn a_deleted_workspace_leaves_no_row_in_any_table_and_takes_none_of_others() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let stays = filled(&database, &store, "stays").await;
    let goes = filled(&database, &store, "goes").await;
    let (before, doomed) = (rows(&owner, stays).await, rows(&owner, goes).await);
    assert!(doomed.len() >= 14, "the test has rows in {doomed:?} alone");
    assert!(store.delete_workspace(&name("goes")).await.unwrap());
    assert!(!rows(&owner, goes).await.contains_key("api_key"), "keys end before anything else does");
    let (mut pieces, mut removed) = (0, 0);
    loop {
        let gone = piece(&store, 4).await;
        assert!(gone <= 4 + 1, "a piece of {gone} rows");
        if gone == 0 {
            break;
        }
        (pieces, removed) = (pieces + 1, removed + gone);
    }
    assert!(pieces > 5 && removed > 20, "{removed} rows in {pieces} pieces");
    assert_eq!(rows(&owner, goes).await, BTreeMap::new());
    assert!(store.find(&name("goes")).await.unwrap().is_none());
    assert_eq!(rows(&owner, stays).await, before);
    assert_eq!(texts(&store, stays, 0, 1).await, ["text 0"]);
}

#[tokio::test]
async fn an_erasure_that_broke_off_is_gone_on_with_by_another_gateway() {
    let database = fresh().await;
    let (here, there) = (database.store(), database.store());
    let goes = filled(&database, &here, "goes").await;
    here.delete_workspace(&name("goes")).await.unwrap();
    assert_eq!(piece(&here, 3).await, 3);
    drop(here);
    let upkeep = tokio::spawn(there.clone().maintain());
    let gone = async {
        while there.find(&name("goes")).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("nobody went on with it");
    upkeep.abort();
    assert_eq!(rows(&database.owner(), goes).await, BTreeMap::new());
}

#[tokio::test]
async fn the_upkeep_hears_of_a_deletion() {
    let database = fresh().await;
    let (here, there) = (database.store(), database.store());
    let upkeep = tokio::spawn(there.clone().maintain());
    // The first ticks come at once; what is deleted after an erasure was seen has only the signal.
    for called in ["first", "second"] {
        here.create_workspace(&name(called)).await.unwrap().unwrap();
        here.delete_workspace(&name(called)).await.unwrap();
        let gone = async {
            while there.find(&name(called)).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the signal was not heard");
    }
    upkeep.abort();
}

#[tokio::test]
async fn a_publish_under_way_is_waited_for() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let goes = filled(&database, &store, "goes").await;
    let mut publish = owner.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM workspace WHERE id = $1 FOR KEY SHARE").bind(goes.0).execute(&mut *publish).await.unwrap();
    store.delete_workspace(&name("goes")).await.unwrap();
    assert_eq!(piece(&store, 1_000).await, 0);
    publish.commit().await.unwrap();
    assert!(piece(&store, 1_000).await > 20);
    assert_eq!(rows(&owner, goes).await, BTreeMap::new());
}

#[tokio::test]
async fn a_file_at_work_is_lost_to_its_worker() {
    let database = fresh().await;
    let store = database.store();
    let goes = database.workspace("goes").await;
    let claim = claimed(&store, goes, "a.txt", json!({})).await;
    store.delete_workspace(&name("goes")).await.unwrap();
    while piece(&store, 1_000).await > 0 {}
    let error = store.stage(&claim, vec![chunk(0, "late", 0)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { what: "lease" }), "{error:?}");
}

#[tokio::test]
async fn a_relation_of_its_own_is_emptied_and_left_to_the_index_run() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let sql = "INSERT INTO index_state (relation_id) VALUES (7); CREATE TABLE embeddings_7 PARTITION OF embeddings FOR VALUES IN (7); \
        SELECT create_workspace('large', 7)";
    sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    let large = WorkspaceId(sqlx::query_scalar("SELECT id FROM workspace WHERE name = 'large'").fetch_one(&owner).await.unwrap());
    stored(&store, large, "a.txt", (0..30).map(|n| chunk(n, &n.to_string(), n)).collect()).await;
    assert_eq!(rows(&owner, large).await["embeddings_7"], 30);
    store.delete_workspace(&name("large")).await.unwrap();
    while piece(&store, 10).await > 0 {}
    assert_eq!(rows(&owner, large).await, BTreeMap::new());
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM embeddings_7").fetch_one(&owner).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_application_makes_workspaces_of_the_pool_alone() {
    let database = fresh().await;
    let store = database.store();
    store.create_workspace(&name("team")).await.unwrap().unwrap();
    assert!(store.create_workspace(&name("team")).await.unwrap().is_none());
    let relation: i32 =
        sqlx::query_scalar("SELECT relation_id FROM workspace WHERE name = 'team'").fetch_one(&database.owner()).await.unwrap();
    assert_eq!(relation, 0);
    for sql in [
        "SELECT create_workspace('own', 1)",
        "INSERT INTO workspace (name) VALUES ('own')",
        "DELETE FROM workspace",
        "UPDATE workspace SET relation_id = 1",
        "UPDATE workspace SET deleting_at = now()",
    ] {
        let error = sqlx::raw_sql(sql).execute(&store.pool()).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn every_table_with_rows_of_workspaces_is_walled_and_no_partition_can_be_reached() {
    let database = fresh().await;
    let owner = database.owner();
    sqlx::raw_sql("CREATE TABLE embeddings_7 PARTITION OF embeddings FOR VALUES IN (7)").execute(&owner).await.unwrap();
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' \
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS ( \
             SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'workspace_only'))",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    assert_eq!(open, [""; 0], "these tables lack forced row-level security");
    let policies: Vec<(String, i64)> = sqlx::query_as(
        "SELECT c.relname::text, count(*) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid \
         WHERE c.relnamespace = current_schema()::regnamespace GROUP BY 1 HAVING count(*) <> 2",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    assert_eq!(policies, [], "a policy beside the two of `protect` widens what can be seen");
    let granted: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g \
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relispartition AND g.grantee <> c.relowner",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    assert_eq!(granted, [""; 0], "a grant on a partition goes around the policy of its parent");
}
