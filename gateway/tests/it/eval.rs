//! `eval` on real parts: a small collection is taken in, searched and removed, also when somebody interrupts it.

use std::{path::Path, process::Stdio, time::Duration};

use ragline_gateway::{
    app::App,
    backends::builtin,
    eval::{Choice, Outcome, Report, dataset::Dataset, run},
    settings::Settings,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Row;
use tokio::process::Command;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path_regex},
};

use crate::{
    database::{TestDatabase, fresh_for},
    database_servers::servers,
    model,
};

/// Thirteen documents, one of them blank; eight questions with judgements and one without.
fn collection() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/collection")
}

async fn database() -> TestDatabase {
    fresh_for(builtin::MODEL_NAME, builtin::DIMENSIONS).await
}

/// The settings of a gateway on this database.
fn settings(database: &TestDatabase, yaml: &str) -> (Settings, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ragline.yaml");
    std::fs::write(&path, format!("database:\n  tlsMode: disable\n{yaml}")).unwrap();
    let variable = |name: &str| environment(database).into_iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    (Settings::load(Some(&path), variable).unwrap(), folder)
}

fn environment(database: &TestDatabase) -> Vec<(&'static str, String)> {
    let url = |name| database.url(name).expose_secret().to_owned();
    vec![
        ("DATABASE_URL", url("DATABASE_URL")),
        ("DATABASE_OWNER_URL", url("DATABASE_OWNER_URL")),
        ("RAGLINE_MODEL_DIR", model::directory().display().to_string()),
        ("VALKEY_HOST", servers().value("VALKEY_HOST").to_owned()),
        ("VALKEY_PORT", servers().value("VALKEY_PORT").to_owned()),
        ("VALKEY_PASSWORD", servers().value("VALKEY_PASSWORD").to_owned()),
    ]
}

/// Rows by table, partitions of `embeddings` included; what is the same before and after was left as it was.
async fn rows(database: &TestDatabase) -> Vec<(String, i64)> {
    let owner = database.owner();
    let tables =
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1";
    let mut counts = Vec::new();
    for row in sqlx::query(tables).fetch_all(&owner).await.unwrap() {
        let table: String = row.get(0);
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        counts.push((table, sqlx::query_scalar(sql).fetch_one(&owner).await.unwrap()));
    }
    counts
}

fn vector(report: &Report) -> ragline_gateway::eval::metrics::Scores {
    match &report.modes[0].outcome {
        Outcome::Measured { scores, .. } => *scores,
        Outcome::NotAvailable { reason } => panic!("{reason}"),
    }
}

#[tokio::test]
async fn a_collection_is_searched_by_meaning_and_nothing_of_it_stays() {
    let database = database().await;
    let before = rows(&database).await;
    let (settings, _folder) = settings(&database, "");
    let dataset = Dataset::read(&collection()).unwrap();
    let mut target = App::eval_parts(settings).unwrap().into_target();
    let report = run(&mut target, &dataset, &Choice::default()).await.unwrap();
    assert_eq!((report.documents, report.blank_documents, report.questions, report.unjudged_questions), (13, 1, 8, 1));
    let scores = vector(&report);
    assert!(scores.recall_at_10 > 0.9 && scores.recall_at_100 == 1.0, "{scores:?}");
    assert!(scores.ndcg_at_10 > 0.7 && scores.mrr_at_10 > 0.7, "{scores:?}");
    let index = report.index.unwrap();
    assert_eq!((index.plan.label(), index.rows, index.recall_at_10), ("exact", 12, 1.0));
    assert_eq!(rows(&database).await, before);
}

#[tokio::test]
async fn the_index_that_the_policy_wants_is_compared_with_every_row() {
    let database = database().await;
    let before = rows(&database).await;
    let (settings, _folder) = settings(&database, "index:\n  exactBelow: 0\n");
    let dataset = Dataset::read(&collection()).unwrap();
    let mut target = App::eval_parts(settings).unwrap().into_target();
    let report = run(&mut target, &dataset, &Choice::default()).await.unwrap();
    let index = report.index.unwrap();
    assert_eq!(index.plan.label(), "ivfflat");
    assert!((0.5..=1.0).contains(&index.recall_at_10), "{index:?}");
    assert_eq!(rows(&database).await, before);
}

/// The command in the surroundings of this database.
fn command(database: &TestDatabase, config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ragline-gateway"));
    command.args(["eval", "--json"]).arg(collection()).env_clear().envs(environment(database)).env("RAGLINE_CONFIG", config);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn the_command_prints_json_of_the_modes_asked_for() {
    let database = database().await;
    let (_, folder) = settings(&database, "");
    let config = folder.path().join("ragline.yaml");
    let output = command(&database, &config).args(["--modes", "vector"]).output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{error}");
    let report: Value = serde_json::from_slice(&output.stdout).expect(&error);
    assert_eq!(report["modes"].as_array().map(Vec::len), Some(1));
    assert!(report["modes"][0]["ndcg_at_10"].as_f64().is_some_and(|value| value > 0.7), "{report}");
}

#[tokio::test]
async fn an_interrupted_evaluation_leaves_nothing_behind() {
    let database = database().await;
    let before = rows(&database).await;
    let (_, folder) = settings(&database, "");
    let child = command(&database, &folder.path().join("ragline.yaml")).spawn().unwrap();
    let owner = database.owner();
    let workspaces = "SELECT count(*) FROM workspace WHERE name LIKE 'ragline-eval-%'";
    let appeared = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while sqlx::query_scalar::<_, i64>(workspaces).fetch_one(&owner).await.unwrap() == 0 {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), appeared).await.unwrap();
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("interrupted"), "{error}");
    assert_eq!(rows(&database).await, before);
}

