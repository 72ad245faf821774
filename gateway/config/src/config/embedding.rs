//! The model that turns text into vectors.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::OpenAiCompatible;
use crate::Seconds;

/// The model that turns text into vectors, and how requests to it are made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Embedding {
    pub provider: EmbeddingProvider,
    /// Texts in one request.
    pub batch_size: u32,
    /// Requests under way at once.
    pub concurrent_requests: u32,
    /// Tries after the first.
    pub retry_attempts: u32,
    /// Wait before the first retry; doubles each time.
    pub retry_delay_seconds: Seconds,
    /// One request may take this long.
    pub timeout_seconds: Seconds,
    /// Keep embeddings in the cache.
    pub use_cache: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EmbeddingProvider {
    /// all-MiniLM-L6-v2 inside the gateway; 384 dimensions.
    #[serde(rename_all = "camelCase")]
    Builtin {
        /// Folder with model.safetensors and tokenizer.json; absent: RAGLINE_MODEL_DIR or the image's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model_directory: Option<PathBuf>,
    },
    OpenAiCompatible(OpenAiCompatible),
}

impl Default for Embedding {
    fn default() -> Self {
        Self {
            provider: EmbeddingProvider::Builtin { model_directory: None },
            batch_size: 100,
            concurrent_requests: 5,
            retry_attempts: 3,
            retry_delay_seconds: Seconds(1),
            timeout_seconds: Seconds(30),
            use_cache: true,
        }
    }
}
