//! A gateway on a PostgreSQL whose read replicas stream from it: searches go to them, and no failure of a server fails one.

use std::sync::Arc;

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    env_fixture::Gateway,
    fault_askers::{Answered, Askers, search},
    fault_fixture::{ended, gateway, numbered, stored_whole_and_once, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
    replica_fixture::{AWAY, HEALTHY, LOOKS, Replicated, number, runs, shows, until},
};

const LAG: &str = r#"rag_replica_lag_seconds{replica="0"}"#;
const MOVED: &str = "rag_replica_moved_total";
const LEFT_OUT: &str = "no search goes to replica 0";

async fn serve(servers: &Replicated, provider: &Provider) -> Arc<Gateway> {
    let urls = servers.replica_urls();
    let variables = [("ENABLE_VECTOR_CACHE", "false"), ("DATABASE_REPLICA_URLS", urls.as_str())];
    Arc::new(gateway(servers.application.expose_secret(), provider, &variables).await)
}

/// Servers, a gateway whose replicas are fit, and a document.
async fn begin(replicas: usize) -> (Replicated, Arc<Provider>, Arc<Gateway>, (String, String)) {
    let servers = Replicated::start(replicas, MODEL, DIMENSIONS).await;
    let provider = Provider::start().await;
    let gateway = serve(&servers, &provider).await;
    let document = ("before.txt".to_owned(), text("before.txt", 3));
    ended(&gateway, &upload(&gateway, std::slice::from_ref(&document)).await).await;
    for replica in 0..replicas {
        shows(&gateway, &format!("rag_replica_healthy{{replica=\"{replica}\"}}"), |healthy| healthy == 1.0).await;
    }
    (servers, provider, gateway, document)
}

fn all_succeeded(answers: &[Answered]) {
    let failed: Vec<_> = answers.iter().filter(|answered| answered.status != 200).collect();
    assert!(failed.is_empty(), "{} of {}: {:?}", failed.len(), answers.len(), failed.first());
}

