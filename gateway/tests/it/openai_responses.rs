//! Responses, in OpenAI's shape to the letter; only `ragline` is beyond it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{body::Body, http::Request};
use ragline_gateway::{
    answer::AnswerError,
    traits::{
        generator::{GenerateError, Speaker},
        search::CollectionId,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    http_fakes::{READING_KEY, THEIR_KEY},
    http_fixture::{Api, Reply, api, get, post, refused, request, request_as},
    openai_fixture::events,
};

const PATH: &str = "/v1/responses";

/// A vector store that the fake has.
fn store() -> String {
    format!("vs_{}", Uuid::from_u128(7))
}

fn tool() -> Value {
    json!([{"type": "file_search", "vector_store_ids": [store()], "max_num_results": 3}])
}

fn ask(extra: Value) -> Value {
    let mut body = json!({"model": "ragline", "input": "How long?"});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn bare(method: &str, path: &str) -> Request<Body> {
    request(method, path).body(Body::empty()).unwrap()
}

async fn made(api: &Api, extra: Value) -> Value {
    let reply = api.send(post(PATH, ask(extra))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

fn path_of(response: &Value) -> String {
    format!("{PATH}/{}", response["id"].as_str().unwrap())
}

fn message() -> Value {
    json!({
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{
            "type": "output_text",
            "text": "Three months [1].",
            "annotations": [{
                "type": "file_citation",
                "file_id": "doc_00000000-0000-0000-0000-000000000000",
                "filename": "contract.pdf",
                "index": 13
            }],
            "logprobs": []
        }]
    })
}

fn without_id(item: &Value, prefix: &str) -> Value {
    let mut item = item.clone();
    let id = item.as_object_mut().unwrap().remove("id").unwrap();
    assert!(id.as_str().unwrap().starts_with(prefix), "{id}");
    item
}

#[tokio::test]
async fn a_response_has_openais_fields() {
    let api = api();
    let metadata = json!({"case": "7"});
    let body =
        made(&api, json!({"instructions": "Be brief.", "metadata": metadata, "temperature": 0.3, "max_output_tokens": 9})).await;
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "access_programs",
        "background",
        "completed_at",
        "created_at",
        "error",
        "id",
        "incomplete_details",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "object",
        "output",
        "parallel_tool_calls",
        "previous_response_id",
        "ragline",
        "status",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "truncation",
        "usage",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&body["status"], &body["model"], &body["temperature"]), (&json!("completed"), &json!("extractive"), &json!(0.3)));
    assert_eq!((&body["metadata"], &body["instructions"]), (&metadata, &json!("Be brief.")));
    assert_eq!((body["output"].as_array().unwrap().len(), without_id(&body["output"][0], "msg_")), (1, message()));
    let usage = json!({
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 13
    });
    assert_eq!(body["usage"], usage);
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    assert_eq!((asked.instructions.as_deref(), asked.max_tokens), (Some("Be brief."), Some(9)));
    assert_eq!(api.send(get(&path_of(&body))).await.body, body);
}

#[tokio::test]
async fn the_tool_searches_its_vector_stores_and_shows_what_it_found() {
    let api = api();
    let body = made(&api, json!({"tools": tool(), "include": ["file_search_call.results"], "tool_choice": "required"})).await;
    let search = json!({
        "type": "file_search_call",
        "status": "completed",
        "queries": ["How long?"],
        "results": [{
            "file_id": "doc_00000000-0000-0000-0000-000000000000",
            "filename": "contract.pdf",
            "score": 0.9,
            "text": "The notice period is three months.",
            "attributes": {}
        }]
    });
    assert_eq!(without_id(&body["output"][0], "fs_"), search);
    assert_eq!(without_id(&body["output"][1], "msg_"), message());
    assert_eq!((&body["tools"], &body["tool_choice"]), (&tool(), &json!("required")));
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    assert_eq!((asked.collections, asked.limit), (vec![CollectionId(7)], Some(3)));
    let body = made(&api, json!({"tools": tool()})).await;
    assert_eq!(body["output"][0]["results"], Value::Null);
    let unknown = json!([{"type": "file_search", "vector_store_ids": [format!("vs_{}", Uuid::from_u128(8))]}]);
    let reply = api.send(post(PATH, ask(json!({"tools": unknown})))).await;
    refused(&reply, 404, "vector_store_not_found", Some("tools[0].vector_store_ids"));
}

#[tokio::test]
async fn a_stream_is_openais_events_in_order() {
    let api = api();
    let sent = events(&api.router, post(PATH, ask(json!({"stream": true, "tools": tool()})))).await;
    let kinds: Vec<_> = sent.iter().map(|sent| sent.event.as_deref().unwrap()).collect();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds, expected);
    for (number, sent) in sent.iter().enumerate() {
        assert_eq!((&sent.data["sequence_number"], sent.data["type"].as_str()), (&json!(number), sent.event.as_deref()));
    }
    assert_eq!((&sent[0].data["response"]["status"], &sent[0].data["response"]["output"]), (&json!("in_progress"), &json!([])));
    let (search, message_id) = (&sent[2].data["item"]["id"], &sent[7].data["item"]["id"]);
    assert!(sent[3..6].iter().all(|sent| sent.data["item_id"] == *search && sent.data["output_index"] == 0));
    let of_message = [8, 9, 10, 11, 12];
    assert!(of_message.iter().all(|&n| sent[n].data["item_id"] == *message_id && sent[n].data["output_index"] == 1));
    assert_eq!(sent[9].data["delta"], "Three months [1].");
    assert_eq!((&sent[10].data["annotation"]["index"], &sent[10].data["annotation_index"]), (&json!(13), &json!(0)));
    let whole = &sent[14].data["response"];
    assert_eq!(without_id(&sent[13].data["item"], "msg_"), message());
    assert_eq!(whole["output"], json!([sent[6].data["item"], sent[13].data["item"]]));
    assert_eq!(&api.send(get(&path_of(whole))).await.body, whole);
    let plain = events(&api.router, post(PATH, ask(json!({"stream": true})))).await;
    assert!(plain.len() == 10 && plain[2].data["output_index"] == 0, "{plain:?}");
}

