//! The OpenAI-compatible embedder and generator, end to end against a fake server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ragline_config::{Embedding, EmbeddingProvider, Generation, OpenAiCompatible, Seconds};
use ragline_gateway::{
    backends::{
        http::{
            Policy,
            credentials::{Credentials, KeySource, Scheme},
        },
        openai::{ChatGenerator, OpenAiEmbedder},
    },
    traits::{
        embedder::{EmbedError, Embedder},
        generator::{GenerateError, GenerationRequest, Generator, Usage},
    },
};
use secrecy::SecretString;
use serde_json::json;

use super::fake::{Fake, KEY, Mishap, vector};

const DIMENSIONS: u32 = 1_536;

fn key(key: &'static str) -> KeySource {
    Arc::new(move || Some(SecretString::from(key)))
}

fn server(fake: &Fake) -> OpenAiCompatible {
    OpenAiCompatible {
        base_url: fake.base_url.clone(),
        model: "text-embedding-3-small".into(),
        dimensions: Some(DIMENSIONS),
        reasoning: None,
    }
}

/// An embedder of a server.
fn embedder_of(server: OpenAiCompatible, settings: Embedding, key: KeySource) -> OpenAiEmbedder {
    let settings = Embedding { provider: EmbeddingProvider::OpenAiCompatible(server.clone()), ..settings };
    let credentials =
        Credentials { key, scheme: Scheme::Bearer, variables: "RAGLINE_EMBEDDING_API_KEY or OPENAI_API_KEY".into() };
    OpenAiEmbedder::new((&server).into(), &settings, credentials).unwrap()
}

/// An embedder that does not wait between tries.
fn embedder(fake: &Fake) -> OpenAiEmbedder {
    let settings = Embedding { retry_delay_seconds: Seconds(0), timeout_seconds: Seconds(20), ..Embedding::default() };
    embedder_of(server(fake), settings, key(KEY))
}

