//! Row-level security: it binds the application, and a role that it does not bind is refused.

use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        ingest::DocumentStore,
        search::{Directory, StoreError},
    },
};
use secrecy::SecretString;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    database::{TestDatabase, default_workspace, fresh, superuser_runs, unused_name},
    database_servers::servers,
    store_fixture::{chunk, queued, stored, texts},
};

#[tokio::test]
async fn the_application_role_passes_the_proof() {
    let database = fresh().await;
    database.store().prove().await.unwrap();
    database.store().ready().await.unwrap();
}

async fn refusal(database: &TestDatabase, url: SecretString) -> String {
    let store = Store::connect(&database.config, &url, database.space.clone()).unwrap();
    match store.ready().await {
        Err(StoreError::Unbound { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

/// A role that may do what the application may, with one attribute more.
async fn role_with(database: &TestDatabase, attribute: &str) -> SecretString {
    let name = unused_name("role");
    superuser_runs(&format!("CREATE ROLE {name} LOGIN PASSWORD 'p' {attribute} IN ROLE ragline_app")).await;
    let mut url = url::Url::parse(&servers().url("DATABASE_URL", &database.name)).unwrap();
    url.set_username(&name).unwrap();
    url.set_password(Some("p")).unwrap();
    SecretString::from(String::from(url))
}

#[tokio::test]
async fn unbound_roles_are_refused_with_the_reason() {
    let database = fresh().await;
    assert!(refusal(&database, database.url("DATABASE_BOOTSTRAP_URL")).await.contains("superuser"));
    assert!(refusal(&database, database.url("DATABASE_OWNER_URL")).await.contains("owner"));
    let url = role_with(&database, "BYPASSRLS").await;
    assert!(refusal(&database, url).await.contains("BYPASSRLS"));
    let url = role_with(&database, "NOBYPASSRLS").await;
    Store::connect(&database.config, &url, database.space.clone()).unwrap().prove().await.unwrap();
}

#[tokio::test]
async fn an_open_table_or_policy_is_found() {
    let cases = [
        ("GRANT SELECT ON embeddings_0 TO ragline_app", "embeddings_0"),
        ("ALTER TABLE chunk DISABLE ROW LEVEL SECURITY", "chunk"),
        ("ALTER TABLE document NO FORCE ROW LEVEL SECURITY", "document"),
        ("CREATE POLICY open ON canary USING (true)", "foreign workspace"),
        ("DELETE FROM canary", "canary"),
    ];
    for (sql, word) in cases {
        let database = fresh().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&database.owner()).await.unwrap();
        let why = refusal(&database, database.url("DATABASE_URL")).await;
        assert!(why.contains(word), "{sql}: {why}");
    }
}

/// Rows that the application sees of each table, in the transaction's workspace if one is given.
async fn counts(connection: &mut PgConnection, tables: &[String], workspace: Option<i32>) -> Vec<(String, i64)> {
    sqlx::query("SELECT set_config('ragline.workspace_id', $1, false)")
        .bind(workspace.map_or_else(String::new, |id| id.to_string()))
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut counts = Vec::new();
    for table in tables {
        let count =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(&mut *connection).await.unwrap();
        counts.push((table.clone(), count));
    }
    counts
}

#[tokio::test]
async fn a_foreign_workspace_sees_no_row_of_any_table() {
    let database = fresh().await;
    let store = database.store();
    let mine = default_workspace(&store).await;
    let foreign = database.workspace("foreign").await;
    stored(&store, mine, "a.txt", vec![chunk(0, "one", 0)]).await;
    let claim = crate::store_fixture::claimed(&store, mine, "b.txt", json!({})).await;
    store.stage(&claim, vec![chunk(0, "two", 1)]).await.unwrap();
    let owner = database.owner();
    for sql in [
        "INSERT INTO lex_seg (workspace_id, format, analyzer, level, n, sum_len, ids) VALUES (1, 1, 1, 0, 1, 1, '')",
        "INSERT INTO lex_post SELECT 1, seg, 'term', 1, '' FROM lex_seg",
        "INSERT INTO lex_pending (document_id, workspace_id) SELECT id, workspace_id FROM document",
        "INSERT INTO api_key (id, workspace_id, name, key_sha256) VALUES (gen_random_uuid(), 1, 'k', sha256('k'))",
        "INSERT INTO file (id, workspace_id, filename, purpose, size_bytes, content_hash, blob_id) \
           SELECT gen_random_uuid(), 1, 'f', 'assistants', 1, sha256('f'), id FROM blob LIMIT 1",
        "INSERT INTO vector_store (id, workspace_id, collection_id) SELECT gen_random_uuid(), 1, id FROM collection WHERE workspace_id = 1",
        "INSERT INTO file_batch (id, workspace_id, vector_store_id, job_id) \
           SELECT gen_random_uuid(), 1, s.id, j.id FROM vector_store s, job j LIMIT 1",
        "INSERT INTO vector_store_file (vector_store_id, file_id, workspace_id, job_item_id) \
           SELECT s.id, f.id, 1, i.id FROM vector_store s, file f, job_item i LIMIT 1",
        "INSERT INTO upload (id, workspace_id, filename, purpose, size_bytes) VALUES (gen_random_uuid(), 1, 'u', 'assistants', 1)",
        "INSERT INTO upload_part (id, upload_id, workspace_id, blob_id, size_bytes) \
           SELECT gen_random_uuid(), u.id, 1, b.id, 1 FROM upload u, blob b LIMIT 1",
        "INSERT INTO response (id, workspace_id, open, input, answer, body) VALUES (gen_random_uuid(), 1, false, '[]', '', '{}')",
    ] {
        sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    }
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relrowsecurity AND relname <> 'canary' ORDER BY 1")
            .fetch_all(&owner)
            .await
            .unwrap();
    assert!(tables.len() >= 19, "{tables:?}");
    let mut connection = database.application().acquire().await.unwrap();
    for (table, count) in counts(&mut connection, &tables, Some(mine.0)).await {
        assert!(count > 0, "the test has no row in {table}");
    }
    // The foreign workspace has itself and its default collection.
    for (table, count) in counts(&mut connection, &tables, Some(foreign.0)).await {
        assert_eq!(count, i64::from(table == "workspace" || table == "collection"), "{table}");
    }
    for (table, count) in counts(&mut connection, &tables, None).await {
        assert_eq!(count, 0, "{table} without a workspace");
    }
    assert_eq!(texts(&store, foreign, 0, 10).await, [""; 0]);
}

#[tokio::test]
async fn a_foreign_workspace_changes_nothing() {
    let database = fresh().await;
    let store = database.store();
    let mine = default_workspace(&store).await;
    let foreign = database.workspace("foreign").await;
    let published = stored(&store, mine, "a.txt", vec![chunk(0, "one", 0)]).await;
    assert!(!store.delete(foreign, published.document_id).await.unwrap());
    assert!(store.document(foreign, published.document_id).await.unwrap().is_none());
    let mut tx = database.application().begin().await.unwrap();
    sqlx::query("SELECT set_config('ragline.workspace_id', $1, true)")
        .bind(foreign.0.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    let error = sqlx::raw_sql("INSERT INTO canary VALUES (5)").execute(&mut *tx).await.unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
    drop(tx);
    let mut tx = database.application().begin().await.unwrap();
    sqlx::query("SELECT set_config('ragline.workspace_id', $1, true)")
        .bind(foreign.0.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    let error =
        sqlx::raw_sql("INSERT INTO collection (workspace_id, name) VALUES (1, 'intruder')").execute(&mut *tx).await.unwrap_err();
    assert!(error.to_string().contains("row-level security"), "{error}");
}

#[tokio::test]
async fn the_same_source_in_two_workspaces_is_two_documents() {
    let database = fresh().await;
    let store = database.store();
    let mine = default_workspace(&store).await;
    let foreign = database.workspace("foreign").await;
    stored(&store, mine, "a.txt", vec![chunk(0, "mine", 0)]).await;
    // The same hash is stored already, but elsewhere: nothing may be reused.
    assert!(store.embedded(foreign, &[crate::store_fixture::hash("mine")]).await.unwrap().is_empty());
    stored(&store, foreign, "a.txt", vec![chunk(0, "theirs", 0)]).await;
    assert_eq!(texts(&store, mine, 0, 10).await, ["mine"]);
    assert_eq!(texts(&store, foreign, 0, 10).await, ["theirs"]);
}

#[tokio::test]
async fn a_partition_cannot_be_read_around_its_parent() {
    let database = fresh().await;
    for table in ["embeddings_0", "embeddings_1"] {
        let sql = AssertSqlSafe(format!("SELECT 1 FROM {table}"));
        let error = sqlx::query(sql).fetch_all(&database.application()).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
}

#[tokio::test]
async fn keys_are_found_by_their_hash_until_revoked() {
    let database = fresh().await;
    let store = database.store();
    let key = crate::store_fixture::hash("a key");
    let insert =
        "INSERT INTO api_key (id, workspace_id, name, key_sha256, scope) VALUES (gen_random_uuid(), 1, 'k', $1, 'admin')";
    sqlx::query(insert).bind(key.as_slice()).execute(&database.owner()).await.unwrap();
    let principal = store.key_holder(&key).await.unwrap().unwrap().principal;
    assert_eq!((principal.workspace.0, principal.workspace_name.as_str(), principal.admin), (1, "default", true));
    assert!(store.key_holder(&[0; 32]).await.unwrap().is_none());
    sqlx::raw_sql("UPDATE api_key SET revoked_at = now()").execute(&database.owner()).await.unwrap();
    assert!(store.key_holder(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_of_another_workspace_is_not_there() {
    use ragline_gateway::traits::ingest::JobStore;
    let database = fresh().await;
    let store = database.store();
    let mine = default_workspace(&store).await;
    let foreign = database.workspace("foreign").await;
    let job = queued(&store, mine, &["a.txt"], json!({})).await;
    assert!(store.job(foreign, job).await.unwrap().is_none());
    assert!(!store.cancel(foreign, job).await.unwrap());
    assert_eq!(store.job(mine, job).await.unwrap().unwrap().total, 1);
}
