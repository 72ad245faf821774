//! `/v1/answers` on fakes: as a stream, and in a conversation.

use serde_json::{Value, json};

use crate::http_fixture::{api, post, refused};

#[tokio::test]
async fn an_answer_is_streamed_as_events_that_come_to_the_whole() {
    let reply = api().send(post("/v1/answers", json!({"question": "How long?", "stream": true}))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let text = reply.body.as_str().unwrap();
    let events: Vec<(&str, Value)> = text
        .trim()
        .split("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            (name.strip_prefix("event: ").unwrap(), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
        })
        .collect();
    assert_eq!(events.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["found", "text", "end"]);
    assert_eq!(events[0].1["sources"][0]["filename"], "contract.pdf");
    assert_eq!(events[1].1, json!({"text": "Three months [1].", "marks": [{"number": 1, "at": 13}]}));
    let whole = &events[2].1;
    assert_eq!((&whole["answer"], &whole["marks"]), (&events[1].1["text"], &events[1].1["marks"]));
    assert_eq!((&whole["finish_reason"], &whole["cost_usd"]), (&json!("stop"), &json!(0.0)));
}

#[tokio::test]
async fn a_conversation_is_bounded_and_has_two_speakers() {
    let ask = |more: Value| {
        let mut body = json!({"question": "And then?"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post("/v1/answers", body)
    };
    let turns = |count: usize| vec![json!({"role": "user", "content": "a"}); count];
    assert_eq!(api().send(ask(json!({"history": turns(20), "instructions": "Be brief."}))).await.status, 200);
    let limits = ragline_config::Limits { json_bytes: 1 << 20, ..crate::http_fixture::limits() };
    let roomy = crate::http_fixture::api_with(limits);
    refused(&roomy.send(ask(json!({"history": turns(201)}))).await, 400, "invalid_value", Some("history"));
    let long = "x".repeat(10_001);
    let reply = roomy.send(ask(json!({"history": [{"role": "user", "content": long}]}))).await;
    refused(&reply, 400, "invalid_value", Some("history"));
    refused(&roomy.send(ask(json!({"instructions": long}))).await, 400, "invalid_value", Some("instructions"));
    let reply = api().send(ask(json!({"history": [{"role": "system", "content": "a"}]}))).await;
    assert_eq!(reply.status, 400, "{}", reply.body);
}
