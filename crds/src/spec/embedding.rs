//! The model that turns text into vectors.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AzureOpenAiEmbedding, HostedEmbedding, TextEmbeddingsInferenceEmbedding};

/// The model that turns text into vectors, and how requests to it are made. Name at most one provider; with none, the built-in model
/// is used. Provider, model and dimensions cannot be changed later.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.builtin), has(self.openAiCompatible), has(self.openAi), has(self.azureOpenAi), has(self.openRouter), \
     has(self.textEmbeddingsInference)].filter(named, named).size() <= 1"
).message("name only one provider"))]
pub struct Embedding {
    /// all-MiniLM-L6-v2 inside the gateway: 384 dimensions, English, no key and no network needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<BuiltinEmbedding>,
    /// A server that speaks OpenAI's embeddings API: vLLM, Ollama and many more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ai_compatible: Option<OpenAiCompatibleEmbedding>,
    /// Texts in one request, 1 to 2048. A server that refuses so many answers with an error that the ingestion job shows.
    /// Default: `100`.
    #[schemars(range(min = 1, max = 2_048))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Requests that one gateway has under way at once, 1 to 64. Default: `5`.
    #[schemars(range(min = 1, max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u32>,
    /// Tries after the first, for refusals that may pass (429, 5xx, a lost connection), 0 to 10. Default: `3`.
    #[schemars(range(min = 0, max = 10))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_attempts: Option<u32>,
    /// Seconds before the first retry; doubled for each further one. A server's Retry-After is honoured. Default: `1`.
    #[schemars(range(min = 0, max = 60))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_delay_seconds: Option<u64>,
    /// Seconds that one request may take, 1 to 600. Default: `30`.
    #[schemars(range(min = 1, max = 600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Keep embeddings in the cache, so that the same text is not embedded again. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_cache: Option<bool>,
    /// A model of OpenAI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ai: Option<HostedEmbedding>,
    /// A model in Azure OpenAI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_open_ai: Option<AzureOpenAiEmbedding>,
    /// A model behind OpenRouter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_router: Option<HostedEmbedding>,
    /// A model behind a Text Embeddings Inference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_embeddings_inference: Option<TextEmbeddingsInferenceEmbedding>,
}

/// The model inside the gateway.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltinEmbedding {
    /// Folder inside the gateway's image that holds `model.safetensors` and `tokenizer.json`; an absolute path. Needed only with
    /// a gateway image that keeps the model elsewhere; where the files are missing, the gateway does not start and says so.
    /// Default: the image's own.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^/[A-Za-z0-9._/-]*$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_directory: Option<String>,
}

/// A server that speaks OpenAI's embeddings API.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAiCompatibleEmbedding {
    /// Address up to and including the version, as in `https://api.openai.com/v1`; begins with `http://` or `https://`.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub base_url: String,
    /// Name of the model as the server knows it, as in `text-embedding-3-small`. Cannot be changed later.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "cannot change, since stored vectors of two models cannot be compared: make a new pipeline"
    ))]
    pub model: String,
    /// Numbers in a vector, 1 to 4000; must be what the model gives, as in 1536 for `text-embedding-3-small`. A wrong number is
    /// noticed at the first vector and refused with the right one. Cannot be changed later.
    #[schemars(range(min = 1, max = 4_000))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "cannot change, since stored vectors have the old length: make a new pipeline"
    ))]
    pub dimensions: u32,
    /// The key of the Secret, in the namespace of the pipeline, that holds the server's API key. Leave it out for a server
    /// that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A key of a Secret in the namespace of the pipeline. While Secret or key are missing, the pipeline waits, and the condition
/// `SecretsResolved` names them. A changed value is taken over without a restart.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the Secret's data, as in `api-key`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}
