//! Answers by `POST {base}/chat/completions`, as they are written.
//! <https://platform.openai.com/docs/api-reference/chat/create>

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde::Serialize;

use super::{chat_events::ChatEvents, endpoint::Endpoint};
use crate::{
    backends::http::{CallError, ClientError, ModelServer, Policy, answer, credentials::Credentials},
    traits::generator::{GenerateError, GenerationRequest, Generator, Pieces, Speaker, Turn},
};

/// A chat model.
#[derive(Debug)]
pub struct ChatGenerator {
    server: ModelServer,
    endpoint: Endpoint,
    /// Whether the model has said that it takes neither temperature nor top-p.
    reasons: AtomicBool,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(flatten)]
    parameters: Parameters,
    stream: bool,
    stream_options: StreamOptions,
}

/// What models take that write at once, and what those take that think first.
#[derive(Serialize)]
#[serde(untagged)]
enum Parameters {
    Sampling { temperature: f32, max_tokens: u32, top_p: f32 },
    Reasoning { max_completion_tokens: u32 },
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl ChatGenerator {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(endpoint: Endpoint, credentials: impl Into<Credentials>, policy: Policy) -> Result<Self, ClientError> {
        let server = ModelServer::new(endpoint.base.clone(), credentials, policy)?;
        let reasons = AtomicBool::new(endpoint.reasoning.unwrap_or_default());
        Ok(Self { server, endpoint, reasons })
    }

    async fn ask(&self, request: &GenerationRequest, reasons: bool) -> Result<Pieces, GenerateError> {
        let GenerationRequest { system, history, prompt, question: _, passages: _, temperature, max_tokens, top_p } = request;
        let system = Message { role: "system", content: system };
        let prompt = Message { role: "user", content: prompt };
        let parameters = if reasons {
            Parameters::Reasoning { max_completion_tokens: *max_tokens }
        } else {
            Parameters::Sampling { temperature: *temperature, max_tokens: *max_tokens, top_p: *top_p }
        };
        let body = Request {
            model: &self.endpoint.asked,
            messages: [system].into_iter().chain(history.iter().map(message)).chain([prompt]).collect(),
            parameters,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
        };
        let path = self.endpoint.path("chat/completions");
        answer::write(&self.server, &path, &body, &self.endpoint.model, ChatEvents::default).await
    }
}

fn message(Turn { speaker, text }: &Turn) -> Message<'_> {
    let role = match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    };
    Message { role, content: text }
}

#[async_trait]
impl Generator for ChatGenerator {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        let reasons = self.reasons.load(Ordering::Relaxed);
        match self.ask(request, reasons).await {
            Err(error) if !reasons && self.endpoint.reasoning.is_none() && error.concerns_sampling() => {
                let pieces = self.ask(request, true).await?;
                self.reasons.store(true, Ordering::Relaxed);
                Ok(pieces)
            }
            written => written,
        }
    }

    fn model_name(&self) -> &str {
        &self.endpoint.model
    }

    async fn health(&self) -> Result<(), GenerateError> {
        match self.server.get(&self.endpoint.path("models")).await {
            // Not every server lists its models; one that says so is there and took the key.
            Ok(_) | Err(CallError::Refused { status: 404 | 405, .. }) => Ok(()),
            Err(error) => Err(self.server.generate_error(error)),
        }
    }
}
