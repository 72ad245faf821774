//! Servers of models.

use serde::{Deserialize, Serialize};
use url::Url;

/// A server that speaks OpenAI's API.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenAiCompatible {
    /// Up to and including the version, as in `https://api.openai.com/v1`.
    pub base_url: Url,
    pub model: String,
    /// Numbers in a vector. Embedding only; must be what the model gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
}
