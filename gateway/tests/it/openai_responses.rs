//! Responses, in OpenAI's shape to the letter; only `ragline` is beyond it.

use axum::{body::Body, http::Request};
use ragline_gateway::{
    answer::AnswerError,
    traits::{generator::Speaker, search::CollectionId},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    http_fakes::{READING_KEY, THEIR_KEY},
    http_fixture::{Api, api, get, post, refused, request, request_as},
};

pub(crate) const PATH: &str = "/v1/responses";

/// A vector store that the fake has.
fn store() -> String {
    format!("vs_{}", Uuid::from_u128(7))
}

pub(crate) fn tool() -> Value {
    json!([{"type": "file_search", "vector_store_ids": [store()], "max_num_results": 3}])
}

pub(crate) fn ask(extra: Value) -> Value {
    let mut body = json!({"model": "ragline", "input": "How long?"});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

pub(crate) fn bare(method: &str, path: &str) -> Request<Body> {
    request(method, path).body(Body::empty()).unwrap()
}

pub(crate) async fn made(api: &Api, extra: Value) -> Value {
    let reply = api.send(post(PATH, ask(extra))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

pub(crate) fn path_of(response: &Value) -> String {
    format!("{PATH}/{}", response["id"].as_str().unwrap())
}

pub(crate) fn message() -> Value {
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

pub(crate) fn without_id(item: &Value, prefix: &str) -> Value {
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
    assert_eq!((asked.instructions.as_deref(), asked.max_tokens, asked.whole_history), (Some("Be brief."), Some(9), false));
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
        refused(&reply, 400, "previous_response_not_found", Some("previous_response_id"));
    }
    let theirs = request_as(THEIR_KEY, "POST", PATH).header("content-type", "application/json");
    let body = ask(json!({"previous_response_id": first["id"]})).to_string();
    let reply = api.send(theirs.body(Body::from(body)).unwrap()).await;
    refused(&reply, 400, "previous_response_not_found", Some("previous_response_id"));
}

#[tokio::test]
async fn a_conversation_that_finds_no_room_is_cut_or_refused_as_the_caller_says() {
    let api = api();
    let body = made(&api, json!({"truncation": "disabled", "parallel_tool_calls": false})).await;
    assert_eq!((&body["truncation"], &body["parallel_tool_calls"]), (&json!("disabled"), &json!(false)));
    assert!(api.answering.questioned.lock().unwrap().as_ref().unwrap().whole_history);
    *api.answering.failure.lock().unwrap() = Some(AnswerError::TooLong { room: 1_500 });
    let reply = api.send(post(PATH, ask(json!({"truncation": "disabled"})))).await;
    refused(&reply, 400, "context_length_exceeded", Some("input"));
    let body = made(&api, json!({"truncation": null})).await;
    assert_eq!((&body["truncation"], &body["parallel_tool_calls"]), (&json!("auto"), &json!(true)));
}

#[tokio::test]
async fn a_conversation_whose_beginning_is_gone_is_not_taken_for_a_whole_one() {
    let api = api();
    let first = made(&api, json!({})).await;
    let second = made(&api, json!({"previous_response_id": first["id"], "truncation": "disabled"})).await;
    api.send(bare("DELETE", &path_of(&first))).await;
    let on = |truncation: &str| post(PATH, ask(json!({"previous_response_id": second["id"], "truncation": truncation})));
    refused(&api.send(on("disabled")).await, 400, "context_length_exceeded", Some("previous_response_id"));
    assert_eq!(api.send(on("auto")).await.status, 200);
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
    refused(&api.send(post(&path, ask(unknown))).await, 400, "previous_response_not_found", Some("previous_response_id"));
    let mut reading = post(&path, ask(json!({})));
    reading.headers_mut().insert("authorization", format!("Bearer {READING_KEY}").parse().unwrap());
    assert_eq!(api.send(reading).await.status, 200, "a key that may only read may count");
    let compact = api.send(post(&format!("{PATH}/compact"), ask(json!({})))).await;
    refused(&compact, 404, "unknown_route", None);
    assert!(compact.body["error"]["message"].as_str().unwrap().contains("previous_response_id"), "{}", compact.body);
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
        (json!({"truncation": "sometimes"}), "invalid_value", "truncation"),
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
        "user": "u", "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}, "tools": [],
        "tool_choice": "auto", "top_logprobs": 0, "conversation": null, "stream": false, "service_tier": "auto",
        "include": ["reasoning.encrypted_content"]
    });
    assert_eq!(made(&api, harmless).await["status"], "completed");
}
