//! Embeddings from an OpenAI-compatible server: batches of the configured size, several under way at once.

use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};
use ragline_config::{Embedding, OpenAiCompatible};
use serde::{Deserialize, Serialize};

use super::tokenizer::Cl100k;
use crate::{
    backends::http::{CallError, ClientError, KeySource, ModelServer, Policy},
    traits::embedder::{EmbedError, Embedder, Tokenizer, Vector},
};

/// Bytes of one number in a JSON reply, generously.
const BYTES_PER_NUMBER: usize = 32;
/// Bytes of a reply around its numbers.
const BYTES_BESIDE: usize = 1 << 20;

/// An embedding model behind `POST {baseUrl}/embeddings`.
#[derive(Debug)]
pub struct OpenAiEmbedder {
    server: ModelServer,
    model: String,
    dimensions: u32,
    /// OpenAI's third generation can be asked for shorter vectors; others refuse the parameter.
    asks_dimensions: bool,
    batch_size: usize,
    concurrent_requests: usize,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
struct Reply {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vector,
}

impl OpenAiEmbedder {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(server: &OpenAiCompatible, settings: &Embedding, key: KeySource) -> Result<Self, ClientError> {
        let dimensions = server.dimensions.unwrap_or_default();
        let batch_size = settings.batch_size as usize;
        let policy = Policy {
            timeout: settings.timeout_seconds.into(),
            retries: settings.retry_attempts,
            retry_delay: settings.retry_delay_seconds.into(),
            reply_bytes: BYTES_BESIDE + batch_size * dimensions as usize * BYTES_PER_NUMBER,
        };
        Ok(Self {
            server: ModelServer::new(server.base_url.clone(), key, policy)?,
            asks_dimensions: server.model.contains("text-embedding-3"),
            model: server.model.clone(),
            dimensions,
            batch_size,
            concurrent_requests: settings.concurrent_requests as usize,
        })
    }

    async fn request(&self, input: &[String]) -> Result<Vec<Vector>, EmbedError> {
        let dimensions = self.asks_dimensions.then_some(self.dimensions);
        let request = Request { model: &self.model, input, encoding_format: "float", dimensions };
        let body = self.server.post("embeddings", &request).await.map_err(|error| self.error(error))?;
        let reply: Reply = serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))?;
        self.vectors(reply, input.len())
    }

    /// The vectors in the order of the texts, each of norm 1.
    fn vectors(&self, reply: Reply, wanted: usize) -> Result<Vec<Vector>, EmbedError> {
        let mut vectors: Vec<Option<Vector>> = vec![None; wanted];
        for Item { index, mut embedding } in reply.data {
            let found = u32::try_from(embedding.len()).unwrap_or(u32::MAX);
            if found != self.dimensions {
                return Err(EmbedError::WrongDimensions { model: self.model.clone(), expected: self.dimensions, found });
            }
            if !normalise(&mut embedding) {
                return Err(self.malformed(format!("vector {index} has no direction")));
            }
            match vectors.get_mut(index) {
                Some(place @ None) => *place = Some(embedding),
                Some(Some(_)) => return Err(self.malformed(format!("vector {index} comes twice"))),
                None => return Err(self.malformed(format!("there is a vector {index} for {wanted} texts"))),
            }
        }
        let missing = |index: usize| self.malformed(format!("vector {index} of {wanted} is missing"));
        vectors.into_iter().enumerate().map(|(index, vector)| vector.ok_or_else(|| missing(index))).collect()
    }

    fn malformed(&self, what: String) -> EmbedError {
        EmbedError::Malformed { host: self.server.host().to_owned(), what }
    }

    fn error(&self, error: CallError) -> EmbedError {
        let host = self.server.host().to_owned();
        match error {
            CallError::Unauthorized => EmbedError::Unauthorized { host },
            CallError::RateLimited { retry_after } => EmbedError::RateLimited { host, retry_after },
            CallError::TimedOut(timeout) => EmbedError::TimedOut { host, timeout },
            CallError::Unreachable(source) => EmbedError::Unreachable { host, source },
            CallError::Refused { status, message } => EmbedError::Refused { host, status, message },
            CallError::Malformed(what) => EmbedError::Malformed { host, what },
        }
    }
}

/// Scales to norm 1. `false` for a vector without direction.
fn normalise(vector: &mut [f32]) -> bool {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !norm.is_normal() {
        return false;
    }
    for value in vector {
        *value /= norm;
    }
    true
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        let mut vectors = self.request(&[text.to_owned()]).await?;
        Ok(vectors.pop().expect("a request for one text gives one vector or fails"))
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        // A loop and no closure: the compiler takes a closure's future to hold for one lifetime only.
        let mut requests = Vec::new();
        for batch in texts.chunks(self.batch_size) {
            requests.push(self.request(batch));
        }
        let batches: Vec<Vec<Vector>> = futures::stream::iter(requests).buffered(self.concurrent_requests).try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    fn dimensions(&self) -> u32 {
        self.dimensions
    }

    fn model_name(&self) -> &str {
        &self.model
    }

    fn provider(&self) -> &'static str {
        "openai_compatible"
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &Cl100k
    }

    fn window_tokens(&self) -> Option<usize> {
        None
    }

    async fn health(&self) -> Result<(), EmbedError> {
        match self.server.get("models").await {
            // Not every server lists its models; one that says so is there and took the key.
            Ok(_) | Err(CallError::Refused { status: 404 | 405, .. }) => Ok(()),
            Err(error) => Err(self.error(error)),
        }
    }
}
