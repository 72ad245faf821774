//! Workspaces with one of everything that has an id.

use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use serde_json::{Value, json};

use crate::{
    http_fixture::{Field, get, post, upload, upload_to},
    http_live_fixture::Live,
};

/// A workspace with its documents.
pub(crate) struct Tenant {
    pub(crate) name: &'static str,
    pub(crate) key: String,
    pub(crate) key_id: String,
    pub(crate) documents: Vec<String>,
    pub(crate) jobs: Vec<String>,
    pub(crate) file: String,
    pub(crate) vector_store: String,
    pub(crate) batch: String,
    pub(crate) response: String,
    pub(crate) upload: String,
    /// Of the upload.
    pub(crate) part: String,
}

/// As `request`, but with another key.
pub(crate) fn with_key(key: &str, mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}")).unwrap());
    request
}

pub(crate) async fn tenant(live: &Live, name: &'static str, texts: &[String]) -> Tenant {
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
    let (upload, part) = upload_in_parts(live, &key).await;
    let key_id = made["id"].as_str().unwrap().to_owned();
    Tenant { name, key, key_id, documents, jobs, file, vector_store, batch, response, upload, part }
}

/// An upload with a part: the ids of both.
async fn upload_in_parts(live: &Live, key: &str) -> (String, String) {
    let body = json!({"filename": "parts.txt", "bytes": 4, "mime_type": "text/plain", "purpose": "assistants"});
    let made = live.send(with_key(key, post("/v1/uploads", body))).await.body;
    let upload = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let part = upload_to(&format!("/v1/uploads/{upload}/parts"), &[("data", Some("blob"), b"mine")]);
    let part = live.send(with_key(key, part)).await.body;
    let part = part["id"].as_str().unwrap_or_else(|| panic!("{part}")).to_owned();
    (upload, part)
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
