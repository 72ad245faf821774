//! Answers from Anthropic's Messages API, as they are written.
//! <https://docs.anthropic.com/en/api/messages>, <https://docs.anthropic.com/en/api/messages-streaming>

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    backends::http::{
        CallError, ClientError, ModelServer, Policy,
        answer::{self, Reading, Step, malformed, refused},
        credentials::Credentials,
        judge::Refusal,
    },
    traits::generator::{Finish, GenerateError, GenerationRequest, Generator, Pieces, Speaker, Turn, Usage, conversation},
};

/// Other providers' temperatures go up to 2.
const MOST_TEMPERATURE: f32 = 1.0;

/// A Claude.
#[derive(Debug)]
pub struct AnthropicGenerator {
    server: ModelServer,
    model: String,
    /// Whether the model refuses a temperature; `None`: to be found out.
    reasoning: Option<bool>,
    /// Whether it has said so.
    reasons: AtomicBool,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    system: &'a str,
    messages: Vec<Message<'a>>,
    /// Never beside a top-p: newer models take one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    stream: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl AnthropicGenerator {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(
        base: Url,
        model: &str,
        reasoning: Option<bool>,
        credentials: impl Into<Credentials>,
        policy: Policy,
    ) -> Result<Self, ClientError> {
        let reasons = AtomicBool::new(reasoning.unwrap_or_default());
        Ok(Self { server: ModelServer::new(base, credentials, policy)?, model: model.to_owned(), reasoning, reasons })
    }

    async fn ask(&self, request: &GenerationRequest, reasons: bool) -> Result<Pieces, GenerateError> {
        let GenerationRequest { system, history, prompt, question: _, passages: _, temperature, max_tokens, top_p: _ } = request;
        let prompt = Message { role: "user", content: prompt };
        let body = Request {
            model: &self.model,
            max_tokens: *max_tokens,
            system,
            messages: conversation(history).map(message).chain([prompt]).collect(),
            temperature: (!reasons).then_some(temperature.min(MOST_TEMPERATURE)),
            stream: true,
        };
        answer::write(&self.server, "messages", &body, &self.model, MessageEvents::default).await
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
impl Generator for AnthropicGenerator {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        let reasons = self.reasons.load(Ordering::Relaxed);
        match self.ask(request, reasons).await {
            Err(error) if !reasons && self.reasoning.is_none() && error.concerns_sampling() => {
                let pieces = self.ask(request, true).await?;
                self.reasons.store(true, Ordering::Relaxed);
                Ok(pieces)
            }
            written => written,
        }
    }

    fn model_name(&self) -> &str {
        &self.model
    }

    async fn health(&self) -> Result<(), GenerateError> {
        match self.server.get("models").await {
            // A proxy need not list models.
            Ok(_) | Err(CallError::Refused { status: 404 | 405, .. }) => Ok(()),
            Err(error) => Err(self.server.generate_error(error)),
        }
    }
}

/// What has been read of one message.
#[derive(Debug, Default)]
struct MessageEvents {
    usage: Usage,
    finish: Option<Finish>,
}

/// The documentation asks to let events pass that one does not know.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Begin,
    },
    ContentBlockDelta {
        delta: BlockDelta,
    },
    MessageDelta {
        delta: End,
        #[serde(default)]
        usage: EventUsage,
    },
    MessageStop,
    Error {
        #[serde(default)]
        error: ErrorKind,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    usage: EventUsage,
}

#[derive(Default, Deserialize)]
struct EventUsage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockDelta {
    TextDelta {
        text: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct End {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct ErrorKind {
    #[serde(default, rename = "type")]
    kind: String,
}

impl MessageEvents {
    /// Counts are cumulative.
    fn count(&mut self, usage: &EventUsage) {
        if let Some(input) = usage.input_tokens {
            let cached = [usage.cache_creation_input_tokens, usage.cache_read_input_tokens];
            self.usage.prompt_tokens = cached.into_iter().flatten().fold(input, u64::saturating_add);
        }
        self.usage.completion_tokens = usage.output_tokens.unwrap_or(self.usage.completion_tokens);
    }
}

impl Reading for MessageEvents {
    fn read(&mut self, event: &str) -> Result<Step, Refusal> {
        Ok(match serde_json::from_str(event).map_err(|error| malformed(&error))? {
            Event::MessageStart { message } => {
                self.count(&message.usage);
                Step::Nothing
            }
            Event::ContentBlockDelta { delta: BlockDelta::TextDelta { text } } => Step::Text(text),
            Event::MessageDelta { delta, usage } => {
                self.count(&usage);
                self.finish = delta.stop_reason.map(|reason| finish(&reason)).or(self.finish);
                Step::Nothing
            }
            Event::MessageStop => Step::Done,
            Event::Error { error } => return Err(refused(status(&error.kind), event)),
            Event::ContentBlockDelta { delta: BlockDelta::Other } | Event::Other => Step::Nothing,
        })
    }

    fn ending(&self) -> Option<(Usage, Finish)> {
        Some((self.usage, self.finish?))
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        // What a refusal cuts off is as little complete.
        "max_tokens" | "model_context_window_exceeded" | "refusal" => Finish::Length,
        _ => Finish::Stop,
    }
}

/// The status that an error in a stream would have had as a reply: <https://docs.anthropic.com/en/api/errors>.
fn status(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_usage_and_the_reason_to_stop_are_read_and_the_rest_passes() {
        let mut reading = MessageEvents::default();
        let events = [
            r#"{"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":20,"cache_read_input_tokens":5}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It is"}}"#,
            r#"{"type":"something_new","of":"tomorrow"}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":15}}"#,
            r#"{"type":"message_stop"}"#,
        ];
        let steps = events.iter().map(|event| reading.read(event).unwrap()).filter(|step| *step != Step::Nothing);
        assert_eq!(steps.collect::<Vec<_>>(), [Step::Text("It is".into()), Step::Done]);
        assert_eq!(reading.ending(), Some((Usage { prompt_tokens: 25, completion_tokens: 15 }, Finish::Length)));
    }

    #[test]
    fn an_error_in_the_stream_is_judged_as_a_reply_is() {
        let event = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let refusal = MessageEvents::default().read(event).unwrap_err();
        assert!(matches!(&refusal, Refusal::Failing { status: 529, message, .. } if message == "Overloaded"), "{refusal:?}");
    }
}
