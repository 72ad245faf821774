//! Ranking as Cohere's and Jina's clients ask for it.

use ragline_config::Limits;
use serde_json::{Value, json};

use crate::{
    http_fixture::{api, api_with, post, refused},
    http_live_fixture::live,
};

#[tokio::test]
async fn the_most_relevant_come_first_with_their_places() {
    let api = api();
    for path in ["/v1/rerank", "/v2/rerank"] {
        let body = json!({"model": "length", "query": "q", "documents": ["aa", {"text": "aaaa", "title": "t"}, "aaa", "aaaa"], "top_n": 3,
            "return_documents": true, "max_tokens_per_doc": 7});
        let reply = api.send(post(path, body)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let results = json!([
            {"index": 1, "relevance_score": 0.04, "document": {"text": "aaaa"}},
            {"index": 3, "relevance_score": 0.04, "document": {"text": "aaaa"}},
            {"index": 2, "relevance_score": 0.03, "document": {"text": "aaa"}}
        ]);
        assert_eq!((&reply.body["results"], &reply.body["model"]), (&results, &json!("length")));
        assert_eq!(reply.body["usage"], json!({"total_tokens": 7}));
        let meta = json!({"api_version": {"version": "2"}, "billed_units": {"search_units": 1}, "ranked_by": "reranker"});
        assert_eq!(reply.body["meta"], meta);
    }
    let bare = api.send(post("/v1/rerank", json!({"query": "q", "documents": ["a", "aa"]}))).await.body;
    assert_eq!((bare["results"].as_array().unwrap().len(), &bare["results"][0]["document"]), (2, &Value::Null));
}

#[tokio::test]
async fn a_ranking_that_cannot_be_meant_is_refused_by_field() {
    let api = api();
    let cases = [
        (json!({"documents": ["a"]}), 400, "missing_field", "query"),
        (json!({"query": "", "documents": ["a"]}), 400, "invalid_value", "query"),
        (json!({"query": "q"}), 400, "missing_field", "documents"),
        (json!({"query": "q", "documents": []}), 400, "invalid_value", "documents"),
        (json!({"query": "q", "documents": ["a", " "]}), 400, "invalid_value", "documents[1]"),
        (json!({"query": "q", "documents": ["a", {"title": "b"}]}), 400, "invalid_value", "documents[1]"),
        (json!({"query": "q", "documents": [7]}), 400, "invalid_value", "documents[0]"),
        (json!({"query": "q", "documents": ["a"], "top_n": 0}), 400, "invalid_value", "top_n"),
        (json!({"query": "q", "documents": ["a"], "max_tokens_per_doc": 0}), 400, "invalid_value", "max_tokens_per_doc"),
        (json!({"query": "q", "documents": [{"text": "a"}], "rank_fields": ["title"]}), 400, "invalid_value", "rank_fields"),
        (json!({"query": "q", "documents": ["a"], "model": "rerank-v3.5"}), 404, "model_not_found", "model"),
        (json!({"query": "q", "documents": ["a"], "texts": []}), 400, "unknown_field", "texts"),
    ];
    for (body, status, code, param) in cases {
        refused(&api.send(post("/v1/rerank", body)).await, status, code, Some(param));
    }
    let many = json!({"query": "q", "documents": vec!["a"; 1_001]});
    refused(&api_with(Limits::default()).send(post("/v1/rerank", many)).await, 400, "invalid_value", Some("documents"));
}

#[tokio::test]
async fn a_model_that_is_away_is_told() {
    let reply = api().send(post("/v1/rerank", json!({"query": "away", "documents": ["a"]}))).await;
    refused(&reply, 503, "rerank_unavailable", None);
    assert!(reply.headers.contains_key("retry-after") && !reply.body.to_string().contains("models.internal"), "{}", reply.body);
}

#[tokio::test]
async fn without_a_reranking_model_the_embedding_model_ranks() {
    let live = live().await;
    let documents = json!(["a bakery opens at six", "the lighthouse stands on the cliff", "the lighthouse keeper"]);
    let body = json!({"model": "words", "query": "the lighthouse keeper", "documents": documents});
    let reply = live.send(post("/v1/rerank", body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let results = reply.body["results"].as_array().unwrap();
    let order: Vec<_> = results.iter().map(|result| result["index"].as_u64().unwrap()).collect();
    assert_eq!(order, [2, 1, 0]);
    let scores: Vec<_> = results.iter().map(|result| result["relevance_score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a > b) && scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    assert_eq!((&reply.body["meta"]["ranked_by"], &reply.body["meta"]["calibrated"]), (&json!("embedding"), &json!(false)));
    assert_eq!(reply.body["usage"]["total_tokens"], 14);
    // What is behind the tokens that are looked at does not count.
    let body = json!({"query": "keeper", "documents": ["bakery keeper", "bakery"], "max_tokens_per_doc": 1});
    let results = live.send(post("/v1/rerank", body)).await.body["results"].clone();
    assert_eq!(results[0]["relevance_score"], results[1]["relevance_score"]);
}
