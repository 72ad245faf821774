//! Documents and settings change: what did not change is not paid for again, what is deleted is gone, and what was cut with other
//! settings says so and is cut anew.

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    database::{TestDatabase, fresh_for},
    env_fixture::Gateway,
    fault_fixture::{ended, gateway, gateway_that_cuts, number, numbered, stored_whole_and_once, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

const OTHER_CHUNKS: &str = "chunking:\n  minTokens: 32\n  maxTokens: 128\n";

async fn get(gateway: &Gateway, path: &str) -> Value {
    gateway.request(Method::GET, path).send().await.unwrap().json().await.unwrap()
}

/// What the gateway says of its documents: source, staleness, whether the bytes are kept.
async fn listed(gateway: &Gateway, path: &str) -> Vec<(String, bool, bool)> {
    let list = get(gateway, path).await;
    let documents = list["data"].as_array().unwrap().iter();
    let mut said: Vec<_> = documents
        .map(|one| {
            (one["source"].as_str().unwrap().to_owned(), one["stale"].as_bool().unwrap(), one["has_bytes"].as_bool().unwrap())
        })
        .collect();
    said.sort();
    said
}

async fn database() -> (TestDatabase, String, String) {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let [application, superuser] =
        ["DATABASE_URL", "DATABASE_BOOTSTRAP_URL"].map(|name| database.url(name).expose_secret().to_owned());
    (database, application, superuser)
}

#[tokio::test]
async fn a_changed_document_costs_the_chunks_that_changed() {
    let (_database, url, superuser) = database().await;
    let provider = Provider::start().await;
    let gateway = gateway(&url, &provider, &[]).await;
    let before = text("manual.txt", 60);
    ended(&gateway, &upload(&gateway, &[("manual.txt".into(), before.clone())]).await).await;
    let first = provider.take_passages().len();
    assert!(first >= 30, "{first} chunks say little");
    ended(&gateway, &upload(&gateway, &[("manual.txt".into(), before.clone())]).await).await;
    assert_eq!(provider.take_passages(), Vec::<String>::new(), "the same document was embedded again");
    let after = before.replace("paragraph 59 of", "paragraph 5900 of");
    ended(&gateway, &upload(&gateway, &[("manual.txt".into(), after.clone())]).await).await;
    let changed = provider.take_passages();
    assert!((1..=2).contains(&changed.len()) && changed.iter().any(|text| text.contains("5900")), "{changed:?}");
    stored_whole_and_once(&superuser, &[("manual.txt".into(), after)]).await;
}

#[tokio::test]
async fn a_deleted_document_is_gone_from_search_cache_and_every_count_at_once() {
    let (_database, url, superuser) = database().await;
    let provider = Provider::start().await;
    let gateway = gateway(&url, &provider, &[]).await;
    let documents = numbered(3, 4);
    let job = ended(&gateway, &upload(&gateway, &documents).await).await;
    let search = async || {
        let found = gateway.post("/v1/search", json!({"query": "report 001", "limit": 100})).await;
        let passages = found["data"].as_array().unwrap().iter();
        passages.filter(|passage| passage["source"]["filename"] == "report-001.txt").count()
    };
    // The second answer comes from the cache.
    assert!(search().await > 0 && search().await > 0);
    let id = job["files"][1]["document_id"].as_str().unwrap();
    let path = format!("/v1/documents/{id}");
    let deleted = gateway.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    assert_eq!(search().await, 0, "a deleted document is found");
    assert_eq!(gateway.request(Method::GET, &path).send().await.unwrap().status(), 404);
    assert_eq!(listed(&gateway, "/v1/documents").await.len(), 2);
    let rest: Vec<_> = documents.into_iter().filter(|(name, _)| name != "report-001.txt").collect();
    stored_whole_and_once(&superuser, &rest).await;
    assert_eq!(number(&superuser, "SELECT count(*) FROM blob").await, 2);
}

#[tokio::test]
async fn documents_that_were_cut_with_other_settings_say_so_and_are_cut_anew() {
    let (_database, url, superuser) = database().await;
    let provider = Provider::start().await;
    let documents = numbered(4, 12);
    let small = gateway(&url, &provider, &[]).await;
    ended(&small, &upload(&small, &documents).await).await;
    assert_eq!(listed(&small, "/v1/documents?stale=true").await, []);
    drop(small);

    let large = gateway_that_cuts(OTHER_CHUNKS, &url, &provider, &[]).await;
    let stale: Vec<_> = documents.iter().map(|(name, _)| (name.clone(), true, true)).collect();
    assert_eq!(listed(&large, "/v1/documents?stale=true").await, stale);
    assert_eq!(listed(&large, "/v1/documents").await, stale);
    assert_eq!(large.metric("ragline_documents_stale").await, Some(4.0));
    // One has lost its bytes, and is left as it is.
    number(&superuser, "WITH lost AS (DELETE FROM blob WHERE id = (SELECT blob_id FROM document WHERE source = 'report-003.txt') RETURNING 1) SELECT count(*) FROM lost").await;
    let answer = large.post("/v1/documents/rechunk", json!({})).await;
    assert_eq!((&answer["without_bytes"], &answer["job"]["total"]), (&json!(1), &json!(3)), "{answer}");
    // What is on its way is not queued again.
    let again = large.post("/v1/documents/rechunk", json!({})).await;
    assert!(again["job"].is_null() || again["job"]["total"].as_u64() < Some(3), "{again}");
    let job = ended(&large, &format!("/v1/jobs/{}", answer["job"]["id"].as_str().unwrap())).await;
    assert_eq!((&job["status"], &job["failed"]), (&json!("completed"), &json!(0)), "{job}");
    assert_eq!(listed(&large, "/v1/documents?stale=true").await, [("report-003.txt".to_owned(), true, false)]);
    stored_whole_and_once(&superuser, &documents).await;

    let gone = get(&large, "/v1/documents?stale=true").await["data"][0]["id"].as_str().unwrap().to_owned();
    large.request(Method::DELETE, &format!("/v1/documents/{gone}")).send().await.unwrap();
    assert!(large.says(&["rechunk"]).await.contains("no stale document can be cut anew"));
}

#[tokio::test]
async fn a_document_that_is_deleted_while_it_is_cut_anew_does_not_come_back() {
    let (_database, url, superuser) = database().await;
    let provider = Provider::start().await;
    let small = gateway(&url, &provider, &[]).await;
    let documents = numbered(1, 12);
    let stored = ended(&small, &upload(&small, &documents).await).await;
    drop(small);
    provider.hold_after(0);
    let large = gateway_that_cuts(OTHER_CHUNKS, &url, &provider, &[]).await;
    let answer = large.post("/v1/documents/rechunk", json!({})).await;
    provider.holds().await;
    let path = format!("/v1/documents/{}", stored["files"][0]["document_id"].as_str().unwrap());
    let deleted = large.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    provider.flow();
    let job = ended(&large, &format!("/v1/jobs/{}", answer["job"]["id"].as_str().unwrap())).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["files"][0]["reason"].as_str().unwrap().contains("deleted or replaced"), "{job}");
    stored_whole_and_once(&superuser, &[]).await;
}
