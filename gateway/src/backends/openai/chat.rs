//! Answers from an OpenAI-compatible server, by `POST {baseUrl}/chat/completions`.

use async_trait::async_trait;
use ragline_config::{Generation, OpenAiCompatible, Seconds};
use serde::{Deserialize, Serialize};

use crate::{
    backends::http::{CallError, ClientError, KeySource, ModelServer, Policy},
    traits::generator::{Ending, Finish, GenerateError, Generated, GenerationRequest, Generator, Pieces, Usage},
};

/// Bytes of a reply; an answer of 100,000 tokens fits.
const REPLY_BYTES: usize = 4 << 20;
/// Wait before the first retry.
const RETRY_DELAY: Seconds = Seconds(1);

/// A chat model.
#[derive(Debug)]
pub struct ChatGenerator {
    server: ModelServer,
    model: String,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    temperature: f32,
    max_tokens: u32,
    top_p: f32,
    stream: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Reply {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<ReplyUsage>,
}

#[derive(Deserialize)]
struct Choice {
    message: ReplyMessage,
}

#[derive(Deserialize)]
struct ReplyMessage {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct ReplyUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl ChatGenerator {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(server: &OpenAiCompatible, settings: &Generation, key: KeySource) -> Result<Self, ClientError> {
        let policy = Policy {
            timeout: settings.timeout_seconds.into(),
            retries: settings.retry_attempts,
            retry_delay: RETRY_DELAY.into(),
            reply_bytes: REPLY_BYTES,
        };
        Ok(Self { server: ModelServer::new(server.base_url.clone(), key, policy)?, model: server.model.clone() })
    }

    fn error(&self, error: CallError) -> GenerateError {
        let host = self.server.host().to_owned();
        match error {
            CallError::Unauthorized => GenerateError::Unauthorized { host },
            CallError::RateLimited { retry_after } => GenerateError::RateLimited { host, retry_after },
            CallError::TimedOut(timeout) => GenerateError::TimedOut { host, timeout },
            CallError::Unreachable(source) => GenerateError::Unreachable { host, source },
            CallError::Refused { status, message } => GenerateError::Refused { host, status, message },
            CallError::Malformed(what) => GenerateError::Malformed { host, what },
        }
    }
}

#[async_trait]
impl Generator for ChatGenerator {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        let GenerationRequest { system, history: _, prompt, question: _, passages: _, temperature, max_tokens, top_p } = request;
        let body = Request {
            model: &self.model,
            messages: [Message { role: "system", content: system }, Message { role: "user", content: prompt }],
            temperature: *temperature,
            max_tokens: *max_tokens,
            top_p: *top_p,
            stream: false,
        };
        let reply = self.server.post("chat/completions", &body).await.map_err(|error| self.error(error))?;
        let malformed = |what: String| GenerateError::Malformed { host: self.server.host().to_owned(), what };
        let reply: Reply = serde_json::from_slice(&reply).map_err(|error| malformed(error.to_string()))?;
        let choice = reply.choices.into_iter().next().ok_or_else(|| malformed("it has no choices".into()))?;
        let text = choice.message.content.filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| malformed("its first choice has no text".into()))?;
        let usage = reply.usage.map_or_else(Usage::default, |usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        });
        let ending = Ending { model: self.model.clone(), usage, finish: Finish::Stop };
        Ok(Generated { text, ending }.into_pieces())
    }

    fn model_name(&self) -> &str {
        &self.model
    }

    async fn health(&self) -> Result<(), GenerateError> {
        match self.server.get("models").await {
            // Not every server lists its models; one that says so is there and took the key.
            Ok(_) | Err(CallError::Refused { status: 404 | 405, .. }) => Ok(()),
            Err(error) => Err(self.error(error)),
        }
    }
}
