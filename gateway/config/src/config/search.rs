//! How passages are found.

use serde::{Deserialize, Serialize};

/// Defaults of a search.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Search {
    /// Results of a search that names no limit, 1 to 100.
    pub limit: u32,
    /// Passages that an answer is made of, 1 to 20.
    pub answer_limit: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self { limit: 10, answer_limit: 5 }
    }
}
