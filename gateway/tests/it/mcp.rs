//! The Model Context Protocol as its own client speaks it, and what strangers get.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use ragline_gateway::http::serve::serve;
use rmcp::{
    RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, ClientConfig},
    service::RunningService,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    http_fakes::{FIRST_KEY, READING_KEY},
    http_fixture::{api, post, post_text, refused, request, request_as},
    http_live_fixture::live,
};

type Client = RunningService<RoleClient, ClientConfig>;

async fn client(router: axum::Router, key: &str) -> (Client, DropGuard) {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, None, router, stop.clone()));
    let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(key);
    let client = ClientConfig::default().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
    (client, stop.drop_guard())
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let params = CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone());
    client.call_tool(params).await.unwrap()
}

/// The text of a result, which repeats what is structured.
fn said(result: &CallToolResult) -> String {
    let content = serde_json::to_value(&result.content).unwrap();
    assert_eq!(content[0]["type"], "text");
    content[0]["text"].as_str().unwrap().to_owned()
}

fn message(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

#[tokio::test]
async fn a_client_finds_the_tools_and_what_they_return() {
    let api = api();
    let (client, _stop) = client(api.router.clone(), FIRST_KEY).await;
    let info = client.peer_info().unwrap();
    assert_eq!(info.server_info.as_ref().unwrap().name, "ragline");
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["search", "fetch", "ask"]);
    for tool in &tools {
        let annotations = tool.annotations.as_ref().unwrap();
        assert!(tool.description.is_some() && tool.output_schema.is_some() && annotations.read_only_hint == Some(true));
    }
    let found =
        call(&client, "search", json!({"query": "notice", "limit": 3, "mode": "lexical", "filter": {"team": "legal"}})).await;
    let expected = json!({"results": [{
        "id": "doc_00000000-0000-0000-0000-000000000000",
        "title": "contract.pdf",
        "url": "ragline://documents/doc_00000000-0000-0000-0000-000000000000",
        "score": 0.9_f32,
        "passages": [{"text": "The notice period is three months.", "score": 0.9_f32, "position": 4, "page": 2, "heading_path": ["Contract"]}]
    }]});
    assert_eq!(found.is_error, Some(false));
    assert_eq!(serde_json::from_str::<Value>(&said(&found)).unwrap(), expected.to_string().parse::<Value>().unwrap());
    assert_eq!(api.answering.asked.lock().unwrap().clone().unwrap().limit, Some(3));
    let answer = call(&client, "ask", json!({"question": "How long?"})).await.structured_content.unwrap();
    assert_eq!((&answer["answer"], &answer["grounded"]), (&json!("Three months [1]."), &json!(true)));
    assert_eq!((&answer["citations"][0]["number"], &answer["citations"][0]["title"]), (&json!(1), &json!("contract.pdf")));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_tool_that_fails_says_why_in_its_result() {
    let api = api();
    let (client, _stop) = client(api.router.clone(), FIRST_KEY).await;
    let cases = [
        ("search", json!({"query": ""}), "query is empty (invalid_value)"),
        ("search", json!({"query": "a", "limitt": 1}), "(unknown_field)"),
        ("search", json!({}), "missing field `query` (missing_field)"),
        ("ask", json!({"question": "a", "limit": 21}), "limit is 21; it must be 1 to 20 (invalid_value)"),
        ("fetch", json!({"id": "doc_x"}), "there is no document with this id (document_not_found)"),
        ("fetch", json!({"id": format!("doc_{}", uuid::Uuid::now_v7())}), "(document_not_found)"),
    ];
    for (tool, arguments, expected) in cases {
        let result = call(&client, tool, arguments).await;
        assert_eq!(result.is_error, Some(true));
        assert!(said(&result).contains(expected), "{}", said(&result));
    }
    let unknown = client.call_tool(CallToolRequestParams::new("delete")).await;
    assert!(unknown.unwrap_err().to_string().contains("there is no such tool"));
    api.store.away.store(true, std::sync::atomic::Ordering::Relaxed);
    let away = call(&client, "fetch", json!({"id": format!("doc_{}", uuid::Uuid::now_v7())})).await;
    assert!(away.is_error == Some(true) && said(&away).contains("(database_unavailable)"), "{}", said(&away));
}

#[tokio::test]
async fn no_session_is_kept_and_every_message_stands_alone() {
    let api = api();
    let initialize = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let reply = api.send(post("/mcp", message("initialize", initialize))).await;
    assert_eq!((reply.status.as_u16(), &reply.body["result"]["protocolVersion"]), (200, &json!("2025-06-18")));
    assert!(!reply.headers.contains_key("mcp-session-id"));
    assert_eq!(reply.headers[header::CONTENT_TYPE], "application/json");
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(api.send(post("/mcp", note)).await.status, 202);
    // Another replica that never saw an `initialize`, and a key that may only read.
    let list = request_as(READING_KEY, "POST", "/mcp").header(header::CONTENT_TYPE, "application/json");
    let reply = api.send(list.body(Body::from(message("tools/list", json!({})).to_string())).unwrap()).await;
    assert_eq!(reply.body["result"]["tools"][0]["name"], "search", "{}", reply.body);
    for method in ["GET", "DELETE"] {
        let reply = api.send(request(method, "/mcp").body(Body::empty()).unwrap()).await;
        refused(&reply, 405, "method_not_allowed", None);
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let api = api();
    let bare = Request::builder().method("POST").uri("/mcp").body(Body::empty()).unwrap();
    refused(&api.send(bare).await, 401, "missing_api_key", None);
    let page =
        request("POST", "/mcp").header(header::CONTENT_TYPE, "application/json").header(header::ORIGIN, "https://a.example");
    let page = page.body(Body::from(message("tools/list", json!({})).to_string())).unwrap();
    refused(&api.send(page).await, 403, "origin_refused", None);
    refused(&api.send(post_text("/mcp", "{")).await, 400, "malformed_json", None);
    refused(&api.send(post("/mcp", json!({"a": 1}))).await, 400, "invalid_value", None);
    refused(&api.send(post("/mcp", json!([]))).await, 400, "invalid_value", None);
    refused(&api.send(post_text("/mcp", "x".repeat(5_000))).await, 413, "body_too_large", None);
    let kind = request("POST", "/mcp").header(header::CONTENT_TYPE, "text/plain").body(Body::from("{}")).unwrap();
    refused(&api.send(kind).await, 415, "unsupported_media_type", None);
    let old =
        request("POST", "/mcp").header(header::CONTENT_TYPE, "application/json").header("mcp-protocol-version", "1999-01-01");
    let old = old.body(Body::from(message("tools/list", json!({})).to_string())).unwrap();
    refused(&api.send(old).await, 400, "invalid_value", None);
    let unknown = api.send(post("/mcp", message("resources/list", json!({})))).await;
    assert_eq!(unknown.body["error"]["code"], -32_601, "{}", unknown.body);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends() {
    let api = api();
    let call = message("tools/call", json!({"name": "search", "arguments": {"query": "wait"}}));
    let (router, request) = (api.router.clone(), post("/mcp", call));
    let asked = tokio::spawn(async move { crate::http_fixture::send(&router, request).await });
    let patience = Duration::from_secs(5);
    tokio::time::timeout(patience, api.answering.begun.notified()).await.unwrap();
    asked.abort();
    tokio::time::timeout(patience, api.answering.dropped.notified()).await.unwrap();
}

#[tokio::test]
async fn a_document_is_read_whole_and_in_parts() {
    let live = live().await;
    live.work();
    let sentences = (0..8_000).map(|number| format!("Sentence number {number} is here."));
    let text = sentences.collect::<Vec<_>>().join(" ");
    let path = live.upload(&[("file", Some("long.txt"), text.as_bytes()), ("metadata", None, b"{\"title\": \"Long\"}")]).await;
    let job = live.ended(&path).await;
    let id = job["files"][0]["document_id"].as_str().unwrap().to_owned();
    let (client, _stop) = client(live.router.clone(), FIRST_KEY).await;
    let (mut parts, mut from) = (Vec::new(), json!(0));
    while !from.is_null() {
        let part = call(&client, "fetch", json!({"id": id, "from": from})).await.structured_content.unwrap();
        assert_eq!((&part["id"], &part["title"], &part["metadata"]["source"]), (&json!(id), &json!("Long"), &json!("long.txt")));
        let read = part["text"].as_str().unwrap().to_owned();
        assert!(read.len() < 101_000, "{}", read.len());
        parts.push(read);
        from = part["next"].clone();
    }
    assert!(parts.len() > 1 && text.starts_with(&parts[0]) && text.ends_with(parts.last().unwrap()), "{} parts", parts.len());
    // A part begins with what its first passage repeats.
    let mut begin = 0;
    for part in &parts {
        let at = text.find(part.as_str()).unwrap();
        assert!(at <= begin, "text is missing between {begin} and {at}");
        begin = at + part.len();
    }
    let found = call(&client, "search", json!({"query": "Sentence number 4711"})).await.structured_content.unwrap();
    assert_eq!(found["results"][0]["id"], json!(id));
}
