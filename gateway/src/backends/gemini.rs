//! Answers from Gemini, as they are written, by `POST {base}/models/{model}:streamGenerateContent?alt=sse`.
//! <https://ai.google.dev/api/generate-content>

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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

/// A Gemini.
#[derive(Debug)]
pub struct GeminiGenerator {
    server: ModelServer,
    model: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    system_instruction: Content<'a>,
    contents: Vec<Content<'a>>,
    generation_config: GenerationConfig,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    temperature: f32,
    top_p: f32,
    max_output_tokens: u32,
}

impl GeminiGenerator {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(base: Url, model: &str, credentials: impl Into<Credentials>, policy: Policy) -> Result<Self, ClientError> {
        let server = ModelServer::new(base, credentials, policy)?;
        Ok(Self { server, model: model.trim_start_matches("models/").to_owned() })
    }
}

fn content(Turn { speaker, text }: &Turn) -> Content<'_> {
    let role = match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "model",
    };
    Content { role: Some(role), parts: [Part { text }] }
}

#[async_trait]
impl Generator for GeminiGenerator {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        let GenerationRequest { system, history, prompt, question: _, passages: _, temperature, max_tokens, top_p } = request;
        let prompt = Content { role: Some("user"), parts: [Part { text: prompt }] };
        let body = Request {
            system_instruction: Content { role: None, parts: [Part { text: system }] },
            contents: conversation(history).map(content).chain([prompt]).collect(),
            generation_config: GenerationConfig { temperature: *temperature, top_p: *top_p, max_output_tokens: *max_tokens },
        };
        let path = format!("models/{}:streamGenerateContent?alt=sse", self.model);
        answer::write(&self.server, &path, &body, &self.model, ContentEvents::default).await
    }

    fn model_name(&self) -> &str {
        &self.model
    }

    async fn health(&self) -> Result<(), GenerateError> {
        match self.server.get(&format!("models/{}", self.model)).await {
            Ok(_) | Err(CallError::Refused { status: 405, .. }) => Ok(()),
            Err(error) => Err(self.server.generate_error(error)),
        }
    }
}

/// What has been read of one answer. No event says that it is the last; the one with a reason to stop is.
#[derive(Debug, Default)]
struct ContentEvents {
    usage: Usage,
    finish: Option<Finish>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    usage_metadata: Option<UsageMetadata>,
    #[serde(default)]
    prompt_feedback: Option<PromptFeedback>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Option<CandidateContent>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct CandidateContent {
    #[serde(default)]
    parts: Vec<CandidatePart>,
}

#[derive(Deserialize)]
struct CandidatePart {
    #[serde(default)]
    text: String,
    /// Thinking aloud is no part of the answer.
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    #[serde(default)]
    block_reason: Option<String>,
}

impl Reading for ContentEvents {
    fn read(&mut self, event: &str) -> Result<Step, Refusal> {
        let Event { candidates, usage_metadata, prompt_feedback, error } =
            serde_json::from_str(event).map_err(|error| malformed(&error))?;
        if let Some(error) = error {
            let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
            return Err(refused(status.unwrap_or(500), event));
        }
        if let Some(reason) = prompt_feedback.and_then(|feedback| feedback.block_reason) {
            return Err(Refusal::Denied { status: 400, message: format!("the prompt was blocked: {reason}") });
        }
        if let Some(usage) = usage_metadata {
            let completion_tokens = usage.candidates_token_count.saturating_add(usage.thoughts_token_count);
            self.usage = Usage { prompt_tokens: usage.prompt_token_count, completion_tokens };
        }
        let Some(candidate) = candidates.into_iter().next() else { return Ok(Step::Nothing) };
        if let Some(reason) = candidate.finish_reason {
            self.finish = Some(finish(&reason));
        }
        let parts = candidate.content.map(|content| content.parts).unwrap_or_default();
        let text: String = parts.into_iter().filter(|part| !part.thought).map(|part| part.text).collect();
        Ok(if text.is_empty() { Step::Nothing } else { Step::Text(text) })
    }

    fn ending(&self) -> Option<(Usage, Finish)> {
        Some((self.usage, self.finish?))
    }
}

/// What filters cut off (SAFETY, RECITATION, …) is as little complete as what reached its most tokens.
fn finish(reason: &str) -> Finish {
    if reason == "STOP" { Finish::Stop } else { Finish::Length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_usage_and_the_reason_to_stop_are_read_and_thoughts_left_out() {
        let mut reading = ContentEvents::default();
        let first = r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"It "},{"text":"is"}],
            "role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}"#;
        assert_eq!(reading.read(first).unwrap(), Step::Text("It is".into()));
        assert_eq!(reading.ending(), None);
        let last = r#"{"candidates":[{"finishReason":"MAX_TOKENS","index":0}],
            "usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"thoughtsTokenCount":3}}"#;
        assert_eq!(reading.read(last).unwrap(), Step::Nothing);
        assert_eq!(reading.ending(), Some((Usage { prompt_tokens: 8, completion_tokens: 5 }, Finish::Length)));
    }

    #[test]
    fn a_blocked_prompt_and_an_error_are_told() {
        let blocked = ContentEvents::default().read(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#).unwrap_err();
        assert!(matches!(&blocked, Refusal::Denied { message, .. } if message.contains("SAFETY")), "{blocked:?}");
        let event = r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
        assert!(matches!(ContentEvents::default().read(event).unwrap_err(), Refusal::Failing { status: 503, .. }));
    }
}
