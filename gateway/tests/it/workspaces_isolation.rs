//! No cross-talk: whatever one workspace asks with the ids, names and questions of another, it learns and changes nothing. The cases
//! come from the description of the API, so a route that is added is tried too, or fails this test until it says how to try it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{body::Body, http::Request};
use bytes::Bytes;
use ragline_gateway::traits::cache::{Cache, CacheKey, Kept, Namespace};
use serde_json::{Value, json};

use crate::{
    http_fixture::{get, post, refused, request_as, upload, upload_to},
    http_live_fixture::{Live, live_with},
    workspaces_tenants::{Tenant, tenant, with_key},
};

/// A word that only one workspace's documents have; as a question it is the other's attempt.
const SECRET: &str = "xylophone";
/// Routes that need no key: the probes, the figures and the description.
const OPEN: usize = 4;
/// What is only in the stored text, in no question.
const STORED: &str = "harbour wall";

/// A cache that forgets nothing: what could be mixed up is.
#[derive(Debug, Default)]
struct Elephant {
    kept: Mutex<HashMap<(Namespace, CacheKey), Bytes>>,
}

#[async_trait]
impl Cache for Elephant {
    async fn load(&self, namespace: Namespace, key: &CacheKey) -> Option<Kept> {
        self.kept.lock().unwrap().get(&(namespace, key.clone())).cloned().map(Kept::from)
    }

    async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Kept>> {
        let kept = self.kept.lock().unwrap();
        keys.iter().map(|key| kept.get(&(namespace, key.clone())).cloned().map(Kept::from)).collect()
    }

    async fn store(&self, namespace: Namespace, key: &CacheKey, value: Bytes) {
        self.kept.lock().unwrap().insert((namespace, key.clone()), value);
    }

    async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>) {
        self.kept.lock().unwrap().extend(entries.into_iter().map(|(key, value)| ((namespace, key), value)));
    }

    async fn is_reachable(&self) -> bool {
        true
    }
}

/// The id of `owner` that a path's parameter names.
fn parameter(owner: &Tenant, path: &str) -> String {
    let id = match path {
        _ if path.starts_with("/v1/files/") => &owner.file,
        _ if path.starts_with("/v1/vector_stores/") => {
            return path
                .replace("{id}", &owner.vector_store)
                .replace("{file_id}", &owner.file)
                .replace("{batch_id}", &owner.batch);
        }
        _ if path.starts_with("/v1/documents/") => &owner.documents[0],
        _ if path.starts_with("/v1/jobs/") => &owner.jobs[0],
        _ if path.starts_with("/v1/responses/") => &owner.response,
        _ if path.starts_with("/v1/uploads/") => &owner.upload,
        _ if path.starts_with("/v1/keys/") => &owner.key_id,
        // Models are the pipeline's; a document's id is none.
        _ if path.starts_with("/v1/models/") => &owner.documents[0],
        _ if path.starts_with("/v1/workspaces/") => return path.replace("{name}", owner.name),
        _ => panic!("this test does not know whose id is in {path}: say so here"),
    };
    path.replace("{id}", id)
}

/// A body that would be taken by the route of the owner's thing.
fn body(owner: &Tenant, path: &str) -> Value {
    match path {
        "/v1/vector_stores/{id}" => json!({"name": "mine"}),
        "/v1/vector_stores/{id}/files" => json!({"file_id": owner.file}),
        "/v1/vector_stores/{id}/files/{file_id}" => json!({"attributes": {"mine": true}}),
        "/v1/vector_stores/{id}/file_batches" => json!({"file_ids": [owner.file]}),
        "/v1/vector_stores/{id}/search" => json!({"query": "a buoy"}),
        "/v1/uploads/{id}/complete" => json!({"part_ids": [owner.part]}),
        _ => panic!("this test does not know what {path} takes: say so here"),
    }
}

