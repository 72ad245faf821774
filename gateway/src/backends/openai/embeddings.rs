//! Embeddings from a server that speaks OpenAI's API: batches of the configured size, several under way at once.
//! <https://platform.openai.com/docs/api-reference/embeddings/create>

use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};
use ragline_config::Embedding;
use serde::{Deserialize, Serialize};

use super::{endpoint::Endpoint, tokenizer::Cl100k};
use crate::{
    backends::http::{CallError, ClientError, ModelServer, Policy, credentials::Credentials},
    traits::embedder::{EmbedError, Embedder, Tokenizer, Vector},
};

/// An embedding model behind `POST {baseUrl}/embeddings`.
#[derive(Debug)]
pub struct OpenAiEmbedder {
    server: ModelServer,
    endpoint: Endpoint,
    /// See [`Embedder::provider`].
    provider: &'static str,
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
    /// An embedder that `settings.provider` names, asked at this endpoint.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(endpoint: Endpoint, settings: &Embedding, credentials: impl Into<Credentials>) -> Result<Self, ClientError> {
        let policy = Policy::embedding(settings);
        Ok(Self {
            server: ModelServer::new(endpoint.base.clone(), credentials, policy)?,
            provider: settings.provider.label(),
            dimensions: settings.provider.dimensions().unwrap_or_default(),
            asks_dimensions: endpoint.model.contains("text-embedding-3"),
            batch_size: settings.batch_size as usize,
            concurrent_requests: settings.concurrent_requests as usize,
            endpoint,
        })
    }

    async fn request(&self, input: &[String]) -> Result<Vec<Vector>, EmbedError> {
        let dimensions = self.asks_dimensions.then_some(self.dimensions);
        let request = Request { model: &self.endpoint.asked, input, encoding_format: "float", dimensions };
        let path = self.endpoint.path("embeddings");
        let body = self.server.post(&path, &request).await.map_err(|error| self.server.embed_error(error))?;
        let reply: Reply = serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))?;
        self.vectors(reply, input.len())
    }

    /// The vectors in the order of the texts, each of norm 1.
    fn vectors(&self, reply: Reply, wanted: usize) -> Result<Vec<Vector>, EmbedError> {
        let mut vectors: Vec<Option<Vector>> = vec![None; wanted];
        for Item { index, mut embedding } in reply.data {
            let found = u32::try_from(embedding.len()).unwrap_or(u32::MAX);
            if found != self.dimensions {
                return Err(EmbedError::WrongDimensions { model: self.endpoint.model.clone(), expected: self.dimensions, found });
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
}

/// Scales to norm 1. `false` for a vector without direction.
pub(in crate::backends) fn normalise(vector: &mut [f32]) -> bool {
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
        &self.endpoint.model
    }

    fn provider(&self) -> &'static str {
        self.provider
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &Cl100k
    }

    fn can_be_shortened(&self) -> bool {
        self.asks_dimensions
    }

    fn window_tokens(&self) -> Option<usize> {
        None
    }

    async fn health(&self) -> Result<(), EmbedError> {
        match self.server.get(&self.endpoint.path("models")).await {
            // Not every server lists its models; one that says so is there and took the key.
            Ok(_) | Err(CallError::Refused { status: 404 | 405, .. }) => Ok(()),
            Err(error) => Err(self.server.embed_error(error)),
        }
    }
}
