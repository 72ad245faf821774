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
    http_fixture::{Reply, post, post_text, request, upload_to},
    http_live_fixture::{Live, live},
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

/// The ids of a file, of a vector store and of an upload that are there.
async fn things(live: &Live) -> [String; 3] {
    let fields = [("file", Some("a.txt"), b"a".as_slice()), ("purpose", None, b"assistants")];
    let new = json!({"filename": "a.txt", "bytes": 9, "mime_type": "text/plain", "purpose": "assistants"});
    let mut ids = Vec::new();
    for request in [upload_to("/v1/files", &fields), post("/v1/vector_stores", json!({})), post("/v1/uploads", new)] {
        ids.push(live.send(request).await.body["id"].as_str().unwrap().to_owned());
    }
    ids.try_into().unwrap()
}

/// A form whose parts may have known names and heads of any kind, and which may break off.
fn form() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        select(vec!["file", "purpose", "data", "expires_after[anchor]", "expires_after[seconds]"]).prop_map(str::to_owned),
        text()
    ];
    let file = prop_oneof![Just(None), text().prop_map(Some), Just(Some("a.txt".to_owned()))];
    let content = prop_oneof![
        collection::vec(any::<u8>(), 0..60),
        select(vec!["assistants", "created_at", "3600", "-1", "99999999999999999999"]).prop_map(|text| text.as_bytes().to_vec())
    ];
    let kind = prop_oneof![Just(None), text().prop_map(Some)];
    let part = (name, file, kind, content).prop_map(|(name, file, kind, content)| {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let kind = kind.map(|kind| format!("\r\ncontent-type: {kind}")).unwrap_or_default();
        let head = format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"{file}{kind}\r\n\r\n");
        [head.into_bytes(), content, b"\r\n".to_vec()].concat()
    });
    let end = select(vec!["--B--\r\n", "--B", "", "\r\n--B--"]);
    (collection::vec(part, 0..4), end).prop_map(|(parts, end)| [parts.concat(), end.as_bytes().to_vec()].concat())
}

#[tokio::test]
async fn no_form_makes_the_gateway_fail() {
    let live = live().await;
    let [_, _, upload] = things(&live).await;
    for form in drawn(form()) {
        for path in ["/v1/files".to_owned(), "/v1/documents".to_owned(), format!("/v1/uploads/{upload}/parts")] {
            let kind = "multipart/form-data; boundary=B";
            let body = Body::from(form.clone());
            let sent = request("POST", &path).header(header::CONTENT_TYPE, kind).body(body).unwrap();
            sound(&live.send(sent).await, &format!("{path}: {}", String::from_utf8_lossy(&form)));
        }
    }
}

#[tokio::test]
async fn no_query_string_makes_the_gateway_fail() {
    let live = live().await;
    let [file, store, _] = things(&live).await;
    let name = select(vec!["limit", "order", "after", "before", "purpose", "filter", "include", "include[]"]);
    let ids = [file.clone(), store.clone()].map(Just);
    let [file_id, store_id] = ids;
    let value = prop_oneof![
        text(),
        file_id,
        store_id,
        any::<i64>().prop_map(|n| n.to_string()),
        select(vec!["asc", "desc", "completed"]).prop_map(str::to_owned)
    ];
    for fields in drawn(collection::vec((name, value), 0..4)) {
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let query = query.join("&");
        for path in [
            "/v1/files".to_owned(),
            "/v1/vector_stores".to_owned(),
            format!("/v1/vector_stores/{store}/files"),
            format!("/v1/vector_stores/{store}/files/{file}/content"),
            format!("/v1/vector_stores/{store}/file_batches/vsfb_0198f2a4-9e24-7066-95e6-806f6e5d4c3a/files"),
        ] {
            let path = format!("{path}?{query}");
            sound(&live.send(request("GET", &path).body(Body::empty()).unwrap()).await, &path);
        }
    }
}

#[tokio::test]
async fn no_json_about_files_makes_the_gateway_fail() {
    let live = live().await;
    let [file, store, upload] = things(&live).await;
    let names = select(vec![
        "name",
        "file_id",
        "file_ids",
        "files",
        "attributes",
        "chunking_strategy",
        "expires_after",
        "metadata",
        "query",
        "filters",
        "max_num_results",
        "ranking_options",
        "rewrite_query",
        "bytes",
        "filename",
        "mime_type",
        "purpose",
        "part_ids",
        "md5",
        "stop",
        "input",
        "tools",
        "messages",
    ]);
    let values = prop_oneof![
        value(),
        Just(json!(file)),
        Just(json!([file])),
        Just(json!("assistants")),
        Just(json!({"anchor": "created_at", "seconds": 3_600})),
        Just(json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}})),
    ];
    for fields in drawn(collection::vec((names, values), 0..5)) {
        let body = Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        for path in [
            "/v1/vector_stores".to_owned(),
            format!("/v1/vector_stores/{store}"),
            format!("/v1/vector_stores/{store}/files"),
            format!("/v1/vector_stores/{store}/files/{file}"),
            format!("/v1/vector_stores/{store}/file_batches"),
            format!("/v1/vector_stores/{store}/search"),
            "/v1/uploads".to_owned(),
            format!("/v1/uploads/{upload}/complete"),
            "/v1/responses/input_tokens".to_owned(),
            "/v1/chat/completions".to_owned(),
        ] {
            sound(&live.send(post_text(&path, body.to_string())).await, &format!("{path}: {body}"));
        }
    }
}
