//! The model that writes an answer out of numbered passages.

use std::time::Duration;

use async_trait::async_trait;

use super::embedder::EmbedError;

/// One passage of the context. Its number is what a citation `[n]` names; the first is 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberedPassage {
    pub number: u32,
    /// Where it comes from, for people.
    pub title: String,
    pub text: String,
}

/// Everything a generator may use.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationRequest {
    /// What the model is to do with sources, and that their text is data.
    pub system: String,
    /// The filled prompt template.
    pub prompt: String,
    /// The question alone, for generators that are no language model.
    pub question: String,
    pub passages: Vec<NumberedPassage>,
    pub temperature: f32,
    pub max_tokens: u32,
    pub top_p: f32,
}

/// Tokens that were read and written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// What came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Generated {
    /// The answer with its markers `[n]`, not yet checked.
    pub text: String,
    pub usage: Usage,
}

/// A generation model.
#[async_trait]
pub trait Generator: Send + Sync + std::fmt::Debug {
    async fn generate(&self, request: &GenerationRequest) -> Result<Generated, GenerateError>;

    fn model_name(&self) -> &str;

    /// Whether the model answers.
    async fn health(&self) -> Result<(), GenerateError>;
}

/// Why no answer came back.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("generation is switched off; set generation in the pipeline to have answers")]
    Disabled,
    #[error("the generation server at {host} refuses the key; set OPENAI_API_KEY or RAGLINE_GENERATION_API_KEY to a valid one")]
    Unauthorized { host: String },
    #[error("the generation server at {host} is limiting requests")]
    RateLimited { host: String, retry_after: Option<Duration> },
    #[error("the generation server at {host} did not answer within {timeout:?}")]
    TimedOut { host: String, timeout: Duration },
    #[error("the generation server at {host} cannot be reached")]
    Unreachable {
        host: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the generation server at {host} answered {status}: {message}")]
    Refused { host: String, status: u16, message: String },
    #[error("the generation server at {host} sent an answer that cannot be read: {what}")]
    Malformed { host: String, what: String },
    #[error("the sentences could not be embedded")]
    Embed(#[source] EmbedError),
}
