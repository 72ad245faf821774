//! Chat completions and models, in OpenAI's shape to the letter; only `ragline` is beyond it.

use std::time::Duration;

use axum::body::Body;
use ragline_config::{Limits, Seconds};
use ragline_gateway::{
    answer::AnswerError,
    traits::generator::{GenerateError, Speaker},
};
use serde_json::{Value, json};

use crate::{
    http_fixture::{Api, api, api_with, get, limits, post, refused},
    openai_fixture::{begin, events},
};

const PATH: &str = "/v1/chat/completions";

fn ask(extra: Value) -> Value {
    let mut body = json!({"model": "ragline", "messages": [{"role": "user", "content": "How long?"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn an_answer_has_openais_fields_and_its_citations_as_annotations() {
    let reply = api().send(post(PATH, ask(json!({})))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = &reply.body;
    assert_eq!(keys(body), ["choices", "created", "id", "model", "object", "ragline", "usage"]);
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-") && body["created"].is_i64());
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("extractive")));
    let url = "/v1/documents/doc_00000000-0000-0000-0000-000000000000";
    let message = json!({
        "role": "assistant",
        "content": "Three months [1].",
        "refusal": null,
        "annotations": [{
            "type": "url_citation",
            "url_citation": {"start_index": 13, "end_index": 16, "title": "contract.pdf", "url": url}
        }]
    });
    assert_eq!(body["choices"], json!([{"index": 0, "message": message, "finish_reason": "stop", "logprobs": null}]));
    assert_eq!(body["usage"], json!({"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}));
    assert_eq!((&body["ragline"]["grounded"], &body["ragline"]["citations"][0]["page"]), (&json!(true), &json!(2)));
    let cut = json!({"messages": [{"role": "user", "content": "cut"}], "max_tokens": 3});
    assert_eq!(api().send(post(PATH, ask(cut))).await.body["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_conversation_becomes_a_question_with_history_and_instructions() {
    let api = api();
    let body = json!({
        "model": "extractive",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello", "name": "ann"},
            {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "developer", "content": "Use English."},
            {"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": "long?"}]}
        ],
        "temperature": 1, "top_p": 0.5, "max_completion_tokens": 7, "max_tokens": 9,
        "n": 1, "seed": 3, "user": "u", "store": true, "metadata": {"a": "b"}, "stop": null, "tools": [], "tool_choice": "none",
        "logprobs": false, "frequency_penalty": 0, "presence_penalty": 0.0, "response_format": {"type": "text"},
        "retrieval": {"limit": 3, "mode": "lexical", "filter": {"team": "legal"}, "threshold": 0.5}
    });
    let reply = api.send(post(PATH, body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    assert_eq!(asked.question, "How\nlong?");
    let history: Vec<_> = asked.history.iter().map(|turn| (turn.speaker, turn.text.as_str())).collect();
    assert_eq!(history, [(Speaker::User, "Hello"), (Speaker::Assistant, "Hi")]);
    assert_eq!(asked.instructions.as_deref(), Some("Be brief.\n\nUse English."));
    assert_eq!((asked.temperature, asked.top_p, asked.max_tokens), (Some(1.0), Some(0.5), Some(7)));
    assert_eq!((asked.limit, asked.threshold, asked.filter.is_some()), (Some(3), Some(0.5), true));
}

#[tokio::test]
async fn a_stream_is_chunks_with_usage_when_asked_for() {
    let api = api();
    let body = ask(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let sent = events(&api.router, post(PATH, body)).await;
    assert!(sent.iter().all(|sent| sent.event.is_none()));
    let (done, chunks) = sent.split_last().unwrap();
    assert_eq!(done.data, "[DONE]");
    let id = chunks[0].data["id"].clone();
    for chunk in chunks {
        let data = &chunk.data;
        let extra: &[&str] = if data.get("ragline").is_some() { &["ragline"] } else { &[] };
        let expected = [&["choices", "created", "id", "model", "object"], extra, &["usage"]].concat();
        assert_eq!(keys(data), expected);
        assert_eq!((&data["id"], &data["object"], &data["model"]), (&id, &json!("chat.completion.chunk"), &json!("extractive")));
    }
    let deltas: Vec<_> = chunks[..3].iter().map(|chunk| chunk.data["choices"][0]["delta"].clone()).collect();
    assert_eq!(deltas[0], json!({"role": "assistant", "content": ""}));
    assert_eq!(deltas[1], json!({"content": "Three months [1]."}));
    let annotations = &chunks[2].data["ragline"]["annotations"];
    assert_eq!((&deltas[2], chunks.len()), (&json!({}), 4));
    assert_eq!(annotations[0]["url_citation"]["end_index"], json!(16));
    let reasons: Vec<_> = chunks[..3].iter().map(|chunk| &chunk.data["choices"][0]["finish_reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &json!("stop")]);
    assert_eq!(chunks[0].data["ragline"]["sources"][0]["filename"], "contract.pdf");
    assert_eq!((&chunks[3].data["choices"], &chunks[3].data["usage"]["total_tokens"]), (&json!([]), &json!(13)));
    assert!(chunks[..3].iter().all(|chunk| chunk.data["usage"].is_null()));
    let plain = events(&api.router, post(PATH, ask(json!({"stream": true})))).await;
    assert!(plain.len() == 4 && plain[..3].iter().all(|sent| sent.data.get("usage").is_none()), "{plain:?}");
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_parameter() {
    let api = api();
    let user = json!({"role": "user", "content": "a"});
    let cases = [
        (json!({"n": 2}), "unsupported_parameter", "n"),
        (json!({"logprobs": true}), "unsupported_parameter", "logprobs"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "invalid_value", "stop"),
        (json!({"stop": ["a", ""]}), "invalid_value", "stop"),
        (json!({"stop": "x".repeat(257)}), "invalid_value", "stop"),
        (json!({"stop": 7}), "invalid_value", "stop"),
        (json!({"response_format": {"type": "json_object"}}), "unsupported_parameter", "response_format"),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), "unsupported_parameter", "tools"),
        (json!({"modalities": ["text", "audio"]}), "unsupported_parameter", "modalities"),
        (json!({"messages": [{"role": "tool", "content": "a"}, user]}), "unsupported_parameter", "messages[0].role"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
            "unsupported_parameter",
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "a"}]}, user]}),
            "unsupported_parameter",
            "messages[0].tool_calls",
        ),
        (json!({"messages": []}), "invalid_value", "messages"),
        (json!({"messages": [user, {"role": "assistant", "content": "b"}]}), "invalid_value", "messages"),
        (json!({"messages": [{"role": "wizard", "content": "b"}]}), "invalid_value", "messages[0].role"),
        (json!({"temperature": 3}), "invalid_value", "temperature"),
        (json!({"max_completion_tokens": 0}), "invalid_value", "max_completion_tokens"),
        (json!({"max_tokens": 0}), "invalid_value", "max_tokens"),
        (json!({"stream_options": {"include_usage": true}}), "invalid_value", "stream_options"),
        (json!({"retrieval": {"limit": 21}}), "invalid_value", "limit"),
        (json!({"temprature": 1}), "unknown_field", "temprature"),
    ];
    for (extra, code, param) in cases {
        refused(&api.send(post(PATH, ask(extra))).await, 400, code, Some(param));
    }
    let reply = api.send(post(PATH, ask(json!({"model": "gpt-5"})))).await;
    refused(&reply, 404, "model_not_found", Some("model"));
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("extractive, ragline"), "{}", reply.body);
    let store = json!({"retrieval": {"vector_store_ids": ["vs_0198f2a4-7b12-7e44-9a03-1c2d3e4f5a6b"]}});
    refused(&api.send(post(PATH, ask(store))).await, 404, "vector_store_not_found", Some("retrieval.vector_store_ids"));
    let store = json!({"retrieval": {"vector_store_ids": ["x"]}});
    refused(&api.send(post(PATH, ask(store))).await, 404, "vector_store_not_found", Some("retrieval.vector_store_ids"));
}

#[tokio::test]
async fn texts_that_end_an_answer_are_one_or_up_to_four() {
    let api = api();
    for (stop, expected) in [
        (json!("\n"), vec!["\n"]),
        (json!(["a", "b", "c", "d"]), vec!["a", "b", "c", "d"]),
        (json!([]), vec![]),
        (json!(""), vec![]),
        (Value::Null, vec![]),
    ] {
        assert_eq!(api.send(post(PATH, ask(json!({"stop": stop})))).await.status, 200);
        assert_eq!(api.answering.questioned.lock().unwrap().as_ref().unwrap().stop, expected);
    }
}

#[tokio::test]
async fn a_failure_before_the_first_word_is_a_status_and_a_later_one_an_event() {
    let api = api();
    let limited = || {
        let (host, retry_after) = ("models.internal".to_owned(), Some(Duration::from_millis(1_500)));
        AnswerError::Generate(GenerateError::RateLimited { host, retry_after })
    };
    *api.answering.failure.lock().unwrap() = Some(limited());
    let reply = api.send(post(PATH, ask(json!({"stream": true})))).await;
    refused(&reply, 429, "provider_rate_limited", None);
    assert_eq!(
        (&reply.headers["retry-after"], &reply.headers["retry-after-ms"]),
        (&"2".parse().unwrap(), &"1500".parse().unwrap())
    );
    *api.answering.breaks.lock().unwrap() = Some(limited());
    let sent = events(&api.router, post(PATH, ask(json!({"stream": true})))).await;
    assert_eq!(sent.len(), 3);
    let error = &sent[2].data["error"];
    assert_eq!((&error["code"], &error["type"]), (&json!("provider_rate_limited"), &json!("rate_limit_error")));
    assert_eq!(keys(error), ["code", "message", "param", "type"]);
    assert!(!error.to_string().contains("models.internal"));
}

fn waiting() -> axum::http::Request<Body> {
    post(PATH, ask(json!({"stream": true, "messages": [{"role": "user", "content": "wait"}]})))
}

fn one_at_a_time(seconds: u64) -> Api {
    api_with(Limits { concurrent_requests: 1, request_timeout_seconds: Seconds(seconds), ..limits() })
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_its_caller_goes_away() {
    let api = one_at_a_time(60);
    let mut reading = begin(&api.router, waiting()).await;
    reading.next().await.unwrap();
    refused(&api.send(post(PATH, ask(json!({})))).await, 429, "too_many_requests", None);
    let figures = api.send(get("/metrics")).await.body;
    assert!(figures.as_str().unwrap().contains("ragline_http_requests_in_flight 1"), "{figures}");
    drop(reading);
    api.answering.dropped.notified().await;
    for _ in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if api.send(post(PATH, ask(json!({})))).await.status == 200 {
            return;
        }
    }
    panic!("the place was not given back");
}

#[tokio::test]
async fn a_stream_ends_with_its_deadline() {
    let api = one_at_a_time(1);
    let sent = events(&api.router, waiting()).await;
    assert_eq!(sent.last().unwrap().data["error"]["code"], "request_timed_out");
    api.answering.dropped.notified().await;
}

#[tokio::test]
async fn a_caller_who_stops_reading_keeps_nobody_out_for_longer_than_a_request_may_take() {
    let api = one_at_a_time(1);
    let _unread = begin(&api.router, waiting()).await;
    refused(&api.send(post(PATH, ask(json!({})))).await, 429, "too_many_requests", None);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(api.send(post(PATH, ask(json!({})))).await.status, 200);
}

#[tokio::test]
async fn models_are_those_that_a_request_may_name() {
    let api = api();
    let list = api.send(get("/v1/models")).await.body;
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((&list["object"], names), (&json!("list"), vec!["extractive", "ragline", "words"]));
    let model = api.send(get("/v1/models/ragline")).await.body;
    assert_eq!(keys(&model), ["created", "id", "object", "owned_by"]);
    assert_eq!((&model["object"], model["created"].is_i64()), (&json!("model"), true));
    for unknown in ["gpt-5", "openai%2Fgpt-5"] {
        refused(&api.send(get(&format!("/v1/models/{unknown}"))).await, 404, "model_not_found", Some("model"));
    }
}
