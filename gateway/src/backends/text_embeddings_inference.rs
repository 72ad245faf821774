//! Embeddings from a Text Embeddings Inference, in its own way: `POST {base}/embed`, where texts that are too long for the model can be
//! cut instead of refused. <https://huggingface.github.io/text-embeddings-inference/>

use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};
use ragline_config::{Embedding, TextEmbeddingsInference};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::openai::{embeddings::normalise, tokenizer::Cl100k};
use crate::{
    backends::http::{CallError, ClientError, ModelServer, Policy, credentials::Credentials},
    traits::embedder::{EmbedError, Embedder, Tokenizer, Vector},
};

/// Texts that every server takes at once, unless somebody told it otherwise.
const USUAL_BATCH: usize = 32;

/// A model behind a Text Embeddings Inference.
#[derive(Debug)]
pub struct TeiEmbedder {
    server: ModelServer,
    model: String,
    dimensions: u32,
    window_tokens: usize,
    batch_size: usize,
    concurrent_requests: usize,
    /// Texts that this server takes at once, as it says.
    most: OnceCell<usize>,
}

#[derive(Serialize)]
struct Request<'a> {
    inputs: &'a [String],
    normalize: bool,
    truncate: bool,
}

#[derive(Deserialize)]
struct Info {
    max_client_batch_size: usize,
}

impl TeiEmbedder {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(
        server: &TextEmbeddingsInference,
        settings: &Embedding,
        credentials: impl Into<Credentials>,
    ) -> Result<Self, ClientError> {
        let TextEmbeddingsInference { base_url, model, dimensions, window_tokens } = server;
        Ok(Self {
            server: ModelServer::new(base_url.clone(), credentials, Policy::embedding(settings))?,
            model: model.clone(),
            dimensions: dimensions.unwrap_or_default(),
            window_tokens: *window_tokens as usize,
            batch_size: settings.batch_size as usize,
            concurrent_requests: settings.concurrent_requests as usize,
            most: OnceCell::new(),
        })
    }

    /// The configured size of a batch, or less where the server takes less. One that does not say is asked again next time.
    async fn batch_size(&self) -> usize {
        let ask = || async {
            let body = self.server.get("info").await.map_err(drop)?;
            serde_json::from_slice(&body).map(|info: Info| info.max_client_batch_size.max(1)).map_err(drop)
        };
        let most = self.most.get_or_try_init(ask).await.copied().unwrap_or(USUAL_BATCH);
        self.batch_size.min(most)
    }

    async fn request(&self, inputs: &[String]) -> Result<Vec<Vector>, EmbedError> {
        // A text that is longer than the model sees would fail the whole batch.
        let request = Request { inputs, normalize: true, truncate: true };
        let body = self.server.post("embed", &request).await.map_err(|error| self.server.embed_error(error))?;
        let mut vectors: Vec<Vector> = serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))?;
        if vectors.len() != inputs.len() {
            return Err(self.malformed(format!("there are {} vectors for {} texts", vectors.len(), inputs.len())));
        }
        for (index, vector) in vectors.iter_mut().enumerate() {
            let found = u32::try_from(vector.len()).unwrap_or(u32::MAX);
            if found != self.dimensions {
                return Err(EmbedError::WrongDimensions { model: self.model.clone(), expected: self.dimensions, found });
            }
            if !normalise(vector) {
                return Err(self.malformed(format!("vector {index} has no direction")));
            }
        }
        Ok(vectors)
    }

    fn malformed(&self, what: String) -> EmbedError {
        self.server.embed_error(CallError::Malformed(what))
    }
}

#[async_trait]
impl Embedder for TeiEmbedder {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        let mut vectors = self.request(&[text.to_owned()]).await?;
        Ok(vectors.pop().expect("a request for one text gives one vector or fails"))
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        // A loop and no closure: the compiler takes a closure's future to hold for one lifetime only.
        let mut requests = Vec::new();
        for batch in texts.chunks(self.batch_size().await) {
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
        "text_embeddings_inference"
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &Cl100k
    }

    fn window_tokens(&self) -> Option<usize> {
        Some(self.window_tokens)
    }

    async fn health(&self) -> Result<(), EmbedError> {
        self.server.get("health").await.map(drop).map_err(|error| self.server.embed_error(error))
    }
}
