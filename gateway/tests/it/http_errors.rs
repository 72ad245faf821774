//! Every way in which the API refuses.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    body::Body,
    http::{Request, header},
};
use ragline_config::{Limits, Seconds};
use ragline_gateway::{
    answer::AnswerError,
    traits::{embedder::EmbedError, generator::GenerateError, search::StoreError},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http_fixture::{api, api_with, get, limits, post, post_text, refused, request, request_as, upload};

#[tokio::test]
async fn a_request_without_a_known_key_is_refused() {
    let api = api();
    let bare = Request::builder().uri("/v1/documents").body(Body::empty()).unwrap();
    let reply = api.send(bare).await;
    refused(&reply, 401, "missing_api_key", None);
    assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(reply.body["error"]["type"], "authentication_error");
    let basic =
        Request::builder().uri("/v1/documents").header(header::AUTHORIZATION, "Basic Zmlyc3Q=").body(Body::empty()).unwrap();
    refused(&api.send(basic).await, 401, "missing_api_key", None);
    for key in ["wrong", "first-key2", &"x".repeat(600)] {
        let wrong = request_as(key, "GET", "/v1/documents").body(Body::empty()).unwrap();
        refused(&api.send(wrong).await, 401, "invalid_api_key", None);
    }
}

#[tokio::test]
async fn a_route_or_method_that_is_not_there_is_said_so() {
    let api = api();
    refused(&api.send(get("/v1/nothing")).await, 404, "unknown_route", None);
    refused(&api.send(post("/v1/documents/x/y", json!({}))).await, 404, "unknown_route", None);
    let delete = request("DELETE", "/v1/search").body(Body::empty()).unwrap();
    refused(&api.send(delete).await, 405, "method_not_allowed", None);
}

#[tokio::test]
async fn a_search_that_cannot_be_meant_is_refused_by_field() {
    let api = api();
    let deep = json!({"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}});
    let cases = [
        (json!({"query": "a", "limitt": 3}), "unknown_field", Some("limitt")),
        (json!({"limit": 3}), "missing_field", Some("query")),
        (json!({"query": 3}), "invalid_value", Some("query")),
        (json!({"query": "  "}), "invalid_value", Some("query")),
        (json!({"query": "x".repeat(10_001)}), "body_too_large", None),
        (json!({"query": "a", "limit": 0}), "invalid_value", Some("limit")),
        (json!({"query": "a", "limit": 101}), "invalid_value", Some("limit")),
        (json!({"query": "a", "limit": -1}), "invalid_value", Some("limit")),
        (json!({"query": "a", "limit": 1e30}), "invalid_value", Some("limit")),
        (json!({"query": "a", "mode": "telepathic"}), "unsupported_mode", Some("mode")),
        (json!({"query": "a", "threshold": 1.1}), "invalid_value", Some("threshold")),
        (json!({"query": "a", "threshold": -0.1}), "invalid_value", Some("threshold")),
        (json!({"query": "a", "filter": [1]}), "invalid_value", Some("filter")),
        (json!({"query": "a", "filter": deep}), "invalid_value", Some("filter")),
        (json!({"query": "a", "filter": {"type": "in", "key": "a", "value": 1}}), "invalid_value", Some("filter.value")),
        (json!({"query": "a", "filter": {"type": "eq", "key": "a"}}), "missing_field", Some("filter.value")),
        (json!({"query": "a", "filter": {"a": "\u{0}"}}), "invalid_value", Some("filter")),
    ];
    for (body, code, param) in cases {
        let status = if code == "body_too_large" { 413 } else { 400 };
        refused(&api.send(post("/v1/search", body)).await, status, code, param);
    }
    let wide = api_with(Limits::default());
    refused(&wide.send(post("/v1/search", json!({"query": "x".repeat(10_001)}))).await, 400, "invalid_value", Some("query"));
}

#[tokio::test]
async fn a_question_that_cannot_be_meant_is_refused_by_field() {
    let api = api();
    let cases = [
        (json!({"question": "a", "query": "b"}), "unknown_field", "query"),
        (json!({"question": ""}), "invalid_value", "question"),
        (json!({"question": "a", "limit": 21}), "invalid_value", "limit"),
        (json!({"question": "a", "temperature": 2.1}), "invalid_value", "temperature"),
        (json!({"question": "a", "top_p": 1.5}), "invalid_value", "top_p"),
        (json!({"question": "a", "max_tokens": 0}), "invalid_value", "max_tokens"),
    ];
    for (body, code, param) in cases {
        refused(&api.send(post("/v1/answers", body)).await, 400, code, Some(param));
    }
}

#[tokio::test]
async fn malformed_json_is_told_with_its_position() {
    let api = api();
    let reply = api.send(post_text("/v1/search", "{\"query\": \"a\",\n ]}")).await;
    refused(&reply, 400, "malformed_json", None);
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("line 2 column 2"), "{}", reply.body);
    refused(&api.send(post_text("/v1/search", "")).await, 400, "malformed_json", None);
    refused(&api.send(post_text("/v1/search", vec![0xff, 0xfe])).await, 400, "malformed_json", None);
    let form = request("POST", "/v1/search").header(header::CONTENT_TYPE, "text/plain").body(Body::from("{}")).unwrap();
    refused(&api.send(form).await, 415, "unsupported_media_type", None);
}

#[tokio::test]
async fn an_id_that_names_nothing_is_not_found() {
    let api = api();
    let id = Uuid::now_v7();
    for path in [format!("/v1/documents/doc_{id}"), "/v1/documents/doc_x".into(), format!("/v1/documents/job_{id}")] {
        refused(&api.send(get(&path)).await, 404, "document_not_found", Some("id"));
        let delete = request("DELETE", &path).body(Body::empty()).unwrap();
        refused(&api.send(delete).await, 404, "document_not_found", Some("id"));
    }
    for path in [format!("/v1/jobs/job_{id}"), format!("/v1/jobs/{id}"), "/v1/jobs/%00".into()] {
        refused(&api.send(get(&path)).await, 404, "job_not_found", Some("id"));
        let cancel = request("POST", &format!("{path}/cancel")).body(Body::empty()).unwrap();
        refused(&api.send(cancel).await, 404, "job_not_found", Some("id"));
    }
    refused(&api.send(get("/v1/documents?limit=0")).await, 400, "invalid_value", Some("limit"));
    refused(&api.send(get("/v1/documents?limit=x")).await, 400, "invalid_value", None);
    refused(&api.send(get("/v1/documents?page=2")).await, 400, "unknown_field", None);
    refused(&api.send(get("/v1/documents?after=doc_x")).await, 400, "invalid_value", None);
}

#[tokio::test]
async fn an_upload_that_cannot_be_meant_is_refused() {
    let api = api();
    let file: &[u8] = b"some text";
    let many: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| ("file", Some(*name), file)).collect();
    let long = "n".repeat(1_025);
    let cases: Vec<(Vec<crate::http_fixture::Field<'_>>, &str, Option<&str>)> = vec![
        (vec![], "missing_file", Some("file")),
        (vec![("file", None, file)], "missing_file", Some("file")),
        (vec![("fille", Some("a"), file)], "unknown_field", Some("fille")),
        (vec![("file", Some("a"), file), ("file", Some("a"), file)], "invalid_value", Some("file")),
        (vec![("file", Some("a"), file), ("metadata", None, b"[1]")], "invalid_metadata", Some("metadata")),
        (vec![("file", Some("a"), file), ("metadata", None, b"{")], "invalid_metadata", Some("metadata")),
        (vec![("file", Some("a"), file), ("source", None, b"a\nb")], "invalid_value", Some("source")),
        (vec![("file", Some("a"), file), ("file", Some("b"), file), ("source", None, b"c")], "invalid_value", Some("source")),
        (vec![("file", Some(&long), file)], "invalid_value", Some("source")),
        (many, "too_many_files", Some("file")),
    ];
    for (fields, code, param) in cases {
        refused(&api.send(upload(&fields)).await, 400, code, param);
    }
    let broken = request("POST", "/v1/documents").header(header::CONTENT_TYPE, "multipart/form-data; boundary=B");
    refused(&api.send(broken.body(Body::from("--B\r\nnonsense")).unwrap()).await, 400, "malformed_upload", None);
    refused(&api.send(post("/v1/documents", json!({}))).await, 415, "unsupported_media_type", None);
    emptied(&api.store).await;
}

#[tokio::test]
async fn an_upload_over_a_limit_leaves_no_bytes_behind() {
    let api = api();
    let (large, file) = (vec![b'x'; (3 << 20) + 1], vec![b'x'; 3 << 20]);
    let reply = api.send(upload(&[("file", Some("small.txt"), b"small"), ("file", Some("large.txt"), &large)])).await;
    refused(&reply, 413, "file_too_large", Some("file"));
    let message = reply.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("large.txt") && message.contains("3145728") && message.contains("limits.fileBytes"), "{message}");
    emptied(&api.store).await;
    let reply = api.send(upload(&[("file", Some("a"), &file), ("file", Some("b"), &file), ("file", Some("c"), &file)])).await;
    refused(&reply, 413, "upload_too_large", None);
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("limits.requestBytes"));
    emptied(&api.store).await;
    assert!(api.store.inner().jobs.is_empty());
}

