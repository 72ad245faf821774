//! One process answers and another takes documents in.

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    database::fresh_for,
    env_fixture::serve_as,
    fault_fixture::{ended, numbered, stored_whole_and_once, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

#[tokio::test]
async fn a_worker_takes_in_what_an_api_was_sent_and_answers_only_probes() {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let (url, superuser) = (database.url("DATABASE_URL"), database.url("DATABASE_BOOTSTRAP_URL"));
    let provider = Provider::start().await;
    let start = async |role: &str| {
        let key = [("OPENAI_API_KEY", "sk-test")];
        serve_as(&["--roles", role], url.expose_secret(), &provider.config(), &key).await
    };
    let api = start("api").await;
    let documents = numbered(5, 2);
    let job = upload(&api, &documents).await;
    // The API asks for nothing to be embedded; once a worker runs, all is.
    assert_eq!(api.post("/v1/search", json!({"query": "report"})).await["data"], json!([]));
    let view: Value = api.request(Method::GET, &job).send().await.unwrap().json().await.unwrap();
    assert_eq!((&view["status"], provider.take_passages()), (&json!("queued"), Vec::new()), "{view}");

    let worker = start("worker").await;
    assert_eq!(ended(&api, &job).await["status"], "completed");
    stored_whole_and_once(superuser.expose_secret(), &documents).await;
    assert_eq!(api.metric("ragline_ingest_chunks_total").await, Some(0.0));
    assert!(worker.metric("ragline_ingest_chunks_total").await > Some(0.0));
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/v1/documents", 404), ("/openapi.json", 404)] {
        assert_eq!(worker.request(Method::GET, path).send().await.unwrap().status(), status, "{path}");
    }
}