/// Requests to a route without ids that try to reach what `owner` has.
fn attempts(owner: &Tenant, method: &str, path: &str) -> Vec<Request<Body>> {
    let ask = |body: Value| post(path, body);
    let document = &owner.documents[0];
    match (method, path) {
        ("get", "/v1/documents") => vec![get(path), get(&format!("{path}?after={document}"))],
        ("post", "/v1/documents") => vec![upload(&[("file", Some("page-0.txt"), b"mine")])],
        ("post", "/v1/search") => vec![
            ask(json!({"query": SECRET})),
            ask(json!({"query": SECRET, "limit": 100, "filter": {"team": "same"}})),
            ask(json!({"query": document})),
        ],
        ("post", "/v1/answers") => vec![
            ask(json!({"question": SECRET})),
            ask(json!({"question": format!("Where is the {SECRET} hidden near the harbour?")})),
        ],
        ("get", "/v1/files") => vec![get(path), get(&format!("{path}?after={}", owner.file))],
        ("post", "/v1/files") => {
            vec![upload_to(path, &[("file", Some("stored.txt"), b"mine"), ("purpose", None, b"assistants")])]
        }
        ("get", "/v1/vector_stores") => vec![get(path), get(&format!("{path}?after={}", owner.vector_store))],
        ("post", "/v1/vector_stores") => vec![ask(json!({"file_ids": [owner.file]}))],
        ("post", "/v1/uploads") => {
            vec![ask(json!({"filename": "parts.txt", "bytes": 4, "mime_type": "text/plain", "purpose": "assistants"}))]
        }
        ("post", "/v1/responses/input_tokens") => {
            vec![ask(json!({"input": SECRET})), ask(json!({"input": "And what else?", "previous_response_id": owner.response}))]
        }
        ("post", "/v1/rerank" | "/v2/rerank") => vec![ask(json!({"query": SECRET, "documents": ["a"]}))],
        ("post", "/mcp") => {
            let call = |tool: &str, arguments: Value| {
                let params = json!({"name": tool, "arguments": arguments});
                ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
            };
            vec![
                call("search", json!({"query": SECRET, "limit": 100})),
                call("fetch", json!({"id": document})),
                call("ask", json!({"question": format!("Where is the {SECRET} hidden near the harbour?")})),
            ]
        }
        ("post", "/v1/documents/rechunk") => vec![ask(json!({}))],
        ("post", "/v1/embeddings") => vec![ask(json!({"model": "words", "input": SECRET}))],
        ("get", "/v1/models") => vec![get(path)],
        ("post", "/v1/chat/completions") => {
            let chat = |question: &str| json!({"model": "ragline", "messages": [{"role": "user", "content": question}]});
            let mut streamed = chat(&format!("Where is the {SECRET} hidden near the harbour?"));
            streamed["stream"] = true.into();
            vec![ask(chat(SECRET)), ask(streamed)]
        }
        ("post", "/v1/responses") => vec![
            ask(json!({"input": SECRET})),
            ask(json!({"input": format!("Where is the {SECRET} hidden near the harbour?"), "stream": true})),
            ask(json!({"input": "And what else?", "previous_response_id": owner.response})),
        ],
        _ => panic!("this test does not know how to try {method} {path}: say so here"),
    }
}

/// Tries every route as `intruder` with what `owner` has.
async fn intrude(live: &Live, description: &Value, owner: &Tenant, intruder: &Tenant) -> usize {
    let mut tried = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(scope) = operation["security"][0]["bearer"][0].as_str() else { continue };
            tried += 1;
            if scope == "admin" {
                let request = request_as(&intruder.key, &method.to_uppercase(), &parameter_if_any(owner, path));
                refused(&live.send(request.body(Body::empty()).unwrap()).await, 403, "admin_required", None);
                continue;
            }
            if path.contains('{') {
                let target = parameter(owner, path);
                let request = match operation.get("requestBody") {
                    None => request_as(&intruder.key, &method.to_uppercase(), &target).body(Body::empty()).unwrap(),
                    Some(about) if about["content"].get("multipart/form-data").is_some() => {
                        with_key(&intruder.key, upload_to(&target, &[("data", Some("blob"), b"mine")]))
                    }
                    Some(_) => with_key(&intruder.key, post(&target, body(owner, path))),
                };
                let reply = live.send(request).await;
                assert_eq!(reply.status, 404, "{method} {path}: {}", reply.body);
                continue;
            }
            for request in attempts(owner, method, path) {
                let reply = live.send(with_key(&intruder.key, request)).await;
                // A refusal may repeat the id that was sent.
                let said = if reply.status == 404 { String::new() } else { reply.body.to_string() };
                for word in owner.documents.iter().chain(&owner.jobs).chain([
                    &owner.file,
                    &owner.vector_store,
                    &owner.batch,
                    &owner.upload,
                    &owner.part,
                ]) {
                    assert!(!said.contains(word), "{method} {path} told of {word}: {said}");
                }
                // What was asked may come back; what was stored may not.
                assert!(!said.contains(STORED), "{method} {path} told of a passage: {said}");
            }
        }
    }
    tried
}

