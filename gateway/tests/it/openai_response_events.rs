//! A response while it is written: OpenAI's events, and how they end.

use std::sync::atomic::Ordering;

use ragline_gateway::{answer::AnswerError, traits::generator::GenerateError};
use serde_json::{Value, json};

use crate::{
    http_fixture::{Reply, api, get, post, refused},
    openai_fixture::events,
    openai_responses::{PATH, ask, made, message, path_of, tool, without_id},
};

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
async fn an_answer_that_was_cut_off_is_incomplete() {
    let api = api();
    let body = made(&api, json!({"input": "cut", "max_output_tokens": 3})).await;
    assert_eq!((&body["status"], &body["output"][0]["status"]), (&json!("incomplete"), &json!("incomplete")));
    assert_eq!((&body["incomplete_details"], &body["completed_at"]), (&json!({"reason": "max_output_tokens"}), &Value::Null));
    let sent = events(&api.router, post(PATH, ask(json!({"input": "cut", "stream": true})))).await;
    let last = sent.last().unwrap();
    assert_eq!((last.event.as_deref(), &last.data["response"]["status"]), (Some("response.incomplete"), &json!("incomplete")));
}
