//! The gateway is killed in the middle of an ingest, and another one takes over.

use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::{Body, Method, multipart};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::{
    database::fresh_for,
    fault_fixture::{ended, gateway, leases_run_out, numbered, stored_whole_and_once, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

#[tokio::test]
async fn gateways_that_are_killed_lose_no_document_and_store_none_twice() {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let (url, superuser) = (database.url("DATABASE_URL"), database.url("DATABASE_BOOTSTRAP_URL"));
    let provider = Provider::start().await;
    let before = ("before.txt".to_owned(), text("before.txt", 3));
    let documents = numbered(60, 12);
    let all: Vec<_> = documents.iter().cloned().chain([before.clone()]).collect();

    let first = gateway(url.expose_secret(), &provider, &[]).await;
    ended(&first, &upload(&first, &[before]).await).await;
    provider.hold_after(25);
    let job = upload(&first, &documents).await;
    provider.holds().await;
    // The end of a value of `Gateway` is a kill -9.
    drop(first);

    for requests in [0, 9] {
        provider.hold_after(requests);
        let next = gateway(url.expose_secret(), &provider, &[]).await;
        let found = next.post("/v1/search", json!({"query": "before.txt", "limit": 100})).await;
        let sources: Vec<&str> =
            found["data"].as_array().unwrap().iter().map(|passage| passage["source"]["filename"].as_str().unwrap()).collect();
        assert!(sources.contains(&"before.txt"), "{found}");
        leases_run_out(superuser.expose_secret()).await;
        provider.holds().await;
        drop(next);
    }

    provider.flow();
    let last = gateway(url.expose_secret(), &provider, &[]).await;
    leases_run_out(superuser.expose_secret()).await;
    let job = ended(&last, &job).await;
    assert_eq!((&job["status"], &job["done"], &job["failed"]), (&json!("completed"), &json!(60), &json!(0)), "{job}");
    stored_whole_and_once(superuser.expose_secret(), &all).await;
    let list: Value = last.request(Method::GET, "/v1/documents?limit=100").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), all.len());
}

#[tokio::test]
async fn a_gateway_that_is_killed_during_an_upload_leaves_no_half_of_a_job() {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let (url, superuser) = (database.url("DATABASE_URL"), database.url("DATABASE_BOOTSTRAP_URL"));
    let provider = Provider::start().await;
    let first = gateway(url.expose_secret(), &provider, &[]).await;
    let document = ("whole.txt".to_owned(), text("whole.txt", 3));
    let body = stream::iter([Ok::<_, std::io::Error>(vec![b'x'; 3 << 20])]).chain(stream::pending());
    let part = multipart::Part::stream(Body::wrap_stream(body)).file_name("half.txt");
    let form = multipart::Form::new().part("file", part);
    let upload_of_half = tokio::spawn(first.request(Method::POST, "/v1/documents").multipart(form).send());
    // Pieces of one MiB are written as they come.
    let pieces = async {
        let mut connection = PgConnection::connect(superuser.expose_secret()).await.unwrap();
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM blob_piece").fetch_one(&mut connection).await.unwrap() < 2 {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), pieces).await.expect("no piece was written");
    drop(first);
    upload_of_half.await.unwrap().expect_err("a killed gateway answered");

    let second = gateway(url.expose_secret(), &provider, &[]).await;
    let again = upload(&second, std::slice::from_ref(&document)).await;
    assert_eq!(ended(&second, &again).await["status"], "completed");
    stored_whole_and_once(superuser.expose_secret(), &[document]).await;
}