fn parameter_if_any(owner: &Tenant, path: &str) -> String {
    if path.contains('{') { parameter(owner, path) } else { path.to_owned() }
}

/// Ids and sources of what a tenant's own key finds.
async fn holds(live: &Live, tenant: &Tenant) -> Vec<(String, String)> {
    let list = live.send(with_key(&tenant.key, get("/v1/documents?limit=100"))).await.body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list["data"].as_array().unwrap().iter().map(|one| (text(&one["id"]), text(&one["source"]))).collect()
}

#[tokio::test]
async fn no_route_tells_or_changes_anything_of_another_workspace() {
    let live = live_with(Arc::new(Elephant::default())).await;
    live.work();
    // Same names, and texts of which one is the very same: equal hashes, equal vectors, equal questions.
    let common = "the lighthouse stands on the northern cliff".to_owned();
    let ours = tenant(&live, "ours", &[format!("the {SECRET} is hidden near the harbour wall"), common.clone()]).await;
    let theirs = tenant(&live, "theirs", &["a bakery opens at six".to_owned(), common]).await;
    let before = holds(&live, &ours).await;
    // Ours first, so that every answer is in the cache when they ask the same.
    for (method, path) in [("post", "/v1/search"), ("post", "/v1/answers")] {
        let mut told = String::new();
        for request in attempts(&ours, method, path) {
            told.push_str(&live.send(with_key(&ours.key, request)).await.body.to_string());
        }
        assert!(told.contains(STORED), "the owner does not find it: the test would prove nothing: {told}");
    }
    let description = live.send(get("/openapi.json")).await.body;
    let tried = intrude(&live, &description, &ours, &theirs).await;
    let operations = description["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len());
    assert_eq!(tried, operations.sum::<usize>() - OPEN, "a route that takes a key was not tried");
    assert_eq!(holds(&live, &ours).await, before);
    let job = live.send(with_key(&ours.key, get(&format!("/v1/jobs/{}", ours.jobs[0])))).await.body;
    assert_eq!(job["status"], "completed");
    let found = live
        .send(with_key(&ours.key, post("/v1/search", json!({"query": format!("{SECRET} near the {STORED}"), "limit": 1}))))
        .await
        .body;
    assert_eq!(found["data"][0]["source"]["document_id"], ours.documents[0].as_str());
    // The same text in both is found by each under its own document.
    for tenant in [&ours, &theirs] {
        let body = json!({"query": "lighthouse on the northern cliff", "limit": 1});
        let found = live.send(with_key(&tenant.key, post("/v1/search", body))).await.body;
        assert_eq!(found["data"][0]["source"]["document_id"], tenant.documents[1].as_str(), "{}", tenant.name);
    }
}

/// Requests of `intruder` that name what `owner` has beside the path or behind an id of their own, and how each is refused.
fn named_elsewhere(owner: &Tenant, intruder: &Tenant) -> Vec<(Request<Body>, u16, &'static str)> {
    let (store, upload) = (&intruder.vector_store, &intruder.upload);
    let in_store = |rest: &str| format!("/v1/vector_stores/{store}/{rest}");
    let tool = json!([{"type": "file_search", "vector_store_ids": [owner.vector_store]}]);
    let message = json!({"role": "user", "content": SECRET});
    let retrieval = json!({"vector_store_ids": [owner.vector_store]});
    let mut requests = vec![
        (post("/v1/vector_stores", json!({"file_ids": [owner.file]})), 404, "file_not_found"),
        (post(&in_store("files"), json!({"file_id": owner.file})), 404, "file_not_found"),
        (post(&in_store("file_batches"), json!({"file_ids": [owner.file]})), 404, "file_not_found"),
        (get(&in_store(&format!("files/{}", owner.file))), 404, "file_not_found"),
        (get(&in_store(&format!("files/{}/content", owner.file))), 404, "file_not_found"),
        (get(&in_store(&format!("file_batches/{}", owner.batch))), 404, "file_batch_not_found"),
        (get(&in_store(&format!("file_batches/{}/files", owner.batch))), 404, "file_batch_not_found"),
        (post(&format!("/v1/uploads/{upload}/complete"), json!({"part_ids": [owner.part]})), 400, "invalid_value"),
        (
            post("/v1/chat/completions", json!({"model": "ragline", "messages": [message], "retrieval": retrieval})),
            404,
            "vector_store_not_found",
        ),
        (
            upload_to(&format!("/v1/documents?job={}", owner.jobs[0]), &[("file", Some("page-0.txt"), b"mine")]),
            404,
            "job_not_found",
        ),
    ];
    for path in ["/v1/responses", "/v1/responses/input_tokens"] {
        let previous = json!({"input": "And?", "previous_response_id": owner.response});
        requests.push((post(path, previous), 400, "previous_response_not_found"));
        requests.push((post(path, json!({"input": SECRET, "tools": tool})), 404, "vector_store_not_found"));
    }
    requests
}

#[tokio::test]
async fn an_id_of_another_workspace_is_unknown_wherever_it_is_named() {
    let live = live_with(Arc::new(Elephant::default())).await;
    live.work();
    let texts = [format!("the {SECRET} is hidden near the harbour wall")];
    let (ours, theirs) = (tenant(&live, "ours", &texts).await, tenant(&live, "theirs", &texts).await);
    for (request, status, code) in named_elsewhere(&ours, &theirs) {
        let target = request.uri().clone();
        let reply = live.send(with_key(&theirs.key, request)).await;
        let found = (reply.status.as_u16(), reply.body["error"]["code"].as_str());
        assert_eq!(found, (status, Some(code)), "{target}: {}", reply.body);
    }
    // To the owner they are what they are.
    for (request, _, code) in named_elsewhere(&ours, &ours).into_iter().filter(|(_, _, code)| *code != "invalid_value") {
        let target = request.uri().clone();
        let reply = live.send(with_key(&ours.key, request)).await;
        assert!(reply.status.is_success(), "{target}, otherwise {code}: {}", reply.body);
    }
}

#[tokio::test]
async fn what_one_workspace_deletes_the_other_keeps() {
    let live = live_with(Arc::new(Elephant::default())).await;
    live.work();
    let texts = [format!("the {SECRET} is hidden near the harbour wall"), "the lighthouse stands".to_owned()];
    let ours = tenant(&live, "ours", &texts).await;
    let theirs = tenant(&live, "theirs", &texts).await;
    let before = holds(&live, &ours).await;
    for (document, _) in holds(&live, &theirs).await {
        let request = request_as(&theirs.key, "DELETE", &format!("/v1/documents/{document}"));
        assert_eq!(live.send(request.body(Body::empty()).unwrap()).await.status, 200);
    }
    assert_eq!(holds(&live, &theirs).await, []);
    assert_eq!(holds(&live, &ours).await, before);
    let request = crate::http_fixture::request("DELETE", "/v1/workspaces/theirs").body(Body::empty()).unwrap();
    assert_eq!(live.send(request).await.status, 202);
    crate::workspaces_http::erased(&live).await;
    let found =
        live.send(with_key(&ours.key, post("/v1/search", json!({"query": format!("{SECRET} near the {STORED}")})))).await.body;
    assert_eq!(found["data"][0]["source"]["document_id"], ours.documents[0].as_str());
    assert_eq!(holds(&live, &ours).await, before);
}
