//! The model that turns text into vectors.

use std::{ops::Range, time::Duration};

use async_trait::async_trait;

/// A vector; its length is [`Embedder::dimensions`], its Euclidean norm 1.
pub type Vector = Vec<f32>;

/// Splits text as the model sees it.
pub trait Tokenizer: Send + Sync + std::fmt::Debug {
    /// Byte ranges of the tokens in `text`, in order, without special tokens. Ranges fall on character borders.
    fn offsets(&self, text: &str) -> Vec<Range<usize>>;

    /// Number of tokens.
    fn count(&self, text: &str) -> usize {
        self.offsets(text).len()
    }
}

/// An embedding model.
#[async_trait]
pub trait Embedder: Send + Sync + std::fmt::Debug {
    /// The vector of one question. Served before batches.
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError>;

    /// The vectors of passages, in order. Splits into requests of the configured size by itself.
    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError>;

    /// Numbers in a vector.
    fn dimensions(&self) -> u32;

    /// The model's name, as it is stored with each embedding space.
    fn model_name(&self) -> &str;

    /// The value of the metric label `provider`, one of a closed set, as in `openai_compatible`.
    fn provider(&self) -> &'static str;

    fn tokenizer(&self) -> &dyn Tokenizer;

    /// Whether the beginning of a vector, scaled to length 1, is a shorter vector of the same model.
    fn can_be_shortened(&self) -> bool {
        false
    }

    /// Tokens that one vector should stand for. A longer chunk gets several windows, each with a vector; `None`: the model sees a
    /// chunk whole.
    fn window_tokens(&self) -> Option<usize>;

    /// Whether the model answers.
    async fn health(&self) -> Result<(), EmbedError>;
}

/// Why no vector came back.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    #[error("the embedding server at {host} refuses the key; set {variables} to a valid one")]
    Unauthorized { host: String, variables: String },
    #[error("the embedding server at {host} is limiting requests")]
    RateLimited { host: String, retry_after: Option<Duration> },
    #[error("the embedding server at {host} did not answer within {timeout:?}")]
    TimedOut { host: String, timeout: Duration },
    #[error("the embedding server at {host} cannot be reached")]
    Unreachable {
        host: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the embedding server at {host} answered {status}: {message}")]
    Refused { host: String, status: u16, message: String },
    #[error("the embedding server at {host} sent an answer that cannot be read: {what}")]
    Malformed { host: String, what: String },
    #[error("model {model} gives {found} dimensions, {expected} are configured; correct embedding.dimensions")]
    WrongDimensions { model: String, expected: u32, found: u32 },
    #[error("the built-in model failed")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl EmbedError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::TimedOut { .. } | Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Unauthorized { .. } | Self::Malformed { .. } | Self::WrongDimensions { .. } | Self::Model(_) => false,
        }
    }
}
