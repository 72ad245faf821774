//! A server that speaks the wire format of every provider of language models on the loopback, and misbehaves on demand.
//!
//! The formats are those of the providers' documentation:
//! - OpenAI: <https://platform.openai.com/docs/api-reference/chat-streaming>
//! - Azure OpenAI: <https://learn.microsoft.com/azure/ai-foundry/openai/reference> and, without a date,
//!   <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>
//! - OpenRouter: <https://openrouter.ai/docs/api-reference/streaming> (comments, errors in the stream)
//! - Anthropic: <https://docs.anthropic.com/en/api/messages-streaming>, <https://docs.anthropic.com/en/api/errors>
//! - Gemini: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/gemini-api/docs/troubleshooting>

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The key that the fake takes.
pub(crate) const KEY: &str = "sk-test";
/// What its models answer.
pub(crate) const TEXT: &str = "It is 5432 [1].";
/// Frames before the first word of each answer, and all frames of it, at least.
pub(crate) const BEFORE_WORDS: usize = 2;

/// A wire format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    OpenAi,
    Azure,
    AzureDated,
    OpenRouter,
    Anthropic,
    Gemini,
}

pub(crate) const DIALECTS: [Dialect; 6] =
    [Dialect::OpenAi, Dialect::Azure, Dialect::AzureDated, Dialect::OpenRouter, Dialect::Anthropic, Dialect::Gemini];

/// What the fake does with one request instead of answering it.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    Status(u16, Option<(&'static str, &'static str)>, Value),
    /// Never answers.
    Hang,
    /// Goes silent after so many frames.
    HangAfter(usize),
    /// Breaks the connection after so many frames.
    CutAfter(usize),
    /// Ends the stream properly, but after so many frames.
    EndAfter(usize),
    /// The provider's own error event after so many frames.
    FailAfter(usize),
    /// So many bytes of comments after the first frames.
    Flood(usize),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug)]
pub(crate) struct StreamFake {
    /// `http://host:port`.
    pub(crate) address: String,
    asked: Mutex<Vec<Asked>>,
    mishaps: Mutex<VecDeque<Mishap>>,
    /// Answers whose reader is gone before their end.
    left: watch::Sender<usize>,
}

impl StreamFake {
    /// Starts a fake; the mishaps befall its first requests.
    pub(crate) async fn start(mishaps: impl IntoIterator<Item = Mishap>) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Arc::new(Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            asked: Mutex::default(),
            mishaps: Mutex::new(mishaps.into_iter().collect()),
            left: watch::Sender::new(0),
        });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&fake));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        fake
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Resolves once the reader of an answer has gone away.
    pub(crate) async fn is_left(&self) {
        self.left.subscribe().wait_for(|left| *left > 0).await.unwrap();
    }
}

