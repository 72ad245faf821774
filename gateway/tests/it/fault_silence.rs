//! PostgreSQL goes silent under a serving gateway, as when its node is cut off: connections stand, nobody answers, and those of before
//! never come back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ragline_gateway::{backends::pgvector::Store, traits::search::Directory};
use reqwest::{Method, multipart};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    database::{fresh, fresh_for},
    env_fixture::Gateway,
    fault_askers::{Answered, Askers, search},
    fault_fixture::{ended, gateway, numbered, stored_whole_and_once, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
    fault_way::Way,
    replica_fixture::{Replicated, shows, until},
};

/// No request may take longer.
const LONGEST: Duration = Duration::from_secs(15);
/// Nor a search where a replica can answer it.
const LONGEST_SEARCH: Duration = Duration::from_secs(5);
/// A database that is back is used again within this time.
const BACK_WITHIN: Duration = Duration::from_secs(15);
const GIVEN_UP: &str = "the primary has been silent for too long: whoever waits for it is told so";

/// Sends a document, expects to be told that the database is away, and gives the code.
async fn refused(gateway: &Gateway) -> String {
    let form = multipart::Form::new().part("file", multipart::Part::text("a text").file_name("refused.txt"));
    let begun = Instant::now();
    let response = gateway.request(Method::POST, "/v1/documents").multipart(form).send().await.unwrap();
    assert_eq!(response.status(), 503, "{}", gateway.log());
    assert!(response.headers().contains_key("retry-after") && begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
    let body: Value = response.json().await.unwrap();
    body["error"]["code"].as_str().unwrap().to_owned()
}

/// Waits until the database is given up; whoever writes then is told at once.
async fn given_up(gateway: &Gateway) {
    until("the database is given up", || async { !gateway.logged(GIVEN_UP).is_empty() }).await;
    let begun = Instant::now();
    assert_eq!(refused(gateway).await, "database_unavailable");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Waits until documents are listed again.
async fn back(gateway: &Gateway) {
    let begun = Instant::now();
    until("the database is used again", || async {
        gateway.request(Method::GET, "/v1/documents").send().await.unwrap().status() == 200
    })
    .await;
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}\n{}", begun.elapsed(), gateway.log());
}

#[tokio::test]
async fn a_silent_database_is_told_of_within_seconds_and_used_again_though_no_connection_ends() {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let url = database.url("DATABASE_URL");
    let way = Way::to(url.expose_secret()).await;
    let provider = Provider::start().await;
    let gateway = Arc::new(gateway(&way.url(url.expose_secret()), &provider, &[("ENABLE_VECTOR_CACHE", "false")]).await);
    let mut documents = vec![("before.txt".to_owned(), text("before.txt", 3))];
    ended(&gateway, &upload(&gateway, &documents).await).await;
    // A file is in a worker's hands when it happens.
    provider.hold_after(0);
    let under_way = numbered(1, 6);
    let job = upload(&gateway, &under_way).await;
    documents.extend(under_way);
    provider.holds().await;
    let askers = Askers::start(&gateway);
    askers.succeed(50).await;

    way.cut();
    provider.flow();
    refused(&gateway).await;
    given_up(&gateway).await;
    way.mend();

    back(&gateway).await;
    askers.succeed(50).await;
    let answers = askers.end().await;
    let expected = |answered: &&Answered| matches!(answered.status, 200 | 503) && answered.took < LONGEST && answered.request_id;
    let unexpected: Vec<_> = answers.iter().filter(|answered| !expected(answered)).collect();
    assert!(unexpected.is_empty(), "{} of {}: {:?}", unexpected.len(), answers.len(), unexpected.first());
    let job = ended(&gateway, &job).await;
    assert_eq!((&job["status"], &job["failed"]), (&json!("completed"), &json!(0)), "{job}");
    let after = ("after.txt".to_owned(), text("after.txt", 2));
    ended(&gateway, &upload(&gateway, std::slice::from_ref(&after)).await).await;
    documents.push(after);
    stored_whole_and_once(database.url("DATABASE_BOOTSTRAP_URL").expose_secret(), &documents).await;
}

#[tokio::test]
async fn searches_go_on_at_the_replica_of_a_silent_primary_and_writes_are_refused_until_it_is_back() {
    let servers = Replicated::start(1, MODEL, DIMENSIONS).await;
    let url = servers.application.expose_secret();
    let way = Way::to(url).await;
    let provider = Provider::start().await;
    let replicas = servers.replica_urls();
    let variables = [("ENABLE_VECTOR_CACHE", "false"), ("DATABASE_REPLICA_URLS", replicas.as_str())];
    let gateway = Arc::new(gateway(&way.url(url), &provider, &variables).await);
    let before = ("before.txt".to_owned(), text("before.txt", 3));
    ended(&gateway, &upload(&gateway, std::slice::from_ref(&before)).await).await;
    shows(&gateway, r#"rag_replica_healthy{replica="0"}"#, |healthy| healthy == 1.0).await;
    let askers = Askers::start(&gateway);
    askers.succeed(50).await;

    way.cut();
    askers.succeed(100).await;
    refused(&gateway).await;
    given_up(&gateway).await;
    assert_eq!(search(&gateway, "before").await.status, 200);
    way.mend();

    back(&gateway).await;
    let after = numbered(2, 2);
    let job = ended(&gateway, &upload(&gateway, &after).await).await;
    assert_eq!((&job["status"], &job["failed"]), (&json!("completed"), &json!(0)), "{job}");
    askers.succeed(50).await;
    let answers = askers.end().await;
    let failed: Vec<_> = answers.iter().filter(|answered| answered.status != 200 || answered.took > LONGEST_SEARCH).collect();
    assert!(failed.is_empty(), "{} of {}: {:?}", failed.len(), answers.len(), failed.first());
    let all: Vec<_> = after.into_iter().chain([before]).collect();
    stored_whole_and_once(&servers.superuser, &all).await;
}

#[tokio::test]
async fn a_connection_that_listens_and_died_without_a_word_is_noticed() {
    let database = fresh().await;
    let url = database.url("DATABASE_URL");
    let way = Way::to(url.expose_secret()).await;
    let url = SecretString::from(way.url(url.expose_secret()));
    let store = Store::connect(&database.config, &url, database.space.clone()).unwrap();
    until("it listens", || async { store.keys_version().is_some() }).await;
    let before = store.keys_version();
    // For less than the time after which the database is given up, and with it every connection.
    way.cut();
    tokio::time::sleep(Duration::from_secs(1)).await;
    way.mend();
    until("it listens anew", || async { store.keys_version() > before }).await;
}
