//! How a file is to be cut, as a caller says it and as it is told back.

use ragline_config::Chunking;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::ApiError;

/// Tokens of a chunk that a caller may ask for.
const CHUNK_TOKENS: std::ops::RangeInclusive<u32> = 100..=4_096;

/// How a file is to be cut.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schema(example = json!({"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}))]
pub(crate) enum ChunkingStrategy {
    /// The pipeline's own way.
    Auto,
    /// Chunks of so many tokens.
    Static {
        #[serde(rename = "static")]
        sizes: StaticChunking,
    },
}

/// Sizes of chunks, in tokens of the embedding model.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticChunking {
    /// 100 to 4,096. A chunk is cut at the best border between half of it and all of it.
    #[schema(minimum = 100, maximum = 4_096)]
    max_chunk_size_tokens: u32,
    /// What a chunk repeats of the one before, at most half of it; kept to a hundredth of the chunk.
    chunk_overlap_tokens: u32,
}

/// How a file was cut: always in figures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChunkingView {
    #[schema(example = "static")]
    r#type: &'static str,
    r#static: StaticChunking,
}

impl ChunkingStrategy {
    /// The sizes; `None` for the pipeline's own.
    ///
    /// # Errors
    /// A size out of its bounds.
    pub(super) fn checked(self) -> Result<Option<Chunking>, ApiError> {
        let Self::Static { sizes: StaticChunking { max_chunk_size_tokens: max, chunk_overlap_tokens: overlap } } = self else {
            return Ok(None);
        };
        if !CHUNK_TOKENS.contains(&max) || overlap > max / 2 {
            let message = "chunking_strategy.static takes 100 to 4096 tokens, and an overlap of at most half of them";
            return Err(ApiError::invalid("chunking_strategy", message));
        }
        Ok(Some(Chunking { min_tokens: max / 2, max_tokens: max, overlap_percent: overlap * 100 / max }))
    }
}

impl From<&Chunking> for ChunkingView {
    fn from(chunking: &Chunking) -> Self {
        let Chunking { min_tokens: _, max_tokens, overlap_percent } = *chunking;
        let sizes = StaticChunking {
            max_chunk_size_tokens: max_tokens,
            chunk_overlap_tokens: (max_tokens * overlap_percent).div_ceil(100),
        };
        Self { r#type: "static", r#static: sizes }
    }
}