fn limited() -> Mishap {
    Mishap::Status(
        429,
        Some("0"),
        json!({"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}),
    )
}

#[tokio::test]
async fn texts_go_out_in_batches_of_100_five_at_once_and_come_back_in_order() {
    let fake = Fake::gathering(5, DIMENSIONS as usize, []).await;
    let texts: Vec<String> = (0..1_050).map(|n| "x".repeat(1 + n)).collect();
    let embedder = embedder_of(server(&fake), Embedding::default(), key(KEY));
    let vectors = embedder.embed_batch(&texts).await.unwrap();
    for (text, found) in texts.iter().zip(&vectors) {
        let expected: Vec<f32> = vector(text, DIMENSIONS as usize).iter().map(|x| x / 2.0).collect();
        assert_eq!(*found, expected, "the vector of a text of {} bytes, scaled to norm 1", text.len());
    }
    let requests = fake.requests.lock().unwrap();
    let mut sizes: Vec<usize> = requests.iter().map(|r| r["input"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [vec![50], vec![100; 10]].concat());
    assert_eq!(fake.most_under_way(), 5);
    assert_eq!(requests[0]["model"], "text-embedding-3-small");
    assert_eq!(requests[0]["dimensions"], DIMENSIONS);
    assert_eq!(requests[0]["encoding_format"], "float");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let mishaps = [limited(), Mishap::Status(503, None, json!({})), Mishap::Truncate];
    let fake = Fake::start(DIMENSIONS as usize, mishaps).await;
    embedder(&fake).embed("question").await.unwrap();
    assert_eq!(fake.count(), 4);
}

#[tokio::test]
async fn after_three_retries_the_last_refusal_is_told() {
    let fake = Fake::start(DIMENSIONS as usize, vec![limited(); 4]).await;
    let error = embedder(&fake).embed("question").await.unwrap_err();
    assert!(matches!(error, EmbedError::RateLimited { .. }), "{error}");
    assert_eq!(fake.count(), 4);
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let wait = Mishap::Status(429, Some("1"), json!({}));
    let fake = Fake::start(DIMENSIONS as usize, [wait]).await;
    let begin = Instant::now();
    embedder(&fake).embed("question").await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_the_time_out() {
    let fake = Fake::start(DIMENSIONS as usize, vec![Mishap::Hang; 9]).await;
    let settings = Embedding { retry_attempts: 0, timeout_seconds: Seconds(1), ..Embedding::default() };
    let embedder = embedder_of(server(&fake), settings, key(KEY));
    let error = embedder.embed("question").await.unwrap_err();
    assert!(matches!(error, EmbedError::TimedOut { timeout, .. } if timeout == Duration::from_secs(1)), "{error}");
}

#[tokio::test]
async fn a_wrong_key_is_told_at_once_and_a_rotated_one_is_taken_up() {
    let fake = Fake::start(DIMENSIONS as usize, []).await;
    let current = Arc::new(std::sync::Mutex::new("sk-old"));
    let source: KeySource = {
        let current = Arc::clone(&current);
        Arc::new(move || Some(SecretString::from(*current.lock().unwrap())))
    };
    let embedder = embedder_of(server(&fake), Embedding::default(), source);
    for error in [embedder.embed("question").await.map(drop).unwrap_err(), embedder.health().await.unwrap_err()] {
        assert!(matches!(error, EmbedError::Unauthorized { .. }), "{error}");
        assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
    }
    *current.lock().unwrap() = KEY;
    embedder.embed("question").await.unwrap();
    embedder.health().await.unwrap();
}

#[tokio::test]
async fn a_reply_that_does_not_fit_the_request_is_refused() {
    let item = |index: usize, length: usize| json!({"index": index, "embedding": vec![1.0; length]});
    let cases = [
        (json!({"data": []}), "vector 0 of 1 is missing"),
        (json!({"data": [item(1, 1_536)]}), "vector 1 for 1 texts"),
        (json!({"data": [item(0, 1_536), item(0, 1_536)]}), "comes twice"),
        (json!({"data": [item(0, 768)]}), "gives 768 dimensions, 1536 are configured"),
        (json!({"data": [{"index": 0, "embedding": vec![0.0; 1_536]}]}), "no direction"),
        (json!({"vectors": []}), "cannot be read"),
    ];
    for (body, says) in cases {
        let fake = Fake::start(DIMENSIONS as usize, [Mishap::Body(body)]).await;
        let error = embedder(&fake).embed("question").await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(fake.count(), 1, "no try mends {says}");
    }
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let fake = Fake::start(DIMENSIONS as usize, [Mishap::Flood(64 << 20)]).await;
    let error = embedder(&fake).embed("question").await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_by_host() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = Fake::start(DIMENSIONS as usize, []).await;
    let mut server = server(&fake);
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    server.base_url.set_port(Some(port)).unwrap();
    let settings = Embedding { retry_delay_seconds: Seconds(0), ..Embedding::default() };
    let error = embedder_of(server, settings, key(KEY)).embed("question").await.unwrap_err();
    assert!(matches!(&error, EmbedError::Unreachable { host, .. } if *host == format!("127.0.0.1:{port}")), "{error}");
}

fn question() -> GenerationRequest {
    GenerationRequest {
        history: Vec::new(),
        system: "Answer from the sources.".into(),
        prompt: "Context: [1] ... Question: which port?".into(),
        question: "which port?".into(),
        passages: Vec::new(),
        temperature: 0.25,
        max_tokens: 1_000,
        top_p: 0.5,
    }
}

fn generator(fake: &Fake, retry_attempts: u32) -> ChatGenerator {
    let server =
        OpenAiCompatible { base_url: fake.base_url.clone(), model: "gpt-4o-mini".into(), dimensions: None, reasoning: None };
    let settings = Generation { retry_attempts, timeout_seconds: Seconds(1), ..Generation::default() };
    ChatGenerator::new((&server).into(), key(KEY), Policy::generation(&settings)).unwrap()
}

#[tokio::test]
async fn a_chat_server_that_does_not_stream_is_read_as_well() {
    let fake = Fake::start(1, []).await;
    let answer = generator(&fake, 3).generate(&question()).await.unwrap();
    assert_eq!(answer.text, "It is 5432 [1].");
    assert_eq!(answer.ending.usage, Usage { prompt_tokens: 42, completion_tokens: 7 });
    let expected = json!({
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Answer from the sources."},
            {"role": "user", "content": "Context: [1] ... Question: which port?"},
        ],
        "temperature": 0.25, "max_tokens": 1_000, "top_p": 0.5, "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(*fake.requests.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_chat_server_in_trouble_is_told_as_what_it_is() {
    let refusal = |status, code: &str| Mishap::Status(status, None, json!({"error": {"message": "no such model", "code": code}}));
    type Check = fn(&GenerateError) -> bool;
    let cases: [(Mishap, Check); 5] = [
        (
            refusal(404, "model_not_found"),
            |e| matches!(e, GenerateError::Refused { status: 404, message, .. } if message == "no such model"),
        ),
        (refusal(429, "insufficient_quota"), |e| matches!(e, GenerateError::Refused { status: 429, .. })),
        (Mishap::Hang, |e| matches!(e, GenerateError::TimedOut { .. })),
        (Mishap::Truncate, |e| matches!(e, GenerateError::Unreachable { .. })),
        (Mishap::Body(json!({"choices": []})), |e| matches!(e, GenerateError::Malformed { .. })),
    ];
    for (mishap, is_right) in cases {
        let fake = Fake::start(1, [mishap]).await;
        let error = generator(&fake, 0).generate(&question()).await.unwrap_err();
        assert!(is_right(&error), "{error}");
    }
}
