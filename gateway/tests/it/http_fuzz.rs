//! Bodies that nobody meant: whatever comes, the answer is an envelope and never 500.

use axum::{body::Body, http::header};
use proptest::{
    collection,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Map, Value, json};

use crate::{
    http_fixture::{Reply, post_text, request},
    http_live_fixture::live,
};

const CASES: usize = 150;

/// Values out of a strategy, the same in every run.
fn drawn<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("\u{0}".to_owned()),
        Just("\u{fffe}'; DROP TABLE chunk; --".to_owned()),
        Just(String::new())
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::vec((text(), inner), 0..6).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// An object with known fields and any values.
fn body() -> impl Strategy<Value = Value> {
    let name =
        select(vec!["query", "question", "limit", "filter", "threshold", "mode", "input", "model", "temperature", "dimensions"]);
    collection::vec((name, value()), 0..5)
        .prop_map(|fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
}

fn sound(reply: &Reply, about: &str) {
    let status = reply.status.as_u16();
    assert!(status < 500 && (status < 400 || reply.body["error"]["code"].is_string()), "{status} {} for {about}", reply.body);
}

#[tokio::test]
async fn no_json_makes_the_gateway_fail() {
    let live = live().await;
    for body in drawn(body()) {
        for path in ["/v1/search", "/v1/answers", "/v1/embeddings"] {
            sound(&live.send(post_text(path, body.to_string())).await, &body.to_string());
        }
    }
    for filter in drawn(collection::vec((text(), value()), 0..4)) {
        let body = json!({"query": "a", "filter": Value::Object(Map::from_iter(filter))});
        sound(&live.send(post_text("/v1/search", body.to_string())).await, &body.to_string());
    }
    for body in [
        "{\"query\": \"\\ud800\"}",
        "{\"query\": 1e999}",
        "{\"filter\": {\"a\": 1e308}, \"query\": \"a\"}",
        "\u{feff}{}",
        "{\"a\"",
    ] {
        sound(&live.send(post_text("/v1/search", body)).await, body);
    }
    let deep = format!("{{\"query\": \"a\", \"filter\": {}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    sound(&live.send(post_text("/v1/search", deep)).await, "deep");
}

#[tokio::test]
async fn no_bytes_make_the_gateway_fail() {
    let live = live().await;
    for bytes in drawn(collection::vec(any::<u8>(), 0..300)) {
        let about = format!("{bytes:?}");
        sound(&live.send(post_text("/v1/search", bytes.clone())).await, &about);
        let kind = "multipart/form-data; boundary=B";
        let head = b"--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_vec();
        let body = [head, bytes].concat();
        let upload = request("POST", "/v1/documents").header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap();
        sound(&live.send(upload).await, &about);
    }
}

#[tokio::test]
async fn no_path_makes_the_gateway_fail() {
    let live = live().await;
    for text in drawn(text()) {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [format!("/v1/documents/{encoded}"), format!("/v1/jobs/{encoded}"), format!("/v1/documents?after={encoded}")]
        {
            sound(&live.send(request("GET", &path).body(Body::empty()).unwrap()).await, &path);
        }
    }
}
