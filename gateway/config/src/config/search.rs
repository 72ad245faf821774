//! How passages are found.

use serde::{Deserialize, Serialize};

/// Defaults of a search.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Search {
    /// How a search that names no mode finds its passages.
    pub mode: SearchMode,
    /// Results of a search that names no limit, 1 to 100.
    pub limit: u32,
    /// Passages that an answer is made of, 1 to 20.
    pub answer_limit: u32,
}

/// How passages are found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SearchMode {
    /// By meaning: the nearest vectors.
    #[default]
    Vector,
    /// By words: BM25.
    Lexical,
    /// By both, fused.
    Hybrid,
}

impl Default for Search {
    fn default() -> Self {
        Self { mode: SearchMode::default(), limit: 10, answer_limit: 5 }
    }
}