/// The bytes of a refused upload go away in the background.
async fn emptied(store: &crate::http_fakes::FakeStore) {
    for _ in 0..1_000 {
        if store.inner().blobs.is_empty() {
            return;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} blobs stay", store.inner().blobs.len());
}

#[tokio::test]
async fn a_full_house_is_told_at_once_and_probes_still_pass() {
    let api = api_with(Limits { concurrent_requests: 1, ..limits() });
    let router = api.router.clone();
    let waiting =
        tokio::spawn(async move { crate::http_fixture::send(&router, post("/v1/search", json!({"query": "wait"}))).await });
    api.answering.begun.notified().await;
    let reply = api.send(post("/v1/search", json!({"query": "a"}))).await;
    refused(&reply, 429, "too_many_requests", None);
    assert_eq!(reply.body["error"]["type"], "rate_limit_error");
    assert_eq!(reply.headers[header::RETRY_AFTER], "1");
    assert_eq!(api.send(get("/livez")).await.status, 200);
    assert_eq!(api.send(get("/metrics")).await.status, 200);
    api.answering.go.notify_one();
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(api.send(post("/v1/search", json!({"query": "a"}))).await.status, 200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let api = api_with(Limits { request_timeout_seconds: Seconds(1), ..limits() });
    let reply = api.send(post("/v1/search", json!({"query": "wait"}))).await;
    refused(&reply, 504, "request_timed_out", None);
    api.answering.dropped.notified().await;
}

#[tokio::test]
async fn a_panic_is_an_answer_like_any_other() {
    let api = api();
    let reply = api.send(post("/v1/search", json!({"query": "panic"}))).await;
    refused(&reply, 500, "internal_error", None);
    assert!(!reply.body.to_string().contains("asked to"), "the cause is for the log");
    assert_eq!(api.send(post("/v1/search", json!({"query": "a"}))).await.status, 200);
}

#[tokio::test]
async fn what_is_behind_the_gateway_fails_with_a_code_of_its_own() {
    let api = api();
    let host = || "models.internal".to_owned();
    let cases = [
        (AnswerError::Search(StoreError::Unreachable("x".into())), 503, "database_unavailable"),
        (AnswerError::Search(StoreError::PoolExhausted), 503, "database_busy"),
        (AnswerError::Search(StoreError::DiskFull), 503, "database_full"),
        (AnswerError::Search(StoreError::WrongSchema { found: 1, wanted: 2 }), 503, "database_misconfigured"),
        (AnswerError::Search(StoreError::Failed { action: "x", source: "y".into() }), 500, "internal_error"),
        (AnswerError::Embed(EmbedError::Unreachable { host: host(), source: "x".into() }), 503, "embedding_unavailable"),
        (AnswerError::Embed(EmbedError::RateLimited { host: host(), retry_after: None }), 429, "provider_rate_limited"),
        (AnswerError::Embed(EmbedError::Unauthorized { host: host(), variables: String::new() }), 503, "embedding_misconfigured"),
        (
            AnswerError::Embed(EmbedError::Refused { host: host(), status: 500, message: "m".into() }),
            503,
            "embedding_unavailable",
        ),
        (AnswerError::Generate(GenerateError::Disabled), 400, "generation_disabled"),
        (
            AnswerError::Generate(GenerateError::TimedOut { host: host(), timeout: Duration::from_secs(1) }),
            503,
            "generation_unavailable",
        ),
        (
            AnswerError::Generate(GenerateError::Unauthorized { host: host(), variables: String::new() }),
            503,
            "generation_misconfigured",
        ),
    ];
    for (failure, status, code) in cases {
        *api.answering.failure.lock().unwrap() = Some(failure);
        let reply = api.send(post("/v1/answers", json!({"question": "a"}))).await;
        refused(&reply, status, code, None);
        assert!(!reply.body.to_string().contains("models.internal"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_told_apart_from_a_wrong_key() {
    let api = api();
    api.store.away.store(true, Ordering::Relaxed);
    let reply = api.send(get("/v1/documents")).await;
    refused(&reply, 503, "database_unavailable", None);
    assert!(reply.headers.contains_key(header::RETRY_AFTER));
    refused(&api.send(get("/readyz")).await, 503, "database_unavailable", None);
    assert_eq!(api.send(get("/livez")).await.status, 200);
}

#[tokio::test]
async fn an_embedding_request_that_cannot_be_meant_is_refused_by_field() {
    let api = api();
    let cases = [
        (json!({"model": "words"}), 400, "missing_field", "input"),
        (json!({"model": "words", "input": [1, 2_000_000]}), 400, "invalid_value", "input"),
        (json!({"model": "words", "input": []}), 400, "invalid_value", "input"),
        (json!({"model": "words", "input": ["a", ""]}), 400, "invalid_value", "input"),
        (json!({"model": "words", "input": {"a": 1}}), 400, "invalid_value", "input"),
        (json!({"model": "words", "input": "a", "encoding_format": "hex"}), 400, "invalid_value", "encoding_format"),
        (json!({"model": "words", "input": "a", "dimensions": 9}), 400, "invalid_value", "dimensions"),
        (json!({"model": "words", "input": "a", "dimensions": 0}), 400, "invalid_value", "dimensions"),
        (json!({"model": "text-embedding-3-small", "input": "a"}), 404, "model_not_found", "model"),
    ];
    for (body, status, code, param) in cases {
        refused(&api.send(post("/v1/embeddings", body)).await, status, code, Some(param));
    }
    let many = vec![Value::from("a"); 2_049];
    let wide = api_with(Limits::default());
    refused(
        &wide.send(post("/v1/embeddings", json!({"model": "words", "input": many}))).await,
        400,
        "invalid_value",
        Some("input"),
    );
}
