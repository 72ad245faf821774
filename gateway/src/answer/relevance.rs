//! Ranking: how relevant texts are that the caller brings. By the reranking model where there is one, which fails hard here, since there
//! is no other order to keep; else by the embedding model, whose cosine becomes a score as in a search by vector.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::{Retriever, score};
use crate::{
    ingest::window::windows,
    telemetry::stage,
    traits::{
        embedder::{EmbedError, Embedder, Vector},
        reranker::{RerankError, Reranker},
        search::{Searcher, StoreError},
    },
};

/// Requests to the reranking model at once, of one call.
const AT_ONCE: usize = 4;

/// Ranks texts.
#[derive(Clone, Debug)]
pub struct Ranker {
    reranker: Arc<dyn Reranker>,
    embedder: Arc<dyn Embedder>,
    searcher: Arc<dyn Searcher>,
}

/// Texts to be ranked.
#[derive(Clone, Debug)]
pub struct RankRequest {
    pub query: String,
    pub documents: Vec<String>,
    /// What is behind so many tokens of a text is not looked at.
    pub tokens_per_document: usize,
}

/// What the texts are worth.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Of each text, in their order. 0 to 1, unless a reranking model gives something else.
    pub relevance: Vec<f32>,
    pub by: RankedBy,
    /// Tokens that were looked at.
    pub tokens: u64,
}

/// What ranked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RankedBy {
    Reranker,
    /// `calibrated`: whether the scores rest on measurements of this model.
    Embedding {
        calibrated: bool,
    },
}

/// Why there is no ranking.
#[derive(Debug, thiserror::Error)]
pub enum RankError {
    #[error("the texts could not be embedded")]
    Embed(#[source] EmbedError),
    #[error("the reranking model gave no order")]
    Rerank(#[source] RerankError),
    #[error("how scores are made of this model could not be read")]
    Calibration(#[source] StoreError),
    #[error("the texts could not be cut")]
    Cut(#[source] tokio::task::JoinError),
}

/// A text as the models look at it.
struct Cut {
    tokens: u64,
    text: String,
    windows: Vec<String>,
}

impl Ranker {
    /// Ranks with the models of the search.
    pub fn of(retriever: &Retriever) -> Self {
        let Retriever { reranker, embedder, searcher, .. } = retriever.clone();
        Self { reranker, embedder, searcher }
    }

    /// The model that ranks; `None`: a server that serves one model and does not say which.
    pub fn model(&self) -> Option<&str> {
        let name = if self.reranker.candidates().is_some() { self.reranker.model_name() } else { self.embedder.model_name() };
        Some(name).filter(|name| !name.is_empty())
    }

    /// The relevance of each text to the query.
    ///
    /// # Errors
    /// The model's or the store's reason.
    pub async fn rank(&self, request: RankRequest) -> Result<Ranked, RankError> {
        let RankRequest { query, documents, tokens_per_document } = request;
        let cut = self.cut(documents, tokens_per_document).await?;
        let tokens = cut.iter().map(|cut| cut.tokens).sum();
        let (relevance, by) = match self.reranker.candidates() {
            Some(most) => (self.by_reranker(&query, &cut, most.max(1) as usize).await?, RankedBy::Reranker),
            None => self.by_embedding(&query, cut).await?,
        };
        Ok(Ranked { relevance, by, tokens })
    }

    /// Off the request threads: a megabyte of text takes a while.
    async fn cut(&self, documents: Vec<String>, most: usize) -> Result<Vec<Cut>, RankError> {
        let embedder = Arc::clone(&self.embedder);
        let cut = move || documents.into_iter().map(|text| cut(text, most, embedder.as_ref())).collect();
        tokio::task::spawn_blocking(cut).await.map_err(RankError::Cut)
    }

    /// A cross-encoder looks at each text alone, so the relevances of several requests can be compared.
    async fn by_reranker(&self, query: &str, cut: &[Cut], most: usize) -> Result<Vec<f32>, RankError> {
        let requests: Vec<_> = cut.chunks(most).map(|some| self.relevances(query, some)).collect();
        let parts: Vec<Vec<f32>> = stream::iter(requests).buffered(AT_ONCE).try_collect().await?;
        Ok(parts.concat())
    }

    async fn relevances(&self, query: &str, cut: &[Cut]) -> Result<Vec<f32>, RankError> {
        let texts: Vec<&str> = cut.iter().map(|cut| cut.text.as_str()).collect();
        let span = tracing::debug_span!("rerank", stage = "rerank", count = texts.len());
        stage::run(span, self.reranker.rerank(query, &texts)).await.map_err(RankError::Rerank)
    }

    /// The best window counts for its text, as in a search.
    async fn by_embedding(&self, query: &str, cut: Vec<Cut>) -> Result<(Vec<f32>, RankedBy), RankError> {
        let calibration = self.searcher.calibration().await.map_err(RankError::Calibration)?;
        let query = self.embedder.embed(query).await.map_err(RankError::Embed)?;
        let counts: Vec<usize> = cut.iter().map(|cut| cut.windows.len()).collect();
        let windows: Vec<String> = cut.into_iter().flat_map(|cut| cut.windows).collect();
        let span = tracing::debug_span!("embed", stage = "embed", count = windows.len());
        let vectors = stage::run(span, self.embedder.embed_batch(&windows)).await.map_err(RankError::Embed)?;
        let mut vectors = vectors.iter();
        let best = |count| vectors.by_ref().take(count).map(|vector| dot(&query, vector)).fold(-1.0, f32::max);
        let cosines: Vec<f32> = counts.into_iter().map(best).collect();
        let scores = cosines.into_iter().map(|cosine| score::of_cosine(cosine, &calibration)).collect();
        Ok((scores, RankedBy::Embedding { calibrated: calibration.vector.is_some() }))
    }
}

fn cut(mut text: String, most: usize, embedder: &dyn Embedder) -> Cut {
    let offsets = embedder.tokenizer().offsets(&text);
    if let Some(next) = offsets.get(most) {
        text.truncate(next.start);
    }
    let windows = windows(&text, embedder.window_tokens(), embedder.tokenizer()).into_iter().map(str::to_owned).collect();
    Cut { tokens: offsets.len().min(most) as u64, text, windows }
}

/// Both have norm 1.
fn dot(a: &Vector, b: &Vector) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
