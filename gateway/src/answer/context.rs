//! The context of a question: the passages that an answer may rest on and whether they carry one. Kept under `rag:context:`.

use std::sync::Arc;

use bytes::Bytes;
use ragline_config::SearchMode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    confidence::{self, Assessment},
    matches::Matches,
    request::AnswerError,
    retrieve::{Query, Retriever},
};
use crate::traits::{
    cache::{CacheKey, Namespace},
    search::Principal,
};

/// Passages and their assessment.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Context {
    pub(super) matches: Matches,
    pub(super) assessment: Assessment,
    /// How they were found.
    pub(super) mode: SearchMode,
    /// Whether any of it came from the cache; not kept.
    #[serde(skip)]
    pub(super) cache_hit: bool,
}

/// The context from the cache, else from a search.
///
/// # Errors
/// No vector or no search.
pub(super) async fn of(retriever: &Retriever, principal: &Principal, query: &Query) -> Result<Context, AnswerError> {
    let version = retriever.version(principal).await?;
    if let Some(context) = recall(retriever, &key(retriever, principal, query, version)).await {
        return Ok(Context { cache_hit: true, ..context });
    }
    let retrieved = retriever.retrieve(principal, query, version).await?;
    let (outcome, version) = (retrieved.outcome, retrieved.version);
    let assessment =
        confidence::assess(&query.text, &outcome.matches, retriever.embedder.as_ref()).await.map_err(AnswerError::Embed)?;
    let context = Context { matches: outcome.matches, assessment, mode: outcome.mode, cache_hit: outcome.cache_hit };
    if let (Some(version), Ok(bytes)) = (version, serde_json::to_vec(&context)) {
        let key = key(retriever, principal, query, version);
        retriever.cache.store(Namespace::RagContext, &key, Bytes::from(bytes)).await;
    }
    Ok(context)
}

async fn recall(retriever: &Retriever, key: &CacheKey) -> Option<Context> {
    retriever.cache.load(Namespace::RagContext, key).await?.decode().map(Arc::unwrap_or_clone)
}

/// The search's key with what a context depends on besides.
fn key(retriever: &Retriever, principal: &Principal, query: &Query, version: i64) -> CacheKey {
    let threshold = query.threshold.map(f32::to_bits);
    let mut hash = Sha256::new();
    hash.update(retriever.key(principal, query, version).0);
    hash.update([u8::from(threshold.is_some())]);
    hash.update(threshold.unwrap_or_default().to_le_bytes());
    CacheKey(hex::encode(hash.finalize()))
}
