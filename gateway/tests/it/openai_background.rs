//! Responses that are written while nobody waits: fetched later, cancelled, waited for when the gateway ends.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ragline_gateway::{answer::AnswerError, traits::generator::GenerateError};
use serde_json::{Value, json};

use crate::{
    http_fixture::{Api, api, get, post, refused},
    openai_responses::{PATH, ask, bare, made, message, path_of, without_id},
};

async fn ended(api: &Api, path: &str) -> Value {
    for _ in 0..1_000 {
        let body = api.send(get(path)).await.body;
        if body["status"] != "in_progress" {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{path} does not end");
}

#[tokio::test]
async fn a_response_in_the_background_is_fetched_later() {
    let api = api();
    let begun = made(&api, json!({"background": true})).await;
    assert_eq!((&begun["status"], &begun["output"]), (&json!("in_progress"), &json!([])));
    let body = ended(&api, &path_of(&begun)).await;
    assert_eq!((&body["status"], without_id(&body["output"][0], "msg_")), (&json!("completed"), message()));
    let cancelled = api.send(bare("POST", &format!("{}/cancel", path_of(&begun)))).await.body;
    assert_eq!(cancelled, body);

    *api.answering.failure.lock().unwrap() =
        Some(AnswerError::Generate(GenerateError::RateLimited { host: "models.internal".into(), retry_after: None }));
    let body = ended(&api, &path_of(&made(&api, json!({"background": true})).await)).await;
    assert_eq!((&body["status"], &body["error"]["code"]), (&json!("failed"), &json!("rate_limit_exceeded")));
    assert!(!body.to_string().contains("models.internal"));

    let waiting = made(&api, json!({"background": true, "input": "wait"})).await;
    api.answering.begun.notified().await;
    let reply = api.send(post(PATH, ask(json!({"previous_response_id": waiting["id"]})))).await;
    refused(&reply, 400, "previous_response_not_found", Some("previous_response_id"));
    let cancelled = api.send(bare("POST", &format!("{}/cancel", path_of(&waiting)))).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["status"]), (200, &json!("cancelled")));
    // Whoever writes it hears of that.
    api.answering.dropped.notified().await;
    assert_eq!(ended(&api, &path_of(&waiting)).await["status"], "cancelled");

    let plain = path_of(&made(&api, json!({})).await);
    refused(&api.send(bare("POST", &format!("{plain}/cancel"))).await, 400, "invalid_value", Some("id"));
}

async fn under_way(api: &Api) -> String {
    let figures = api.send(get("/metrics")).await.body;
    let line = figures.as_str().unwrap().lines().find(|line| line.starts_with("ragline_http_requests_in_flight ")).unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_gateway_that_ends_waits_for_what_it_writes_in_the_background() {
    let api = api();
    let begun = made(&api, json!({"background": true, "input": "later"})).await;
    api.answering.begun.notified().await;
    assert_eq!(under_way(&api).await, "1");
    api.shutdown.cancel();
    refused(&api.send(post(PATH, ask(json!({"background": true})))).await, 503, "shutting_down", None);
    let draining = tokio::spawn({
        let state = Arc::clone(&api.state);
        async move { state.drain(Duration::from_secs(60)).await }
    });
    assert_eq!(api.send(bare("GET", &path_of(&begun))).await.body["status"], "in_progress");
    assert!(!draining.is_finished());
    api.answering.go.notify_one();
    draining.await.unwrap();
    let body = api.send(bare("GET", &path_of(&begun))).await.body;
    assert_eq!((&body["status"], under_way(&api).await.as_str()), (&json!("completed"), "0"));
}

#[tokio::test]
async fn what_is_still_written_in_the_background_when_the_gateway_must_end_has_failed() {
    let api = api();
    let waiting = made(&api, json!({"background": true, "input": "wait"})).await;
    api.answering.begun.notified().await;
    api.shutdown.cancel();
    api.state.drain(Duration::from_millis(20)).await;
    let body = api.send(bare("GET", &path_of(&waiting))).await.body;
    assert_eq!((&body["status"], &body["error"]["code"]), (&json!("failed"), &json!("server_error")));
}

#[tokio::test]
async fn what_a_silent_database_does_not_take_keeps_no_place() {
    let api = api();
    made(&api, json!({"background": true, "input": "later"})).await;
    api.answering.begun.notified().await;
    api.store.silent.store(true, Ordering::Relaxed);
    api.answering.go.notify_one();
    let kept = async {
        while under_way(&api).await != "0" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), kept).await.expect("it waits for the database for ever");
}
