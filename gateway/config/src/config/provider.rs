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
    /// Generation only; see [`HostedModel::reasoning`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
}

/// A model of a provider whose address is known: OpenAI, OpenRouter, Anthropic, Gemini.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostedModel {
    /// As the provider names it.
    pub model: String,
    /// Another address than the provider's own, up to and including the version: a proxy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Url>,
    /// Numbers in a vector. Embedding only; must be what the model gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Generation by OpenAI, OpenRouter and Anthropic only: whether the model thinks before it writes, so that it takes neither temperature
    /// nor top-p. Absent: found out by the first refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
}

impl HostedModel {
    /// Where the model is asked: at the provider's own address unless another was named.
    pub(crate) fn address(&self, own: &str) -> Option<Url> {
        self.base_url.clone().or_else(|| Url::parse(own).ok())
    }
}

/// A deployment of a model in Azure OpenAI.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureOpenAi {
    /// The resource's address without a path, as in `https://name.openai.azure.com`.
    pub endpoint: Url,
    pub deployment: String,
    /// A dated version, as in `2024-10-21`, for resources without the newer `/openai/v1`. Absent: the newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The model behind the deployment. Must be given for embedding, where stored vectors are told apart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Numbers in a vector. Embedding only; must be what the model gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Generation only; see [`HostedModel::reasoning`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
}

/// A Text Embeddings Inference, spoken to in its own way, in which long texts are cut instead of refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextEmbeddingsInference {
    /// Its address; `/embed` is asked below it.
    pub base_url: Url,
    /// The model that it serves; stored vectors are told apart by it.
    pub model: String,
    /// Numbers in a vector; must be what the model gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Tokens that one vector stands for, 64 to 8192; a longer chunk gets several.
    #[serde(default = "default_window_tokens")]
    pub window_tokens: u32,
}

/// What the models that see 512 tokens of their own take of tokens that are counted otherwise.
pub const DEFAULT_WINDOW_TOKENS: u32 = 400;

fn default_window_tokens() -> u32 {
    DEFAULT_WINDOW_TOKENS
}
