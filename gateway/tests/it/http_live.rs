//! From upload to search on a real PostgreSQL, between workspaces, and through what goes wrong in between.

use std::time::Duration;

use axum::body::Body;
use ragline_gateway::traits::embedder::EmbedError;
use serde_json::{Value, json};

use crate::{
    database::superuser_runs,
    http_fixture::{get, post, refused, request},
    http_live_fixture::{Live, live},
};

const GUIDE: &[u8] =
    b"# Guide\n\n## Cancelling\n\nThe notice period is three months.\n\n## Paying\n\nInvoices are due within thirty days.\n";
const PLANTS: &[u8] =
    b"<html><head><title>Plants</title></head><body><h1>Ferns</h1><p>Ferns like shade and damp soil.</p></body></html>";

async fn found(live: &Live, body: Value) -> Vec<String> {
    let reply = live.send(post("/v1/search", body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|passage| passage["source"]["filename"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_is_uploaded_can_be_searched_and_deleted() {
    let live = live().await;
    live.work();
    let fields: [(&str, Option<&str>, &[u8]); 4] = [
        ("metadata", None, b"{\"team\": \"legal\"}"),
        ("file", Some("guide.md"), GUIDE),
        ("file", Some("empty.txt"), b""),
        ("file", Some("broken.pdf"), b"%PDF-1.4 nothing of a document"),
    ];
    let job = live.ended(&live.upload(&fields).await).await;
    assert_eq!((&job["status"], &job["done"], &job["failed"]), (&json!("completed"), &json!(3), &json!(2)), "{job}");
    assert!(job["files"][1]["reason"].as_str().unwrap().contains("empty"), "{job}");
    assert!(job["files"][2]["reason"].as_str().unwrap().contains("PDF"), "{job}");
    live.ended(&live.upload(&[("file", Some("plants.html"), PLANTS)]).await).await;

    assert_eq!(found(&live, json!({"query": "notice period", "limit": 1})).await, ["guide.md"]);
    assert_eq!(found(&live, json!({"query": "shade for ferns", "limit": 1})).await, ["plants.html"]);
    assert_eq!(found(&live, json!({"query": "ferns", "filter": {"team": "legal"}, "limit": 1})).await, ["guide.md"]);
    assert_eq!(found(&live, json!({"query": "ferns", "filter": {"team": "other"}})).await, Vec::<String>::new());
    let typed = json!({"type": "and", "filters": [
        {"type": "in", "key": "team", "value": ["legal", "sales"]}, {"type": "ne", "key": "filename", "value": "other.md"}]});
    assert_eq!(found(&live, json!({"query": "ferns", "filter": typed, "limit": 1})).await, ["guide.md"]);
    let typed = json!({"type": "ne", "key": "team", "value": "legal"});
    assert!(!found(&live, json!({"query": "ferns", "filter": typed})).await.contains(&"guide.md".to_owned()));

    let list = live.send(get("/v1/documents")).await.body;
    let sources: Vec<_> = list["data"].as_array().unwrap().iter().map(|document| document["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["plants.html", "guide.md"]);
    let page = live.send(get("/v1/documents?limit=1")).await.body;
    assert_eq!(page["has_more"], true);
    let next = live.send(get(&format!("/v1/documents?limit=1&after={}", page["last_id"].as_str().unwrap()))).await.body;
    assert_eq!((&next["data"][0]["source"], &next["has_more"]), (&json!("guide.md"), &json!(false)));

    let path = format!("/v1/documents/{}", job["files"][0]["document_id"].as_str().unwrap());
    let document = live.send(get(&path)).await.body;
    assert_eq!((&document["metadata"], &document["size_bytes"]), (&json!({"team": "legal"}), &json!(GUIDE.len())));
    let delete = || request("DELETE", &path).body(Body::empty()).unwrap();
    assert_eq!(live.send(delete()).await.body["deleted"], true);
    refused(&live.send(delete()).await, 404, "document_not_found", Some("id"));
    assert_eq!(found(&live, json!({"query": "notice period"})).await, ["plants.html"]);
}

#[tokio::test]
async fn a_worker_that_dies_loses_no_file() {
    let live = live().await;
    live.embedder.stall();
    let first = live.work();
    let path = live.upload(&[("file", Some("guide.md"), GUIDE)]).await;
    live.until(&path, |job| job["files"][0]["status"] == "running").await;
    live.embedder.stalled().await;
    first.abort();
    live.embedder.flow();
    live.work();
    let job = live.ended(&path).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(found(&live, json!({"query": "notice period", "limit": 1})).await, ["guide.md"]);
}

#[tokio::test]
async fn connections_that_break_during_an_ingest_cost_a_wait_and_nothing_else() {
    let live = live().await;
    live.embedder.stall();
    live.work();
    let path = live.upload(&[("file", Some("guide.md"), GUIDE)]).await;
    live.embedder.stalled().await;
    superuser_runs(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", live.database.name))
        .await;
    live.embedder.flow();
    let job = live.ended(&path).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(live.send(get("/v1/documents")).await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_away_shows_in_the_job_until_it_is_back() {
    let live = live().await;
    let failure = || EmbedError::Unreachable { host: "models.example".into(), source: "refused".into() };
    live.embedder.failures.lock().unwrap().extend([failure(), failure()]);
    live.work();
    let path = live.upload(&[("file", Some("guide.md"), GUIDE)]).await;
    let waiting = live.until(&path, |job| job["files"][0]["reason"].is_string()).await;
    assert!(waiting["files"][0]["reason"].as_str().unwrap().contains("models.example cannot be reached"), "{waiting}");
    let job = live.ended(&path).await;
    assert_eq!((&job["status"], &job["files"][0]["reason"]), (&json!("completed"), &Value::Null), "{job}");
}

#[tokio::test]
async fn a_cancelled_job_leaves_nothing_behind() {
    let live = live().await;
    let path = live.upload(&[("file", Some("guide.md"), GUIDE)]).await;
    let cancelled = live.send(request("POST", &format!("{path}/cancel")).body(Body::empty()).unwrap()).await;
    assert_eq!(cancelled.body["status"], "cancelled");
    live.work();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(live.send(get("/v1/documents")).await.body["data"], json!([]));
}
