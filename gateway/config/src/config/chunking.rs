//! How text is cut.

use serde::{Deserialize, Serialize};

/// How text is cut. Tokens are those of the embedding model's tokenizer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Chunking {
    pub min_tokens: u32,
    pub max_tokens: u32,
    /// Share of a chunk that the next one repeats, 10 to 20.
    pub overlap_percent: u32,
}

impl Default for Chunking {
    fn default() -> Self {
        Self { min_tokens: 512, max_tokens: 1_024, overlap_percent: 15 }
    }
}
