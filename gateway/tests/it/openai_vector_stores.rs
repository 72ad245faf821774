//! Files and vector stores in OpenAI's shape, on a real PostgreSQL with a worker.

use std::time::Duration;

use axum::{body::Body, http::Request};
use ragline_gateway::traits::ingest::JobStore;
use serde_json::{Value, json};

use crate::{
    http_fixture::{Field, Reply, get, post, refused, request, upload_to},
    http_live_fixture::{Live, live},
};

pub(crate) const LIGHTHOUSE: &str = "The lighthouse stands on the northern cliff and shines at night.";
pub(crate) const BAKERY: &str = "The bakery opens at six and sells bread.";

fn file<'a>(name: &'a str, text: &'a str) -> [Field<'a>; 2] {
    [("file", Some(name), text.as_bytes()), ("purpose", None, b"assistants")]
}

pub(crate) fn delete(path: &str) -> Request<Body> {
    request("DELETE", path).body(Body::empty()).unwrap()
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

pub(crate) async fn ok(live: &Live, request: Request<Body>) -> Value {
    let reply = live.send(request).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

pub(crate) async fn kept(live: &Live, name: &str, text: &str) -> String {
    id(&ok(live, upload_to("/v1/files", &file(name, text))).await)
}

async fn store(live: &Live, body: Value) -> String {
    id(&ok(live, post("/v1/vector_stores", body)).await)
}

/// Puts a file in and waits until it has ended.
async fn put(live: &Live, store: &str, file: &str, more: Value) -> Value {
    let mut body = json!({"file_id": file});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let path = format!("/v1/vector_stores/{store}/files");
    ok(live, post(&path, body)).await;
    live.until(&format!("{path}/{file}"), |file| file["status"] != "in_progress").await
}

async fn search(live: &Live, store: &str, body: Value) -> Reply {
    live.send(post(&format!("/v1/vector_stores/{store}/search"), body)).await
}

/// Names of the files that a store finds for a question.
async fn found(live: &Live, store: &str, body: Value) -> Vec<String> {
    let reply = search(live, store, body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["data"].as_array().unwrap().iter().map(|one| one["filename"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_vector_store_finds_its_own_files_alone() {
    let live = live().await;
    live.work();
    let (lighthouse, bakery) = (kept(&live, "coast.txt", LIGHTHOUSE).await, kept(&live, "town.txt", BAKERY).await);
    let (coast, town) = (store(&live, json!({"name": "coast"})).await, store(&live, json!({"name": "town"})).await);
    let ended = put(&live, &coast, &lighthouse, json!({"attributes": {"region": "north", "height": 30}})).await;
    assert_eq!(
        (&ended["status"], &ended["last_error"], &ended["attributes"]["height"]),
        (&json!("completed"), &Value::Null, &json!(30))
    );
    assert_eq!(ended["chunking_strategy"]["static"]["max_chunk_size_tokens"], 64);
    put(&live, &town, &bakery, json!({})).await;
    let ask = |text: &str| json!({"query": text});
    assert_eq!(found(&live, &coast, ask("where does the lighthouse stand")).await, ["coast.txt"]);
    assert_eq!(found(&live, &town, ask("where does the lighthouse stand")).await, ["town.txt"]);
    let reply = search(&live, &coast, json!({"query": ["lighthouse cliff", "shines at night"], "max_num_results": 3})).await;
    let one = &reply.body["data"][0];
    assert_eq!((&one["file_id"], &one["content"][0]["text"]), (&json!(lighthouse), &json!(LIGHTHOUSE)));
    assert!(one["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)), "{one}");
    assert_eq!(reply.body["search_query"], json!(["lighthouse cliff", "shines at night"]));
    // The workspace as a whole has both.
    let whole = ok(&live, post("/v1/search", json!({"query": "lighthouse"}))).await;
    assert_eq!(whole["data"].as_array().unwrap().len(), 2);
    let shown = ok(&live, get(&format!("/v1/vector_stores/{coast}"))).await;
    assert_eq!(
        (&shown["status"], &shown["usage_bytes"], &shown["file_counts"]["total"]),
        (&json!("completed"), &json!(LIGHTHOUSE.len()), &json!(1))
    );
}

#[tokio::test]
async fn attributes_filter_and_can_be_changed() {
    let live = live().await;
    live.work();
    let vector_store = store(&live, json!({})).await;
    let file = kept(&live, "coast.txt", LIGHTHOUSE).await;
    put(&live, &vector_store, &file, json!({"attributes": {"year": 2024}})).await;
    let since = |year: u32| json!({"query": "lighthouse", "filters": {"type": "gte", "key": "year", "value": year}});
    assert_eq!(found(&live, &vector_store, since(2025)).await, [] as [&str; 0]);
    let path = format!("/v1/vector_stores/{vector_store}/files/{file}");
    let changed = ok(&live, post(&path, json!({"attributes": {"year": 2026}}))).await;
    assert_eq!(changed["attributes"], json!({"year": 2026}));
    assert_eq!(found(&live, &vector_store, since(2025)).await, ["coast.txt"]);
    let named = json!({"query": "lighthouse", "filters": {"type": "eq", "key": "filename", "value": "coast.txt"}});
    assert_eq!(found(&live, &vector_store, named).await, ["coast.txt"]);
    refused(&live.send(post(&path, json!({"attributes": {"list": [1]}}))).await, 400, "invalid_value", Some("attributes"));
}

#[tokio::test]
async fn a_document_of_a_file_is_called_as_the_file_everywhere() {
    let live = live().await;
    let vector_store = store(&live, json!({})).await;
    let file = kept(&live, "coast.txt", LIGHTHOUSE).await;
    live.work();
    put(&live, &vector_store, &file, json!({})).await;
    let listed = ok(&live, get("/v1/documents")).await;
    let document = id(&listed["data"][0]);
    assert_eq!(listed["data"][0]["source"], "coast.txt");
    assert_eq!(ok(&live, get(&format!("/v1/documents/{document}"))).await["source"], "coast.txt");
    let job: uuid::Uuid = sqlx::query_scalar("SELECT id FROM job").fetch_one(&live.database.owner()).await.unwrap();
    let job = format!("/v1/jobs/job_{job}");
    assert_eq!(ok(&live, get(&job)).await["files"][0]["source"], "coast.txt");
    assert_eq!(ok(&live, get(&format!("{job}?after=0"))).await["files"][0]["source"], "coast.txt");
    let filter = json!({"type": "eq", "key": "source", "value": "coast.txt"});
    let passages = ok(&live, post("/v1/search", json!({"query": "lighthouse", "filter": filter}))).await;
    assert_eq!(passages["data"][0]["source"]["filename"], "coast.txt");
    assert_eq!(found(&live, &vector_store, json!({"query": "lighthouse", "filters": filter})).await, ["coast.txt"]);
    let call = |tool: &str, arguments: Value| {
        post("/mcp", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}))
    };
    let fetched = ok(&live, call("fetch", json!({"id": document}))).await;
    let fetched = &fetched["result"]["structuredContent"];
    assert_eq!((&fetched["title"], &fetched["metadata"]["source"]), (&json!("coast.txt"), &json!("coast.txt")));
    let searched = ok(&live, call("search", json!({"query": "lighthouse"}))).await;
    assert_eq!(searched["result"]["structuredContent"]["results"][0]["title"], "coast.txt");
    let answer = ok(&live, post("/v1/answers", json!({"question": "Where does the lighthouse stand?"}))).await;
    assert!(!answer.to_string().contains(&file), "{answer}");
}

#[tokio::test]
async fn a_file_is_cut_as_the_caller_asks() {
    let live = live().await;
    live.work();
    let text = (0..300).map(|n| format!("Number {n} is a word.")).collect::<Vec<_>>().join(" ");
    let file = kept(&live, "numbers.txt", &text).await;
    let sizes = |max: u32, overlap: u32| json!({"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": max, "chunk_overlap_tokens": overlap}}});
    let mut counts = Vec::new();
    for (max, overlap) in [(100, 0), (100, 50), (400, 0)] {
        let vector_store = store(&live, json!({})).await;
        let ended = put(&live, &vector_store, &file, sizes(max, overlap)).await;
        assert_eq!(ended["chunking_strategy"], sizes(max, overlap)["chunking_strategy"]);
        let content = ok(&live, get(&format!("/v1/vector_stores/{vector_store}/files/{file}/content"))).await;
        counts.push(content["data"].as_array().unwrap().len());
    }
    assert!(counts[1] * 10 >= counts[0] * 15 && counts[2] * 3 <= counts[0], "{counts:?}");
    let wrong = sizes(100, 51);
    let vector_store = store(&live, json!({})).await;
    let mut body = json!({"file_id": file});
    body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
    let reply = live.send(post(&format!("/v1/vector_stores/{vector_store}/files"), body)).await;
    refused(&reply, 400, "invalid_value", Some("chunking_strategy"));
}

#[tokio::test]
async fn a_batch_tells_how_its_files_stand() {
    let live = live().await;
    let files =
        [kept(&live, "a.txt", LIGHTHOUSE).await, kept(&live, "b.txt", BAKERY).await, kept(&live, "c.pdf", "no pdf").await];
    let vector_store = store(&live, json!({})).await;
    let path = format!("/v1/vector_stores/{vector_store}/file_batches");
    let reply = live.send(post(&path, json!({"file_ids": files}))).await;
    assert_eq!((reply.status.as_u16(), &reply.body["status"]), (200, &json!("in_progress")), "{}", reply.body);
    assert!(reply.headers.contains_key("openai-poll-after-ms"));
    let batch = id(&reply.body);
    live.work();
    let ended = live.until(&format!("{path}/{batch}"), |batch| batch["status"] != "in_progress").await;
    assert_eq!(
        (&ended["status"], &ended["file_counts"]["completed"], &ended["file_counts"]["failed"]),
        (&json!("completed"), &json!(2), &json!(1))
    );
    let failed = ok(&live, get(&format!("{path}/{batch}/files?filter=failed"))).await;
    assert_eq!(failed["data"][0]["id"], files[2].as_str());
    let all = ok(&live, get(&format!("/v1/vector_stores/{vector_store}/files?order=asc&limit=2"))).await;
    let last = all["last_id"].as_str().unwrap();
    let rest = ok(&live, get(&format!("/v1/vector_stores/{vector_store}/files?order=asc&after={last}"))).await;
    assert_eq!((all["has_more"].as_bool(), rest["data"].as_array().unwrap().len()), (Some(true), 1));
    let third = rest["first_id"].as_str().unwrap();
    let before = ok(&live, get(&format!("/v1/vector_stores/{vector_store}/files?order=asc&limit=1&before={third}"))).await;
    assert_eq!(before["data"][0]["id"], last);
}

#[tokio::test]
async fn a_file_that_fails_says_whose_fault_it_is() {
    let live = live().await;
    let vector_store = store(&live, json!({})).await;
    let fails = async |file: &str| {
        let error = put(&live, &vector_store, file, json!({})).await["last_error"].clone();
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    };
    // One whose worker dies each time is given up by the queue itself.
    let (poison, pdf, gif) =
        (kept(&live, "a.txt", LIGHTHOUSE).await, kept(&live, "b.pdf", "no pdf").await, kept(&live, "c.gif", "GIF89a").await);
    ok(&live, post(&format!("/v1/vector_stores/{vector_store}/files"), json!({"file_id": poison}))).await;
    assert!(live.store.claim(Duration::ZERO, 1).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(live.store.claim(Duration::ZERO, 1).await.unwrap().is_none());
    let path = format!("/v1/vector_stores/{vector_store}/files/{poison}");
    assert_eq!(ok(&live, get(&path)).await["last_error"]["code"], "server_error");
    live.work();
    for (file, code, why) in [(&pdf, "invalid_file", "the PDF is broken"), (&gif, "unsupported_file", "GIF image files")] {
        let (found, message) = fails(file).await;
        assert!(found == code && message.contains(why), "{found}: {message}");
    }
    let again = put(&live, &vector_store, &poison, json!({})).await;
    assert_eq!((&again["status"], &again["last_error"]), (&json!("completed"), &Value::Null));
}

#[tokio::test]
async fn a_cancelled_batch_leaves_what_waits() {
    let live = live().await;
    let files = [kept(&live, "a.txt", LIGHTHOUSE).await, kept(&live, "b.txt", BAKERY).await];
    let vector_store = store(&live, json!({"file_ids": files})).await;
    let batch = id(&ok(&live, post(&format!("/v1/vector_stores/{vector_store}/file_batches"), json!({"file_ids": files}))).await);
    let path = format!("/v1/vector_stores/{vector_store}/file_batches/{batch}");
    let cancelled = ok(&live, post(&format!("{path}/cancel"), json!({}))).await;
    assert_eq!((&cancelled["status"], &cancelled["file_counts"]["cancelled"]), (&json!("cancelled"), &json!(2)));
}

#[tokio::test]
async fn what_is_deleted_is_found_no_more_and_only_that() {
    let live = live().await;
    live.work();
    let file = kept(&live, "coast.txt", LIGHTHOUSE).await;
    let (one, two) = (store(&live, json!({"file_ids": [file]})).await, store(&live, json!({})).await);
    put(&live, &two, &file, json!({})).await;
    live.until(&format!("/v1/vector_stores/{one}"), |store| store["status"] == "completed").await;
    let ask = json!({"query": "lighthouse"});
    let gone = ok(&live, delete(&format!("/v1/vector_stores/{one}/files/{file}"))).await;
    assert_eq!(gone, json!({"id": file, "object": "vector_store.file.deleted", "deleted": true}));
    assert_eq!(found(&live, &one, ask.clone()).await, [] as [&str; 0]);
    assert_eq!(found(&live, &two, ask.clone()).await, ["coast.txt"]);
    put(&live, &one, &file, json!({})).await;
    assert_eq!(found(&live, &one, ask.clone()).await, ["coast.txt"]);
    let deleted = ok(&live, delete(&format!("/v1/vector_stores/{one}"))).await;
    assert_eq!(deleted, json!({"id": one, "object": "vector_store.deleted", "deleted": true}));
    refused(&search(&live, &one, ask.clone()).await, 404, "vector_store_not_found", Some("id"));
    assert_eq!(found(&live, &two, ask.clone()).await, ["coast.txt"]);
    ok(&live, delete(&format!("/v1/files/{file}"))).await;
    assert_eq!(found(&live, &two, ask).await, [] as [&str; 0]);
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM blob) + (SELECT count(*) FROM document) + (SELECT count(*) FROM vector_store_file)",
    )
    .fetch_one(&live.database.owner())
    .await
    .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_store_past_its_time_is_closed_and_says_so() {
    let live = live().await;
    live.work();
    let file = kept(&live, "coast.txt", LIGHTHOUSE).await;
    let vector_store = store(&live, json!({"expires_after": {"anchor": "last_active_at", "days": 1}})).await;
    put(&live, &vector_store, &file, json!({})).await;
    sqlx::query("UPDATE vector_store SET last_active_at = now() - interval '2 days'")
        .execute(&live.database.owner())
        .await
        .unwrap();
    let shown = ok(&live, get(&format!("/v1/vector_stores/{vector_store}"))).await;
    assert_eq!(shown["status"], "expired");
    refused(
        &search(&live, &vector_store, json!({"query": "lighthouse"})).await,
        400,
        "vector_store_expired",
        Some("vector_store_id"),
    );
    let reply = live.send(post(&format!("/v1/vector_stores/{vector_store}/files"), json!({"file_id": file}))).await;
    refused(&reply, 400, "vector_store_expired", Some("vector_store_id"));
}

#[tokio::test]
async fn a_wrong_request_names_what_is_wrong() {
    let live = live().await;
    let unknown = "file-00000000-0000-7000-8000-000000000000";
    let vector_store = store(&live, json!({})).await;
    let path = format!("/v1/vector_stores/{vector_store}");
    let cases = [
        (post(&format!("{path}/files"), json!({"file_id": unknown})), 404, "file_not_found", Some("file_id")),
        (post("/v1/vector_stores", json!({"file_ids": [unknown]})), 404, "file_not_found", Some("file_id")),
        (post(&format!("{path}/files"), json!({"file_id": "nonsense"})), 400, "invalid_value", Some("file_id")),
        (post(&format!("{path}/file_batches"), json!({})), 400, "invalid_value", Some("file_ids")),
        (
            post(&format!("{path}/search"), json!({"query": "a", "max_num_results": 51})),
            400,
            "invalid_value",
            Some("max_num_results"),
        ),
        (
            post(&format!("{path}/search"), json!({"query": "a", "ranking_options": {"score_threshold": 2}})),
            400,
            "invalid_value",
            Some("ranking_options.score_threshold"),
        ),
        (
            post("/v1/vector_stores", json!({"expires_after": {"anchor": "last_active_at", "days": 0}})),
            400,
            "invalid_value",
            Some("expires_after.days"),
        ),
        (post("/v1/vector_stores", json!({"metadata": {"n": 1}})), 400, "invalid_value", Some("metadata")),
        (get("/v1/vector_stores?after=file-x"), 400, "invalid_value", Some("after")),
        (get(&format!("{path}/files/{unknown}")), 404, "file_not_found", Some("id")),
        (get("/v1/vector_stores/vs_x/files"), 404, "vector_store_not_found", Some("id")),
    ];
    for (request, status, code, param) in cases {
        refused(&live.send(request).await, status, code, param);
    }
    // None of the refused ones is left over.
    assert_eq!(ok(&live, get("/v1/vector_stores")).await["data"].as_array().unwrap().len(), 1);
    let renamed = ok(&live, post(&path, json!({"name": "new", "metadata": {"a": "b"}}))).await;
    assert_eq!((&renamed["name"], &renamed["metadata"]), (&json!("new"), &json!({"a": "b"})));
}
