//! The model that turns text into vectors.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use url::Url;

use super::{AzureOpenAi, HostedModel, OpenAiCompatible, TextEmbeddingsInference};
use crate::{Seconds, addresses};

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
    OpenAi(HostedModel),
    AzureOpenAi(AzureOpenAi),
    OpenRouter(HostedModel),
    TextEmbeddingsInference(TextEmbeddingsInference),
}

impl EmbeddingProvider {
    /// The value of metric labels.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Builtin { .. } => "builtin",
            Self::OpenAiCompatible(_) => "openai_compatible",
            Self::OpenAi(_) => "openai",
            Self::AzureOpenAi(_) => "azure_openai",
            Self::OpenRouter(_) => "openrouter",
            Self::TextEmbeddingsInference(_) => "text_embeddings_inference",
        }
    }

    /// Where the model is asked; `None` inside the gateway.
    pub fn base_url(&self) -> Option<Url> {
        match self {
            Self::Builtin { .. } => None,
            Self::OpenAiCompatible(server) => Some(server.base_url.clone()),
            Self::OpenAi(model) => model.address(addresses::OPENAI),
            Self::OpenRouter(model) => model.address(addresses::OPENROUTER),
            Self::AzureOpenAi(azure) => Some(azure.endpoint.clone()),
            Self::TextEmbeddingsInference(server) => Some(server.base_url.clone()),
        }
    }

    /// The model that stored vectors are told apart by; `None` inside the gateway.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Builtin { .. } => None,
            Self::OpenAiCompatible(server) => Some(&server.model),
            Self::OpenAi(model) | Self::OpenRouter(model) => Some(&model.model),
            Self::AzureOpenAi(azure) => Some(azure.model.as_ref().unwrap_or(&azure.deployment)),
            Self::TextEmbeddingsInference(server) => Some(&server.model),
        }
    }

    /// Numbers in a vector; `None` inside the gateway.
    pub fn dimensions(&self) -> Option<u32> {
        match self {
            Self::Builtin { .. } => None,
            Self::OpenAiCompatible(server) => server.dimensions,
            Self::OpenAi(model) | Self::OpenRouter(model) => model.dimensions,
            Self::AzureOpenAi(azure) => azure.dimensions,
            Self::TextEmbeddingsInference(server) => server.dimensions,
        }
    }
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
