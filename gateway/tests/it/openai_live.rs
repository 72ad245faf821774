//! Chat completions and responses on a real PostgreSQL, with the generator that is no language model.

use serde_json::{Value, json};

use crate::{
    http_fixture::{get, post, upload_to},
    http_live_fixture::{Live, live},
    openai_fixture::events,
};

const GUIDE: &[u8] =
    b"# Guide\n\n## Cancelling\n\nThe notice period is three months.\n\n## Paying\n\nInvoices are due within thirty days.\n";
const QUESTION: &str = "Is the notice period three months?";

async fn filled() -> Live {
    let live = live().await;
    live.work();
    live.ended(&live.upload(&[("file", Some("guide.md"), GUIDE)]).await).await;
    live
}

fn chat(stream: bool) -> Value {
    json!({"model": "ragline", "stream": stream, "messages": [{"role": "user", "content": QUESTION}]})
}

#[tokio::test]
async fn a_chat_is_answered_from_the_documents_whole_and_in_pieces() {
    let live = filled().await;
    let reply = live.send(post("/v1/chat/completions", chat(false))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let content = reply.body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.contains("three months"), "{content}");
    assert_eq!((&reply.body["ragline"]["grounded"], &reply.body["model"]), (&json!(true), &json!("builtin-extractive")));
    let sent = events(&live.router, post("/v1/chat/completions", chat(true))).await;
    let written: String = sent.iter().filter_map(|sent| sent.data["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(written, content);
}

#[tokio::test]
async fn a_response_is_kept_and_gone_on_from() {
    let live = filled().await;
    let first = live.send(post("/v1/responses", json!({"input": QUESTION, "stream": false}))).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let id = first.body["id"].as_str().unwrap();
    assert_eq!(live.send(get(&format!("/v1/responses/{id}"))).await.body, first.body);
    let body = json!({"input": "When are invoices due?", "previous_response_id": id, "stream": true});
    let sent = events(&live.router, post("/v1/responses", body)).await;
    let whole = &sent.last().unwrap().data["response"];
    assert_eq!((&whole["status"], &whole["previous_response_id"]), (&json!("completed"), &first.body["id"]));
    assert!(whole["output"][0]["content"][0]["text"].as_str().unwrap().contains("thirty days"), "{whole}");
    let items = live.send(get(&format!("/v1/responses/{}/input_items", whole["id"].as_str().unwrap()))).await.body;
    assert_eq!(items["data"][0]["content"][0]["text"], "When are invoices due?");
}

#[tokio::test]
async fn the_tool_searches_its_vector_store_and_nothing_else() {
    let live = filled().await;
    let id = |body: Value| body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    let file = [("file", Some("bakery.txt"), b"The bakery opens at six.".as_slice()), ("purpose", None, b"assistants")];
    let file = id(live.send(upload_to("/v1/files", &file)).await.body);
    let store = id(live.send(post("/v1/vector_stores", json!({"file_ids": [file]}))).await.body);
    live.until(&format!("/v1/vector_stores/{store}"), |store| store["file_counts"]["completed"] == 1).await;
    let ask = |question: &str| {
        let tool = json!({"type": "file_search", "vector_store_ids": [store]});
        post("/v1/responses", json!({"input": question, "tools": [tool], "include": ["file_search_call.results"]}))
    };
    let found = live.send(ask("When does the bakery open?")).await.body;
    assert_eq!(found["output"][0]["results"][0]["file_id"], file.as_str(), "{found}");
    assert!(found["output"][1]["content"][0]["text"].as_str().unwrap().contains("at six"), "{found}");
    let foreign = live.send(ask(QUESTION)).await.body;
    assert!(!foreign.to_string().contains("notice period is three months"), "{foreign}");
    assert_eq!(live.send(post("/v1/responses", json!({"input": QUESTION}))).await.body["ragline"]["grounded"], true);
}
