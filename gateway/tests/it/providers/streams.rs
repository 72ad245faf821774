//! Answers of every provider, as they are written: what is asked, what is read, and what happens when something goes wrong.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use ragline_config::AzureOpenAi;
use ragline_gateway::{
    backends::{
        anthropic::AnthropicGenerator,
        gemini::GeminiGenerator,
        http::{
            Policy,
            credentials::{Credentials, Scheme},
        },
        openai::{ChatGenerator, Endpoint},
    },
    traits::generator::{Ending, Finish, GenerateError, GenerationRequest, Generator, Piece, Speaker, Turn, Usage},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::stream_fake::{BEFORE_WORDS, DIALECTS, Dialect, KEY, Mishap, StreamFake, TEXT};

/// Tries follow each other at once, and nobody waits long.
fn policy() -> Policy {
    Policy {
        timeout: Duration::from_secs(5),
        retries: 3,
        retry_delay: Duration::ZERO,
        longest_wait: Duration::from_secs(5),
        reply_bytes: 1 << 20,
    }
}

fn generator(dialect: Dialect, fake: &StreamFake, key: &'static str, policy: Policy) -> Box<dyn Generator> {
    let at = |path: &str| format!("{}/{path}", fake.address).parse().unwrap();
    let credentials = |scheme| Credentials {
        key: Arc::new(move || Some(SecretString::from(key))),
        scheme,
        variables: "SOME_API_KEY".to_owned(),
    };
    let azure = |api_version: Option<&str>| {
        Endpoint::azure(&AzureOpenAi {
            endpoint: fake.address.parse().unwrap(),
            deployment: "m".into(),
            api_version: api_version.map(str::to_owned),
            model: None,
            dimensions: None,
            reasoning: None,
        })
        .unwrap()
    };
    let chat = |endpoint, scheme, policy| -> Box<dyn Generator> {
        Box::new(ChatGenerator::new(endpoint, credentials(scheme), policy).unwrap())
    };
    match dialect {
        Dialect::OpenAi => chat(Endpoint::new(at("v1"), "m", None), Scheme::Bearer, policy),
        Dialect::OpenRouter => chat(Endpoint::new(at("api/v1"), "m", None), Scheme::Bearer, policy),
        Dialect::Azure => chat(azure(None), Scheme::ApiKey, policy),
        Dialect::AzureDated => chat(azure(Some("2024-10-21")), Scheme::ApiKey, policy),
        Dialect::Anthropic => {
            Box::new(AnthropicGenerator::new(at("v1"), "m", None, credentials(Scheme::Anthropic), policy).unwrap())
        }
        Dialect::Gemini => Box::new(GeminiGenerator::new(at("v1beta"), "m", credentials(Scheme::Google), policy).unwrap()),
    }
}

fn question() -> GenerationRequest {
    let said = |speaker, text: &str| Turn { speaker, text: text.into() };
    GenerationRequest {
        system: "Answer from the sources.".into(),
        history: vec![said(Speaker::User, "Hello."), said(Speaker::Assistant, "Yes?")],
        prompt: "Context: [1] ... Question: which port?".into(),
        question: "which port?".into(),
        passages: Vec::new(),
        temperature: 1.5,
        max_tokens: 1_000,
        top_p: 0.5,
    }
}

#[tokio::test]
async fn each_provider_is_asked_in_its_own_words() {
    let chat = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Answer from the sources."},
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Context: [1] ... Question: which port?"},
        ],
        "temperature": 1.5, "max_tokens": 1_000, "top_p": 0.5, "stream": true, "stream_options": {"include_usage": true},
    });
    let messages = json!({
        "model": "m", "max_tokens": 1_000, "temperature": 1.0, "stream": true,
        "system": "Answer from the sources.",
        "messages": [
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Context: [1] ... Question: which port?"},
        ],
    });
    let contents = json!({
        "systemInstruction": {"parts": [{"text": "Answer from the sources."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hello."}]},
            {"role": "model", "parts": [{"text": "Yes?"}]},
            {"role": "user", "parts": [{"text": "Context: [1] ... Question: which port?"}]},
        ],
        "generationConfig": {"temperature": 1.5, "topP": 0.5, "maxOutputTokens": 1_000},
    });
    let expected = |dialect| -> (&str, &Value) {
        match dialect {
            Dialect::OpenAi => ("/v1/chat/completions", &chat),
            Dialect::Azure => ("/openai/v1/chat/completions", &chat),
            Dialect::AzureDated => ("/openai/deployments/m/chat/completions?api-version=2024-10-21", &chat),
            Dialect::OpenRouter => ("/api/v1/chat/completions", &chat),
            Dialect::Anthropic => ("/v1/messages", &messages),
            Dialect::Gemini => ("/v1beta/models/m:streamGenerateContent?alt=sse", &contents),
        }
    };
    for dialect in DIALECTS {
        let fake = StreamFake::start([]).await;
        generator(dialect, &fake, KEY, policy()).generate(&question()).await.unwrap();
        let asked = fake.asked();
        let (path, body) = expected(dialect);
        assert_eq!((asked[0].path.as_str(), &asked[0].body), (path, body), "{dialect:?}");
        let version = asked[0].headers.get("anthropic-version").map(|value| value.to_str().unwrap());
        assert_eq!(version, (dialect == Dialect::Anthropic).then_some("2023-06-01"));
    }
}

#[tokio::test]
async fn each_answer_comes_in_pieces_with_its_usage() {
    for dialect in DIALECTS {
        let fake = StreamFake::start([]).await;
        let pieces = generator(dialect, &fake, KEY, policy()).write(&question()).await.unwrap();
        let pieces: Vec<Piece> = pieces.map(Result::unwrap).collect().await;
        let usage = Usage { prompt_tokens: 20, completion_tokens: 7 };
        let ending = Ending { model: "m".into(), usage, finish: Finish::Stop };
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(pieces, [text("It is "), text("5432 [1]."), Piece::End(ending)], "{dialect:?}");
    }
}

#[tokio::test]
async fn what_passes_is_asked_again_while_no_word_has_come() {
    let status = |status| Mishap::Status(status, None, json!({"error": {"message": "later"}}));
    for dialect in DIALECTS {
        let limited = Mishap::Status(429, Some(("retry-after", "0")), json!({}));
        for mishap in
            [limited, status(503), status(529), Mishap::EndAfter(BEFORE_WORDS), Mishap::CutAfter(1), Mishap::FailAfter(1)]
        {
            let fake = StreamFake::start([mishap.clone()]).await;
            let answer = generator(dialect, &fake, KEY, policy()).generate(&question()).await;
            assert_eq!(answer.unwrap().text, TEXT, "{dialect:?} {mishap:?}");
            assert_eq!(fake.count(), 2, "{dialect:?} {mishap:?}");
        }
    }
}

#[tokio::test]
async fn the_wait_that_a_provider_asks_for_is_kept_in_whichever_way_it_asks() {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.7s"}]);
    let cases = [
        (Dialect::Anthropic, Some(("retry-after", "1")), json!({"type": "error", "error": {"type": "rate_limit_error"}})),
        (Dialect::Azure, Some(("retry-after-ms", "700")), json!({"error": {"code": "429", "message": "slow down"}})),
        (Dialect::Gemini, None, json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}})),
    ];
    for (dialect, header, body) in cases {
        let fake = StreamFake::start([Mishap::Status(429, header, body)]).await;
        let begin = Instant::now();
        generator(dialect, &fake, KEY, policy()).generate(&question()).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(700), "{dialect:?}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn who_asks_for_more_patience_than_there_is_is_told_of_at_once() {
    let fake = StreamFake::start([Mishap::Status(429, Some(("retry-after", "30")), json!({}))]).await;
    let error = generator(Dialect::OpenAi, &fake, KEY, policy()).generate(&question()).await.unwrap_err();
    assert!(matches!(error, GenerateError::RateLimited { retry_after: Some(after), .. } if after == Duration::from_secs(30)));
    assert_eq!(fake.count(), 1);
}

