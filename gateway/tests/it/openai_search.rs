//! The search of a vector store: what of OpenAI's options reaches the search.

use ragline_gateway::answer::Preference;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http_fixture::{Api, api, post};

/// A vector store that the fake has.
fn path() -> String {
    format!("/v1/vector_stores/vs_{}/search", Uuid::from_u128(7))
}

async fn found(api: &Api, body: Value) -> Value {
    let reply = api.send(post(&path(), body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

#[tokio::test]
async fn a_rewritten_query_is_what_is_searched_and_shown() {
    let api = api();
    let body = found(&api, json!({"query": ["leases", "notice"], "rewrite_query": true})).await;
    assert_eq!(body["search_query"], json!(["about leases", "about notice"]));
    assert_eq!(api.answering.asked.lock().unwrap().as_ref().unwrap().query, "about notice");
    for kept in [json!({"query": "leases", "rewrite_query": false}), json!({"query": "leases"})] {
        assert_eq!(found(&api, kept).await["search_query"], json!(["leases"]));
        assert_eq!(api.answering.asked.lock().unwrap().as_ref().unwrap().query, "leases");
    }
}

#[tokio::test]
async fn the_ranker_none_leaves_the_reranking_model_out() {
    let api = api();
    for (ranker, without_reranker) in [("none", true), ("auto", false), ("default-2024-11-15", false)] {
        found(&api, json!({"query": "a", "ranking_options": {"ranker": ranker}})).await;
        let asked = api.answering.asked.lock().unwrap().clone().unwrap();
        assert_eq!(asked.preference, Preference { without_reranker, weights: None }, "{ranker}");
    }
}

#[tokio::test]
async fn the_tools_weights_reach_the_search() {
    let api = api();
    let ranking = json!({"ranker": "none", "hybrid_search": {"embedding_weight": 1, "text_weight": 3}});
    let tool = json!({
        "type": "file_search", "vector_store_ids": [format!("vs_{}", Uuid::from_u128(7))], "ranking_options": ranking
    });
    let reply = api.send(post("/v1/responses", json!({"input": "How long?", "tools": [tool]}))).await;
    assert_eq!((reply.status.as_u16(), &reply.body["tools"][0]["ranking_options"]["ranker"]), (200, &json!("none")));
    let asked = api.answering.questioned.lock().unwrap().clone().unwrap();
    assert_eq!(asked.preference, Preference { without_reranker: true, weights: Some([1.0 / 3.0, 1.0]) });
}
