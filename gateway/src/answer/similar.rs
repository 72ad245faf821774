//! The similarity cache: a question that says what an earlier one said gets what was found for that. It is off unless switched on.
//!
//! A paraphrase is looked for only among the questions of its scope: everything that the key of a search has but for the text.
//! Another workspace, filter, mode, limit or version of the data is another list, so none can be read through it.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{retrieve::Query, sense::Sense, terms::cosine};
use crate::traits::cache::{Cache, CacheKey, Namespace};

/// Questions that a scope remembers; the oldest makes room.
const MOST_QUESTIONS: usize = 32;

/// A question that was searched.
#[derive(Clone, Deserialize, Serialize)]
struct Asked {
    /// Of the search's result, under `vector:search:`.
    key: String,
    /// Little-endian single precision in base64.
    vector: String,
    /// What both questions must agree on.
    sense: Sense,
}

/// The key of the result of the question that is nearest, where one is near enough.
pub(super) async fn recall(cache: &dyn Cache, scope: &CacheKey, query: &Query, vector: &[f32], least: f32) -> Option<CacheKey> {
    let sense = Sense::of(&query.text);
    let asked = load(cache, scope).await;
    let near = asked.into_iter().filter(|asked| !asked.sense.differs_from(&sense)).filter_map(|asked| {
        let cosine = cosine(&decode(&asked.vector)?, vector)?;
        (cosine >= least).then_some((cosine, asked.key))
    });
    near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, key)| CacheKey(key))
}

/// Puts the question at the head of its scope's list. Two that do so at once lose one entry, which costs one search.
pub(super) async fn remember(cache: &dyn Cache, scope: &CacheKey, query: &Query, vector: &[f32], key: &CacheKey) {
    let mut asked = load(cache, scope).await;
    asked.retain(|asked| asked.key != key.0);
    asked.truncate(MOST_QUESTIONS - 1);
    asked.insert(0, Asked { key: key.0.clone(), vector: encode(vector), sense: Sense::of(&query.text) });
    if let Ok(bytes) = serde_json::to_vec(&asked) {
        cache.store(Namespace::Similarity, scope, Bytes::from(bytes)).await;
    }
}

async fn load(cache: &dyn Cache, scope: &CacheKey) -> Vec<Asked> {
    let kept = cache.load(Namespace::Similarity, scope).await;
    kept.and_then(|kept| kept.decode()).map(Arc::unwrap_or_clone).unwrap_or_default()
}

fn encode(vector: &[f32]) -> String {
    BASE64_STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

fn decode(text: &str) -> Option<Vec<f32>> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|&number| f32::from_le_bytes(number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_survives_and_a_broken_one_is_none() {
        let vector = [0.25, -1.0, f32::MIN_POSITIVE];
        assert_eq!(decode(&encode(&vector)).unwrap(), vector);
        assert!(decode("AAA=").is_none() && decode("!").is_none());
        assert!(cosine(&vector, &[1.0]).is_none());
    }
}