#[tokio::test]
async fn what_a_killed_evaluation_left_a_day_ago_is_removed_and_what_only_looks_like_it_is_not() {
    let database = database().await;
    let before = rows(&database).await;
    let owner = database.owner();
    let old = ragline_gateway::backends::pgvector::evaluation::EvalWorkspace::new(owner.clone());
    old.create().await.unwrap();
    old.remove_left_over().await.unwrap();
    assert_ne!(rows(&database).await, before, "a young one stays");
    database.workspace("ragline-eval-of-mine").await;
    sqlx::query("UPDATE workspace SET created_at = now() - interval '25 hours'").execute(&owner).await.unwrap();
    old.remove_left_over().await.unwrap();
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM workspace ORDER BY 1").fetch_all(&owner).await.unwrap();
    assert_eq!(names, ["default", "ragline-eval-of-mine"]);
}

/// A gateway that has workspaces, and finds for every question the first document and then the third.
async fn gateway_with_workspaces() -> MockServer {
    let server = MockServer::start().await;
    let answer = |status, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let is = |wanted: &str, found: &str| Mock::given(method(wanted)).and(path_regex(found));
    let (job, at) = ("job_0198f2a4-4f6b-7a11-8d0e-6f2c1f0f9b7e", "2026-01-01T00:00:00Z");
    let ended = json!({"id": job, "object": "job", "status": "completed", "done": 1, "total": 1, "failed": 0, "cancelled": 0, "chunks": 1, "created_at": at,
        "finished_at": at, "files": [{"number": 1, "source": "0.txt", "status": "completed", "reason": null, "document_id": null, "chunks_done": 1,
        "chunks_total": 1}]});
    let passage = |source: &str| {
        json!({"score": 0.9, "calibrated": true, "scores": {"vector": 0.9, "lexical": null}, "text": "t", "metadata": {},
            "source": {"document_id": "doc_0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10", "filename": source, "content_type": "text/plain",
            "position": 0, "kind": "doc", "heading_path": [], "page": null, "ingested_at": at}})
    };
    let found = json!({"object": "list", "data": [passage("0.txt"), passage("2.txt")], "mode": "vector", "plan": "exact", "cache_hit": false, "took_ms": 1.0});
    let old = json!({"name": format!("ragline-eval-{}", "0".repeat(32)), "created_at": at});
    let own = "^/v1/workspaces/ragline-eval-[0-9a-f]{32}";
    let admin = || header("authorization", "Bearer administrator");
    let inside = || header("authorization", "Bearer inside");
    is("GET", "^/v1/workspaces$").and(admin()).respond_with(answer(200, json!({"data": [old]}))).expect(1).mount(&server).await;
    is("POST", "^/v1/workspaces$").and(admin()).respond_with(answer(201, json!({}))).expect(1).mount(&server).await;
    is("POST", &format!("{own}/keys$"))
        .and(admin())
        .respond_with(answer(201, json!({"key": "inside"})))
        .expect(1)
        .mount(&server)
        .await;
    is("POST", "^/v1/documents$").and(inside()).respond_with(answer(202, json!({"job": ended}))).expect(1).mount(&server).await;
    is("GET", "^/v1/jobs/").and(inside()).respond_with(answer(200, ended.clone())).expect(1).mount(&server).await;
    is("POST", "^/v1/search$").and(inside()).respond_with(answer(200, found)).mount(&server).await;
    // The old one and our own.
    is("DELETE", &format!("{own}$")).and(admin()).respond_with(answer(202, json!({}))).expect(2).mount(&server).await;
    server
}

#[tokio::test]
async fn a_running_gateway_is_evaluated_in_a_workspace_that_is_removed() {
    let server = gateway_with_workspaces().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_ragline-gateway"));
    command.args(["eval", "--json", "--modes", "vector", "--url", &server.uri()]).arg(collection()).env_clear();
    let output = command.env("RAGLINE_API_KEY", "administrator").stdin(Stdio::null()).output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{error}");
    let report: Value = serde_json::from_slice(&output.stdout).expect(&error);
    // Of the eight questions, the first document is relevant for two and the third, which is the second found, for one.
    let scores = &report["modes"][0];
    assert!((scores["mrr_at_10"].as_f64().unwrap() - (1.0 + 1.0 + 0.5) / 8.0).abs() < 1e-9, "{report}");
    assert_eq!(report["index"], Value::Null);
    server.verify().await;
}