#[tokio::test]
async fn a_conversation_goes_on_from_a_response() {
    let api = api();
    let input = json!([{"role": "developer", "content": "Use English."}, {"role": "user", "content": "First?"}]);
    let first = made(&api, json!({"input": input})).await;
    let second = made(&api, json!({"input": "Second?", "instructions": "Shout.", "previous_response_id": first["id"]})).await;
    made(&api, json!({"input": "Third?", "previous_response_id": second["id"]})).await;
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    let history: Vec<_> = asked.history.iter().map(|turn| (turn.speaker, turn.text.as_str())).collect();
    let answer = (Speaker::Assistant, "Three months [1].");
    assert_eq!(history, [(Speaker::User, "First?"), answer, (Speaker::User, "Second?"), answer]);
    // Instructions count for their own response alone, messages of the developer for the conversation.
    assert_eq!((asked.question.as_str(), asked.instructions.as_deref()), ("Third?", Some("Use English.")));

    // The output of one response as part of the next one's input means the same.
    let mut input = vec![json!({"role": "user", "content": "First?"})];
    input.extend(first["output"].as_array().unwrap().clone());
    input.push(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Second?"}]}));
    made(&api, json!({"input": input})).await;
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    assert_eq!((asked.history.len(), asked.question.as_str()), (2, "Second?"));

    for previous in [format!("resp_{}", Uuid::now_v7()), "resp_x".into()] {
        let reply = api.send(post(PATH, ask(json!({"previous_response_id": previous})))).await;
        refused(&reply, 404, "response_not_found", Some("previous_response_id"));
    }
    let theirs = request_as(THEIR_KEY, "POST", PATH).header("content-type", "application/json");
    let body = ask(json!({"previous_response_id": first["id"]})).to_string();
    let reply = api.send(theirs.body(Body::from(body)).unwrap()).await;
    refused(&reply, 404, "response_not_found", Some("previous_response_id"));
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not() {
    let api = api();
    let body = made(&api, json!({"store": false})).await;
    refused(&api.send(get(&path_of(&body))).await, 404, "response_not_found", Some("id"));
    assert!(api.store.inner().responses.is_empty());
}

#[tokio::test]
async fn a_response_is_deleted_once_and_by_its_workspace() {
    let api = api();
    let path = path_of(&made(&api, json!({})).await);
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/input_items"))] {
        let theirs = request_as(THEIR_KEY, method, &path).body(Body::empty()).unwrap();
        refused(&api.send(theirs).await, 404, "response_not_found", Some("id"));
    }
    let reading = request_as(READING_KEY, "DELETE", &path).body(Body::empty()).unwrap();
    refused(&api.send(reading).await, 403, "write_required", None);
    let deleted = api.send(bare("DELETE", &path)).await.body;
    assert_eq!((&deleted["object"], &deleted["deleted"]), (&json!("response"), &json!(true)));
    refused(&api.send(bare("DELETE", &path)).await, 404, "response_not_found", Some("id"));
    refused(&api.send(get(&path)).await, 404, "response_not_found", Some("id"));
}

#[tokio::test]
async fn the_messages_of_a_response_come_in_pages() {
    let api = api();
    let input = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "How long?"}
    ]);
    let path = format!("{}/input_items", path_of(&made(&api, json!({"input": input})).await));
    let page = api.send(get(&format!("{path}?limit=3&include[]=file_search_call.results"))).await.body;
    let texts: Vec<_> =
        page["data"].as_array().unwrap().iter().map(|item| item["content"][0]["text"].as_str().unwrap()).collect();
    assert_eq!((texts, &page["has_more"]), (vec!["How long?", "Hi", "Hello"], &json!(true)));
    assert_eq!(page["data"][1]["content"][0], json!({"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}));
    assert_eq!((&page["first_id"], &page["last_id"]), (&page["data"][0]["id"], &page["data"][2]["id"]));
    let next = api.send(get(&format!("{path}?limit=3&after={}", page["last_id"].as_str().unwrap()))).await.body;
    assert_eq!((&next["data"][0]["role"], &next["has_more"]), (&json!("system"), &json!(false)));
    let ascending = api.send(get(&format!("{path}?order=asc&limit=1"))).await.body;
    assert_eq!(ascending["data"][0]["content"], json!([{"type": "input_text", "text": "Be brief."}]));
    refused(&api.send(get(&format!("{path}?limit=0"))).await, 400, "invalid_value", Some("limit"));
    refused(&api.send(get(&format!("{path}?after=x"))).await, 400, "invalid_value", Some("after"));
    refused(&api.send(get(&format!("{path}?page=2"))).await, 400, "unknown_field", Some("page"));
}

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
    refused(&reply, 404, "response_not_found", Some("previous_response_id"));
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
async fn what_a_request_would_read_is_counted_and_nothing_is_kept() {
    let api = api();
    let path = format!("{PATH}/input_tokens");
    let reply =
        api.send(post(&path, ask(json!({"tools": tool(), "instructions": "Be brief.", "personality": "friendly"})))).await;
    assert_eq!((reply.status.as_u16(), reply.body), (200, json!({"object": "response.input_tokens", "input_tokens": 9})));
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    assert_eq!((asked.instructions.as_deref(), asked.collections), (Some("Be brief."), vec![CollectionId(7)]));
    assert!(api.store.inner().responses.is_empty());
    refused(&api.send(post(&path, json!({"model": "ragline"}))).await, 400, "missing_field", Some("input"));
    let unknown = json!({"previous_response_id": "resp_0198f2a4-af35-7177-a6f7-91706f6e5d4b"});
    refused(&api.send(post(&path, ask(unknown))).await, 404, "response_not_found", Some("previous_response_id"));
    let mut reading = post(&path, ask(json!({})));
    reading.headers_mut().insert("authorization", format!("Bearer {READING_KEY}").parse().unwrap());
    assert_eq!(api.send(reading).await.status, 200, "a key that may only read may count");
    let compact = api.send(post(&format!("{PATH}/compact"), ask(json!({})))).await;
    refused(&compact, 404, "unknown_route", None);
    assert!(compact.body["error"]["message"].as_str().unwrap().contains("previous_response_id"), "{}", compact.body);
}

#[tokio::test]
async fn a_failure_while_it_is_written_is_an_event() {
    let api = api();
    let failure = || AnswerError::Generate(GenerateError::Malformed { host: "models.internal".into(), what: "x".into() });
    *api.answering.failure.lock().unwrap() = Some(failure());
    refused(&api.send(post(PATH, ask(json!({"stream": true})))).await, 503, "generation_misconfigured", None);
    *api.answering.breaks.lock().unwrap() = Some(failure());
    let sent = events(&api.router, post(PATH, ask(json!({"stream": true})))).await;
    let last = sent.last().unwrap();
    assert_eq!((last.event.as_deref(), &last.data["response"]["status"]), (Some("response.failed"), &json!("failed")));
    assert_eq!(last.data["response"]["error"]["code"], "server_error");
    *api.answering.breaks.lock().unwrap() = Some(failure());
    refused(&api.send(post(PATH, ask(json!({})))).await, 503, "generation_misconfigured", None);
    assert!(api.store.inner().responses.is_empty());
    api.store.away.store(true, Ordering::Relaxed);
    let reply: Reply = api.send(post(PATH, ask(json!({})))).await;
    refused(&reply, 503, "database_unavailable", None);
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_parameter() {
    let api = api();
    let cases = [
        (json!({"tools": [{"type": "web_search"}]}), "unsupported_parameter", "tools[0]"),
        (json!({"tools": tool(), "tool_choice": "none"}), "unsupported_parameter", "tool_choice"),
        (json!({"tool_choice": "required"}), "invalid_value", "tool_choice"),
        (json!({"conversation": "conv_1"}), "unsupported_parameter", "conversation"),
        (json!({"text": {"format": {"type": "json_object"}}}), "unsupported_parameter", "text"),
        (json!({"include": ["message.output_text.logprobs"]}), "unsupported_parameter", "include"),
        (json!({"include": ["everything"]}), "invalid_value", "include"),
        (json!({"background": true, "stream": true}), "invalid_value", "background"),
        (json!({"background": true, "store": false}), "invalid_value", "background"),
        (json!({"metadata": {"a": 1}}), "invalid_metadata", "metadata"),
        (json!({"max_output_tokens": 0}), "invalid_value", "max_output_tokens"),
        (json!({"input": 7}), "invalid_value", "input"),
        (json!({"input": " "}), "invalid_value", "input"),
        (json!({"input": []}), "invalid_value", "input"),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "unsupported_parameter", "input[0]"),
        (json!({"input": [{"type": "function_call_output", "output": "a"}]}), "unsupported_parameter", "input[0]"),
        (json!({"max_tokens": 3}), "unknown_field", "max_tokens"),
    ];
    for (extra, code, param) in cases {
        refused(&api.send(post(PATH, ask(extra))).await, 400, code, Some(param));
    }
    refused(&api.send(post(PATH, json!({}))).await, 400, "missing_field", Some("input"));
    refused(&api.send(post(PATH, ask(json!({"model": "gpt-5"})))).await, 404, "model_not_found", Some("model"));
    let harmless = json!({
        "user": "u", "truncation": "disabled", "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}, "tools": [],
        "tool_choice": "auto", "top_logprobs": 0, "conversation": null, "stream": false, "service_tier": "auto",
        "include": ["reasoning.encrypted_content"]
    });
    assert_eq!(made(&api, harmless).await["status"], "completed");
}
