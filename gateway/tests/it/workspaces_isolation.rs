//! No cross-talk: whatever one workspace asks with the ids, names and questions of another, it learns and changes nothing. The cases
//! come from the description of the API, so a route that is added is tried too, or fails this test until it says how to try it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use bytes::Bytes;
use ragline_gateway::traits::cache::{Cache, CacheKey, Kept, Namespace};
use serde_json::{Value, json};

use crate::{
    http_fixture::{Field, get, post, refused, request_as, upload, upload_to},
    http_live_fixture::{Live, live_with},
};

/// A word that only one workspace's documents have; as a question it is the other's attempt.
const SECRET: &str = "xylophone";
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

/// A workspace with its documents.
struct Tenant {
    name: &'static str,
    key: String,
    key_id: String,
    documents: Vec<String>,
    jobs: Vec<String>,
    file: String,
    vector_store: String,
    batch: String,
    response: String,
    upload: String,
}

/// As `request`, but with another key.
fn with_key(key: &str, mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}")).unwrap());
    request
}

async fn tenant(live: &Live, name: &'static str, texts: &[String]) -> Tenant {
    assert_eq!(live.send(post("/v1/workspaces", json!({"name": name}))).await.status, 201);
    let made = live.send(post(&format!("/v1/workspaces/{name}/keys"), json!({"name": "k", "scope": "write"}))).await.body;
    let key = made["key"].as_str().unwrap().to_owned();
    let (mut documents, mut jobs) = (Vec::new(), Vec::new());
    for (number, text) in texts.iter().enumerate() {
        let source = format!("page-{number}.txt");
        let fields: [Field<'_>; 2] = [("file", Some(&source), text.as_bytes()), ("metadata", None, b"{\"team\": \"same\"}")];
        let reply = live.send(with_key(&key, upload(&fields))).await;
        let id = reply.body["job"]["id"].as_str().unwrap().to_owned();
        let job = ended(live, &key, &id).await;
        documents.push(job["files"][0]["document_id"].as_str().unwrap().to_owned());
        jobs.push(id);
    }
    let (file, vector_store, batch) = vector_store(live, &key).await;
    let asked = live.send(with_key(&key, post("/v1/responses", json!({"input": "Where is the harbour wall?"})))).await;
    let response = asked.body["id"].as_str().unwrap().to_owned();
    let upload = upload_in_parts(live, &key).await;
    let key_id = made["id"].as_str().unwrap().to_owned();
    Tenant { name, key, key_id, documents, jobs, file, vector_store, batch, response, upload }
}

/// An upload with a part.
async fn upload_in_parts(live: &Live, key: &str) -> String {
    let body = json!({"filename": "parts.txt", "bytes": 4, "mime_type": "text/plain", "purpose": "assistants"});
    let made = live.send(with_key(key, post("/v1/uploads", body))).await.body;
    let upload = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let part = upload_to(&format!("/v1/uploads/{upload}/parts"), &[("data", Some("blob"), b"mine")]);
    assert_eq!(live.send(with_key(key, part)).await.status, 200);
    upload
}

/// A vector store with a file that can be searched: the ids of the file, the store and the batch.
async fn vector_store(live: &Live, key: &str) -> (String, String, String) {
    let made = |body: Value| body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    let fields: [Field<'_>; 2] = [("file", Some("stored.txt"), b"a buoy marks the channel"), ("purpose", None, b"assistants")];
    let file = made(live.send(with_key(key, upload_to("/v1/files", &fields))).await.body);
    let store = made(live.send(with_key(key, post("/v1/vector_stores", json!({})))).await.body);
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let batch = made(live.send(with_key(key, post(&path, json!({"file_ids": [file]})))).await.body);
    let wait = async {
        while live.send(with_key(key, get(&format!("{path}/{batch}")))).await.body["status"] != "completed" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("the batch did not end");
    (file, store, batch)
}

async fn ended(live: &Live, key: &str, job: &str) -> Value {
    let path = format!("/v1/jobs/{job}");
    let wait = async {
        loop {
            let job = live.send(with_key(key, get(&path))).await.body;
            if job["status"] == "completed" {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("the job did not end")
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
        "/v1/uploads/{id}/complete" => json!({"part_ids": ["part_0198f2a4-c157-7399-8819-b392807f6e5d"]}),
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
    assert!(tried >= 17, "only {tried} routes were tried");
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
