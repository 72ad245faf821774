//! Shares of keys and workspaces, seen by a client.

use axum::{body::Body, http::HeaderMap};
use ragline_config::{Limits, Rate, RateLimit};
use serde_json::json;

use crate::{
    http_fakes::{READING_KEY, THEIR_KEY},
    http_fixture::{Api, Reply, api, api_with, get, limits, post, refused, request_as},
};

fn rates(per_key: (u32, u32), per_workspace: (u32, u32)) -> Limits {
    let limit = |(requests_per_minute, tokens_per_minute)| RateLimit { requests_per_minute, tokens_per_minute };
    Limits { rate: Rate { per_key: limit(per_key), per_workspace: limit(per_workspace) }, ..limits() }
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers[name].to_str().unwrap().trim_end_matches("ms").parse().unwrap()
}

async fn list(api: &Api, key: &str) -> Reply {
    api.send(request_as(key, "GET", "/v1/documents").body(Body::empty()).unwrap()).await
}

async fn figures(api: &Api) -> String {
    api.send(get("/metrics")).await.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_share_is_told_on_every_answer_and_its_end_is_429_with_the_wait() {
    let api = api_with(rates((2, 0), (0, 0)));
    for remaining in [1, 0] {
        let reply = list(&api, THEIR_KEY).await;
        assert_eq!(reply.status, 200);
        assert_eq!(number(&reply.headers, "x-ratelimit-limit-requests"), 2);
        assert_eq!(number(&reply.headers, "x-ratelimit-remaining-requests"), remaining);
        assert!(!reply.headers.contains_key("x-ratelimit-limit-tokens"), "tokens are not bounded here");
    }
    let reply = list(&api, THEIR_KEY).await;
    refused(&reply, 429, "rate_limit_exceeded", None);
    let message = reply.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("limits.rate.perKey.requestsPerMinute"), "{message}");
    assert_eq!(number(&reply.headers, "x-ratelimit-remaining-requests"), 0);
    let (ms, seconds) = (number(&reply.headers, "retry-after-ms"), number(&reply.headers, "retry-after"));
    assert!((28_000..=30_000).contains(&ms), "one of two a minute is there again after half of it: {ms}");
    assert_eq!(seconds, ms.div_ceil(1_000), "whoever obeys the shorter header is not refused again");
    assert!((58_000..=60_000).contains(&number(&reply.headers, "x-ratelimit-reset-requests")));
    assert!(figures(&api).await.contains("ragline_rate_limited_total{kind=\"requests\"} 1"));
}

#[tokio::test]
async fn one_key_does_not_use_up_the_share_of_another() {
    let api = api_with(rates((1, 0), (0, 0)));
    assert_eq!(list(&api, THEIR_KEY).await.status, 200);
    assert_eq!(list(&api, THEIR_KEY).await.status, 429);
    assert_eq!(list(&api, READING_KEY).await.status, 200);
    assert_eq!(api.send(get("/v1/documents")).await.status, 200);
}

#[tokio::test]
async fn the_keys_of_a_workspace_share_what_is_the_workspaces() {
    let api = api_with(rates((10, 0), (2, 0)));
    assert_eq!(list(&api, THEIR_KEY).await.status, 200);
    assert_eq!(list(&api, READING_KEY).await.status, 200);
    let reply = list(&api, THEIR_KEY).await;
    refused(&reply, 429, "rate_limit_exceeded", None);
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("limits.rate.perWorkspace.requestsPerMinute"));
    assert_eq!(api.send(get("/v1/documents")).await.status, 200, "another workspace is not concerned");
}

#[tokio::test]
async fn probes_figures_and_the_operators_question_are_never_limited() {
    let api = api_with(rates((1, 1), (1, 1)));
    list(&api, THEIR_KEY).await;
    for _ in 0..5 {
        for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/internal/index"] {
            let reply = api.send(get(path)).await;
            assert_eq!(reply.status, 200, "{path}");
            assert!(!reply.headers.contains_key("x-ratelimit-limit-requests"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_refused_takes_nothing_from_any_share() {
    let api = api_with(rates((1, 0), (1, 0)));
    for _ in 0..5 {
        assert_eq!(list(&api, "no-such-key").await.status, 401);
    }
    assert_eq!(list(&api, THEIR_KEY).await.status, 200);
}

#[tokio::test]
async fn nobody_meets_the_defaults_by_asking_a_thousand_times() {
    let api = api();
    for _ in 0..1_000 {
        assert_eq!(list(&api, THEIR_KEY).await.status, 200);
    }
}

/// Charges are made in the background.
async fn until_refused(api: &Api) -> Reply {
    for _ in 0..1_000 {
        let reply = api.send(get("/v1/documents")).await;
        if reply.status != 200 {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("what was spent was never charged");
}

#[tokio::test]
async fn tokens_of_answers_embeddings_and_counts_close_the_share_once_they_are_spent() {
    // The fake answer has 13 tokens, and a question that is counted one for each letter.
    for (path, body) in [
        ("/v1/answers", json!({"question": "How long?"})),
        ("/v1/embeddings", json!({"model": "words", "input": vec!["one two three four five"; 3]})),
        ("/v1/responses/input_tokens", json!({"input": "How long is it?"})),
    ] {
        let api = api_with(rates((0, 10), (0, 0)));
        let reply = api.send(post(path, body)).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(number(&reply.headers, "x-ratelimit-remaining-tokens"), 10, "{path}: as before the answer");
        let reply = until_refused(&api).await;
        refused(&reply, 429, "rate_limit_exceeded", None);
        assert!(reply.body["error"]["message"].as_str().unwrap().contains("perKey.tokensPerMinute"), "{path}");
        assert!(figures(&api).await.contains("ragline_rate_limited_total{kind=\"tokens\"} 1"), "{path}");
    }
}