#[tokio::test]
async fn a_wrong_key_is_told_with_the_variable_that_holds_it() {
    for dialect in DIALECTS {
        let fake = StreamFake::start([]).await;
        let error = generator(dialect, &fake, "sk-wrong", policy()).generate(&question()).await.unwrap_err().to_string();
        assert!(error.contains("refuses the key; set SOME_API_KEY") && !error.contains("sk-wrong"), "{dialect:?}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer_and_not_asked_for_again() {
    for dialect in DIALECTS {
        for mishap in [Mishap::EndAfter(BEFORE_WORDS + 1), Mishap::CutAfter(BEFORE_WORDS + 1)] {
            let fake = StreamFake::start([mishap]).await;
            let mut pieces = generator(dialect, &fake, KEY, policy()).write(&question()).await.unwrap();
            assert_eq!(pieces.next().await.unwrap().unwrap(), Piece::Text("It is ".into()));
            let error = pieces.next().await.unwrap().unwrap_err();
            assert!(matches!(error, GenerateError::Unreachable { .. }), "{dialect:?}: {error:?}");
            assert!(pieces.next().await.is_none());
            assert_eq!(fake.count(), 1);
        }
    }
}

#[tokio::test]
async fn an_error_in_the_midst_of_an_answer_is_told_as_what_it_is() {
    for dialect in DIALECTS {
        let fake = StreamFake::start([Mishap::FailAfter(BEFORE_WORDS + 1)]).await;
        let error = generator(dialect, &fake, KEY, policy()).generate(&question()).await.unwrap_err();
        assert!(
            matches!(&error, GenerateError::Refused { status: 500.., message, .. } if message == "Overloaded"),
            "{dialect:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn silence_is_left_after_the_time_out_before_the_first_word_and_between_two() {
    let policy = || Policy { timeout: Duration::from_millis(300), retries: 0, ..policy() };
    for mishap in [Mishap::Hang, Mishap::HangAfter(BEFORE_WORDS), Mishap::HangAfter(BEFORE_WORDS + 1)] {
        let fake = StreamFake::start([mishap]).await;
        let answer = generator(Dialect::OpenRouter, &fake, KEY, policy());
        let error = timeout(Duration::from_secs(3), answer.generate(&question())).await.unwrap().unwrap_err();
        assert!(matches!(error, GenerateError::TimedOut { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let fake = StreamFake::start([Mishap::Flood(4 << 20)]).await;
    let error = generator(Dialect::OpenAi, &fake, KEY, policy()).generate(&question()).await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn who_stops_reading_ends_the_request() {
    for dialect in DIALECTS {
        let fake = StreamFake::start([Mishap::HangAfter(BEFORE_WORDS + 1)]).await;
        let mut pieces = generator(dialect, &fake, KEY, policy()).write(&question()).await.unwrap();
        pieces.next().await.unwrap().unwrap();
        drop(pieces);
        timeout(Duration::from_secs(5), fake.is_left()).await.expect("the fake sees the connection close");
    }
}

#[tokio::test]
async fn who_stops_waiting_for_the_first_word_ends_the_request() {
    let fake = StreamFake::start([Mishap::HangAfter(1)]).await;
    let generator = generator(Dialect::Anthropic, &fake, KEY, policy());
    let given_up = timeout(Duration::from_millis(300), generator.generate(&question())).await;
    assert!(given_up.is_err());
    timeout(Duration::from_secs(5), fake.is_left()).await.expect("the fake sees the connection close");
}

#[tokio::test]
async fn a_model_that_refuses_a_temperature_is_asked_without_one_from_then_on() {
    let openai = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    let anthropic = "`temperature` is deprecated for this model.";
    for (dialect, message) in [(Dialect::OpenAi, openai), (Dialect::Anthropic, anthropic)] {
        let refusal = Mishap::Status(400, None, json!({"error": {"message": message, "type": "invalid_request_error"}}));
        let fake = StreamFake::start([refusal]).await;
        let generator = generator(dialect, &fake, KEY, policy());
        for _ in 0..2 {
            assert_eq!(generator.generate(&question()).await.unwrap().text, TEXT);
        }
        let asked = fake.asked();
        assert_eq!(asked.len(), 3, "refused once, then known");
        for request in &asked[1..] {
            assert!(request.body.get("temperature").is_none() && request.body.get("top_p").is_none(), "{:?}", request.body);
        }
        let limit = if dialect == Dialect::OpenAi { "max_completion_tokens" } else { "max_tokens" };
        assert_eq!(asked[2].body[limit], 1_000);
    }
}

#[tokio::test]
async fn a_refusal_that_no_wait_mends_is_told_at_once() {
    let cases = [
        (Dialect::OpenAi, 429, json!({"error": {"message": "no money", "code": "insufficient_quota"}}), "no money"),
        (Dialect::OpenRouter, 402, json!({"error": {"code": 402, "message": "Insufficient credits"}}), "Insufficient credits"),
        (Dialect::Azure, 400, json!({"error": {"code": "content_filter", "message": "filtered"}}), "filtered"),
        (Dialect::Anthropic, 413, json!({"error": {"type": "request_too_large", "message": "too large"}}), "too large"),
        (Dialect::Gemini, 404, json!({"error": {"code": 404, "message": "models/m is not found"}}), "is not found"),
    ];
    for (dialect, status, body, words) in cases {
        let fake = StreamFake::start([Mishap::Status(status, None, body)]).await;
        let error = generator(dialect, &fake, KEY, policy()).generate(&question()).await.unwrap_err();
        assert!(matches!(&error, GenerateError::Refused { message, .. } if message.contains(words)), "{dialect:?}: {error:?}");
        assert_eq!(fake.count(), 1);
    }
}
