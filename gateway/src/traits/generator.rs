//! The model that writes an answer out of numbered passages.

use std::time::Duration;

use async_trait::async_trait;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::embedder::EmbedError;

/// One passage of the context. Its number is what a citation `[n]` names; the first is 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberedPassage {
    pub number: u32,
    /// Where it comes from, for people.
    pub title: String,
    pub text: String,
}

/// Who said something in a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Speaker {
    User,
    Assistant,
}

/// What was said before the question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    pub speaker: Speaker,
    pub text: String,
}

/// The turns that providers take whose conversations begin with the user and hold no empty text.
pub fn conversation(history: &[Turn]) -> impl Iterator<Item = &Turn> {
    let said = |turn: &&Turn| !turn.text.trim().is_empty();
    history.iter().filter(said).skip_while(|turn| turn.speaker == Speaker::Assistant)
}

/// Everything a generator may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationRequest {
    /// What the model is to do with sources, and that their text is data.
    pub system: String,
    /// The conversation before the prompt, oldest first.
    pub history: Vec<Turn>,
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

/// Why the model stopped writing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Finish {
    /// The answer is complete.
    #[default]
    Stop,
    /// The answer was cut off at its most tokens.
    Length,
}

/// How writing ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ending {
    /// The model that wrote; another than [`Generator::model_name`] where one stood in.
    pub model: String,
    pub usage: Usage,
    pub finish: Finish,
}

/// A part of an answer that is being written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// The next characters, markers `[n]` not yet checked; never empty.
    Text(String),
    /// Always the last.
    End(Ending),
}

/// An answer that is being written. Dropping it cancels the request to the model.
pub type Pieces = BoxStream<'static, Result<Piece, GenerateError>>;

/// What came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Generated {
    /// The answer with its markers `[n]`, not yet checked.
    pub text: String,
    pub ending: Ending,
}

impl Generated {
    /// The same as pieces.
    pub fn into_pieces(self) -> Pieces {
        let text = Some(self.text).filter(|text| !text.is_empty()).map(Piece::Text);
        stream::iter(text.into_iter().chain([Piece::End(self.ending)]).map(Ok)).boxed()
    }
}

/// A generation model.
#[async_trait]
pub trait Generator: Send + Sync + std::fmt::Debug {
    /// Begins to write. An error before the first piece is one that another model may be asked after.
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError>;

    /// The whole answer.
    async fn generate(&self, request: &GenerationRequest) -> Result<Generated, GenerateError> {
        let mut pieces = self.write(request).await?;
        let mut text = String::new();
        while let Some(piece) = pieces.next().await {
            match piece? {
                Piece::Text(more) => text.push_str(&more),
                Piece::End(ending) => return Ok(Generated { text, ending }),
            }
        }
        let what = "it ended before the answer did".to_owned();
        Err(GenerateError::Malformed { host: self.model_name().to_owned(), what })
    }

    fn model_name(&self) -> &str;

    /// Whether it does what a prompt says; `false` for what is no language model.
    fn follows_instructions(&self) -> bool {
        true
    }

    /// Whether the model answers.
    async fn health(&self) -> Result<(), GenerateError>;
}

/// Why no answer came back.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("generation is switched off; set generation in the pipeline to have answers")]
    Disabled,
    #[error("the generation server at {host} refuses the key; set {variables} to a valid one")]
    Unauthorized { host: String, variables: String },
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

impl GenerateError {
    /// Whether a model refused how freely it was told to word its answer, or the name under which it was told how long it may be.
    pub fn concerns_sampling(&self) -> bool {
        let Self::Refused { status: 400, message, .. } = self else { return false };
        ["temperature", "top_p", "max_tokens", "max_completion_tokens"].iter().any(|name| message.contains(name))
    }

    /// Whether the same model may answer the same question later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::TimedOut { .. } | Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Embed(error) => error.is_transient(),
            Self::Disabled | Self::Unauthorized { .. } | Self::Malformed { .. } => false,
        }
    }
}
