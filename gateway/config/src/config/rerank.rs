//! The model that orders what a search found anew.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::Seconds;

/// The model that orders what a search found anew.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rerank {
    pub provider: RerankProvider,
    /// `/rerank` is asked below it, as in `https://api.cohere.com/v1`. Must be given with a provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Url>,
    /// Must be given with `cohere`; a Text Embeddings Inference serves one model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Passages that the model chooses from, 1 to 100.
    pub candidates: u32,
    /// A model that has not answered after this leaves the order as it is, 1 to 60.
    pub timeout_seconds: Seconds,
}

/// What the server speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RerankProvider {
    #[default]
    Disabled,
    Cohere,
    TextEmbeddingsInference,
}

impl Default for Rerank {
    fn default() -> Self {
        Self { provider: RerankProvider::default(), base_url: None, model: None, candidates: 50, timeout_seconds: Seconds(5) }
    }
}