async fn sources(gateway: &Gateway, query: &str) -> Vec<String> {
    let found = gateway.post("/v1/search", json!({"query": query, "limit": 100})).await;
    let source = |passage: &Value| passage["source"]["filename"].as_str().unwrap().to_owned();
    let mut sources: Vec<_> = found["data"].as_array().unwrap().iter().map(source).collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// Searches until the replica has looked at chunks for it: the first may come before its workspace's version has reached the replica.
async fn searches_there(servers: &Replicated, gateway: &Gateway) {
    let replica = servers.superuser_of(0);
    let before = number(&replica, LOOKS).await;
    until("the replica looked at chunks", || async {
        search(gateway, "before").await;
        number(&replica, LOOKS).await > before
    })
    .await;
}

#[tokio::test]
async fn searches_are_answered_by_the_replica() {
    let (servers, _provider, gateway, _) = begin(1).await;
    assert_eq!(sources(&gateway, "before").await, ["before.txt"]);
    searches_there(&servers, &gateway).await;
    let ready: Value = gateway.request(Method::GET, "/readyz").send().await.unwrap().json().await.unwrap();
    assert_eq!(ready, json!({"status": "ready", "replicas": {"configured": 1, "healthy": 1}}));
}

#[tokio::test]
async fn a_replica_that_stands_still_hides_nothing_that_was_stored_and_is_left_out() {
    let (servers, _provider, gateway, before) = begin(1).await;
    let said = gateway.logged(LEFT_OUT).len();
    runs(&servers.superuser_of(0), "SELECT pg_wal_replay_pause()").await;
    let mut stored = vec![before];
    for n in 0..3 {
        let name = format!("after-{n}.txt");
        let document = (name.clone(), text(&name, 2));
        ended(&gateway, &upload(&gateway, std::slice::from_ref(&document)).await).await;
        stored.push(document);
        // Who was told that the job has ended finds the document, whether or not the replica is known to be late.
        assert!(sources(&gateway, &name).await.contains(&name), "{name} is hidden\n{}", gateway.log());
    }
    shows(&gateway, HEALTHY, |healthy| healthy == 0.0).await;
    shows(&gateway, LAG, |seconds| seconds > 1.0).await;
    assert_eq!(sources(&gateway, "after").await.len(), 4);

    runs(&servers.superuser_of(0), "SELECT pg_wal_replay_resume()").await;
    shows(&gateway, HEALTHY, |healthy| healthy == 1.0).await;
    searches_there(&servers, &gateway).await;
    assert_eq!(sources(&gateway, "after").await.len(), 4);
    assert_eq!(gateway.logged(LEFT_OUT).len(), said + 1, "told once: {}", gateway.log());
    assert!(gateway.metric(MOVED).await > Some(0.0));
    stored_whole_and_once(&servers.superuser, &stored).await;
}

#[tokio::test]
async fn a_replica_that_crashes_fails_no_search_and_comes_back() {
    let (servers, _provider, gateway, _) = begin(1).await;
    let askers = Askers::start(&gateway);
    askers.succeed(50).await;
    servers.crash_replica(0).await;
    shows(&gateway, HEALTHY, |healthy| healthy == 0.0).await;
    askers.succeed(50).await;
    servers.start_replica(0).await;
    shows(&gateway, HEALTHY, |healthy| healthy == 1.0).await;
    askers.succeed(50).await;
    all_succeeded(&askers.end().await);
}

#[tokio::test]
async fn a_replica_that_hangs_fails_no_search() {
    let (servers, _provider, gateway, _) = begin(2).await;
    let askers = Askers::start(&gateway);
    askers.succeed(50).await;
    let frozen = servers.freeze_replica(0).await;
    shows(&gateway, HEALTHY, |healthy| healthy == 0.0).await;
    askers.succeed(100).await;
    drop(frozen);
    shows(&gateway, HEALTHY, |healthy| healthy == 1.0).await;
    askers.succeed(100).await;
    all_succeeded(&askers.end().await);
}

#[tokio::test]
async fn a_primary_that_crashes_fails_no_search_and_loses_nothing() {
    let (servers, provider, gateway, before) = begin(1).await;
    let askers = Askers::start(&gateway);
    askers.succeed(50).await;
    servers.crash_primary().await;
    askers.succeed(100).await;
    until("the primary is known to be away", || async { !gateway.logged(AWAY).is_empty() }).await;
    let part = reqwest::multipart::Part::text("a text").file_name("refused.txt");
    let form = reqwest::multipart::Form::new().part("file", part);
    let refused = gateway.request(Method::POST, "/v1/documents").multipart(form).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["error"]["code"], "database_unavailable");
    assert!(refused["error"]["message"].as_str().unwrap().contains("searches go on"), "{refused}");
    let ready = gateway.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200, "a gateway that searches must not be taken out of its Service");
    // One that starts now learns all that it needs from the replica.
    let second = serve(&servers, &provider).await;
    assert_eq!(search(&second, "before").await.status, 200, "{}", second.log());

    servers.start_primary().await;
    let documents = numbered(3, 2);
    until("the primary takes writes", || async {
        gateway.request(Method::GET, "/v1/documents").send().await.unwrap().status() == 200
    })
    .await;
    let job = ended(&gateway, &upload(&gateway, &documents).await).await;
    assert_eq!((&job["status"], &job["failed"]), (&json!("completed"), &json!(0)), "{job}");
    askers.succeed(50).await;
    all_succeeded(&askers.end().await);
    let all: Vec<_> = documents.into_iter().chain([before]).collect();
    stored_whole_and_once(&servers.superuser, &all).await;
    for gateway in [gateway, second] {
        assert!(sources(&gateway, "report").await.len() >= 3, "{}", gateway.log());
    }
}