impl Dialect {
    /// The one that is spoken at this path.
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/chat/completions" => Self::OpenAi,
            "/openai/v1/chat/completions" => Self::Azure,
            path if path.starts_with("/openai/deployments/") && path.contains("?api-version=") => Self::AzureDated,
            "/api/v1/chat/completions" => Self::OpenRouter,
            "/v1/messages" => Self::Anthropic,
            path if path.starts_with("/v1beta/models/") && path.ends_with(":streamGenerateContent?alt=sse") => Self::Gemini,
            _ => return None,
        })
    }

    /// The header that carries the key, and its value.
    pub(crate) fn key(self) -> (&'static str, String) {
        match self {
            Self::OpenAi | Self::OpenRouter => ("authorization", format!("Bearer {KEY}")),
            Self::Azure | Self::AzureDated => ("api-key", KEY.to_owned()),
            Self::Anthropic => ("x-api-key", KEY.to_owned()),
            Self::Gemini => ("x-goog-api-key", KEY.to_owned()),
        }
    }

    /// How a wrong key is refused.
    fn unauthorized(self) -> (u16, Value) {
        match self {
            Self::OpenAi | Self::OpenRouter => {
                (401, json!({"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}))
            }
            Self::Azure | Self::AzureDated => {
                (401, json!({"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}))
            }
            Self::Anthropic => {
                (401, json!({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}))
            }
            Self::Gemini => {
                let detail = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"});
                let message = "API key not valid. Please pass a valid API key.";
                (400, json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": [detail]}}))
            }
        }
    }

    /// An answer in 20 and 7 tokens, in frames.
    fn frames(self) -> Vec<String> {
        let [first, second] = ["It is ", "5432 [1]."];
        match self {
            Self::Anthropic => {
                let delta = |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
                let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [], "stop_reason": null,
                    "usage": {"input_tokens": 20, "output_tokens": 1}});
                let events = [
                    json!({"type": "message_start", "message": message}),
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                    delta(first),
                    json!({"type": "ping"}),
                    delta(second),
                    json!({"type": "content_block_stop", "index": 0}),
                    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
                    json!({"type": "message_stop"}),
                ];
                events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
            }
            Self::Gemini => {
                let usage = json!({"promptTokenCount": 20, "candidatesTokenCount": 7, "totalTokenCount": 27});
                let part = |text: &str, thought: bool| json!({"parts": [{"text": text, "thought": thought}], "role": "model"});
                let events = [
                    json!({"candidates": [], "usageMetadata": {"promptTokenCount": 20}}),
                    json!({"candidates": [{"content": part("Which port, hm.", true), "index": 0}]}),
                    json!({"candidates": [{"content": part(first, false), "index": 0}]}),
                    json!({"candidates": [{"content": part(second, false), "index": 0}]}),
                    json!({"candidates": [{"content": part("", false), "finishReason": "STOP", "index": 0}], "usageMetadata": usage}),
                ];
                events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect()
            }
            Self::OpenAi | Self::Azure | Self::AzureDated | Self::OpenRouter => {
                let chunk = |delta: Value, reason: Value| {
                    json!({"id": "1", "object": "chat.completion.chunk", "created": 1,
                    "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": null})
                };
                let opening = match self {
                    Self::Azure | Self::AzureDated => {
                        format!("data: {}\n\n", json!({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}))
                    }
                    Self::OpenRouter => ": OPENROUTER PROCESSING\n\n".to_owned(),
                    _ => "\n".to_owned(),
                };
                let usage = json!({"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27});
                let frame = |event: Value| format!("data: {event}\n\n");
                vec![
                    opening,
                    frame(chunk(json!({"role": "assistant", "content": ""}), Value::Null)),
                    frame(chunk(json!({"content": first}), Value::Null)),
                    frame(chunk(json!({"content": second}), Value::Null)),
                    frame(chunk(json!({}), json!("stop"))),
                    frame(json!({"object": "chat.completion.chunk", "choices": [], "usage": usage})),
                    "data: [DONE]\n\n".to_owned(),
                ]
            }
        }
    }

    /// How an overloaded provider says so in the midst of an answer.
    fn failure(self) -> String {
        match self {
            Self::Anthropic => {
                let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
                format!("event: error\ndata: {error}\n\n")
            }
            Self::Gemini => {
                format!("data: {}\r\n\r\n", json!({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}))
            }
            Self::OpenRouter => {
                let choice = json!({"index": 0, "delta": {"content": ""}, "finish_reason": "error"});
                format!("data: {}\n\n", json!({"error": {"code": 502, "message": "Overloaded"}, "choices": [choice]}))
            }
            Self::OpenAi | Self::Azure | Self::AzureDated => {
                format!("data: {}\n\n", json!({"error": {"message": "Overloaded", "type": "server_error", "code": null}}))
            }
        }
    }
}

async fn answer(State(fake): State<Arc<StreamFake>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().unwrap().to_string();
    let Some(dialect) = Dialect::at(&path) else {
        return (StatusCode::NOT_FOUND, Json(json!({"error": {"message": format!("no route {path}")}}))).into_response();
    };
    let (name, key) = dialect.key();
    if headers.get(name).and_then(|value| value.to_str().ok()) != Some(key.as_str()) {
        let (status, body) = dialect.unauthorized();
        return (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
    }
    fake.asked.lock().unwrap().push(Asked { path, headers, body: serde_json::from_slice(&body).unwrap() });
    let mishap = fake.mishaps.lock().unwrap().pop_front();
    let mut frames = dialect.frames();
    let mut after = After::End;
    match mishap {
        None => {}
        Some(Mishap::Hang) => std::future::pending().await,
        Some(Mishap::Status(status, header, body)) => {
            let mut reply = (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
            if let Some((name, value)) = header {
                reply.headers_mut().insert(name, value.parse().unwrap());
            }
            return reply;
        }
        Some(Mishap::HangAfter(count)) => {
            frames.truncate(count);
            after = After::Hang;
        }
        Some(Mishap::CutAfter(count)) => {
            frames.truncate(count);
            after = After::Cut;
        }
        Some(Mishap::EndAfter(count)) => frames.truncate(count),
        Some(Mishap::FailAfter(count)) => {
            frames.truncate(count);
            frames.push(dialect.failure());
        }
        Some(Mishap::Flood(bytes)) => {
            frames.truncate(BEFORE_WORDS + 1);
            frames.extend((0..bytes / 1_024).map(|_| format!(": {}\n", "x".repeat(1_021))));
        }
    }
    let reader = Reader { left: fake.left.clone(), served: false };
    let body = stream::unfold((frames.into_iter(), reader), move |(mut frames, reader)| async move {
        match (frames.next(), after) {
            (Some(frame), _) => Some((Ok(Bytes::from(frame)), (frames, reader))),
            (None, After::End) => {
                reader.finish();
                None
            }
            (None, After::Cut) => {
                // What was said before is on its way.
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Err(std::io::Error::other("gone")), (frames, reader)))
            }
            (None, After::Hang) => std::future::pending().await,
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::from_stream(body)).into_response()
}

/// What comes after the last frame.
#[derive(Clone, Copy)]
enum After {
    End,
    Cut,
    Hang,
}

/// Notes when an answer is given up.
struct Reader {
    left: watch::Sender<usize>,
    served: bool,
}

impl Reader {
    fn finish(mut self) {
        self.served = true;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.served {
            self.left.send_modify(|left| *left += 1);
        }
    }
}
