//! Providers of models. Each may name a Secret with its key.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Empty, OpenAiCompatibleGeneration, SecretKeyRef};

/// A language model of OpenAI, OpenRouter or Anthropic.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedModel {
    /// Name of the model as the provider knows it, as in `gpt-4.1-mini`, `meta-llama/llama-3.3-70b-instruct` or
    /// `claude-sonnet-4-5`.
    #[schemars(length(min = 1, max = 256))]
    pub model: String,
    /// Another address than the provider's own, such as a proxy's, up to and including the version; begins with `http://` or
    /// `https://`. Default: the provider's own.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Whether the model thinks before it writes, as OpenAI's o-series and GPT-5 and the newer Claudes do: these refuse `temperature`
    /// and `topP`, which are then left out. Thinking takes its part of `maxTokens`: raise it. Default: found out by the model's first
    /// refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the provider's API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A deployment of a language model in Azure OpenAI.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureOpenAiModel {
    /// Address of the resource, as in `https://name.openai.azure.com`.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub endpoint: String,
    /// Name of the deployment.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub deployment: String,
    /// A dated version of the API, as in `2024-10-21`, for resources that do not have the newer `/openai/v1` yet. Default: the newer one.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Whether the model thinks before it writes, as OpenAI's o-series and GPT-5 do: these refuse `temperature` and `topP`, which are
    /// then left out. Default: found out by the model's first refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the resource's API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A language model of Google's Gemini API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GeminiModel {
    /// Name of the model, as in `gemini-2.5-flash`.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^(models/)?[A-Za-z0-9._-]+$"))]
    pub model: String,
    /// Another address than Google's own, such as a proxy's, up to and including the version; begins with `http://` or `https://`.
    /// Default: Google's own.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// What may write answers in the place of another, or for those who name nothing. Name exactly one provider.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.builtin), has(self.openAiCompatible), has(self.openAi), has(self.azureOpenAi), has(self.anthropic), \
     has(self.gemini), has(self.openRouter)].filter(named, named).size() == 1"
).message("name exactly one provider"))]
pub struct Writer {
    /// The best sentences of the found passages, cited; no language model. It always answers, so it is best named last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Empty>,
    /// A language model behind a server that speaks OpenAI's chat API, such as vLLM or Ollama.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ai_compatible: Option<OpenAiCompatibleGeneration>,
    /// A language model of OpenAI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ai: Option<HostedModel>,
    /// A language model in Azure OpenAI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_open_ai: Option<AzureOpenAiModel>,
    /// A language model of Anthropic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anthropic: Option<HostedModel>,
    /// A language model of Google's Gemini API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gemini: Option<GeminiModel>,
    /// A language model behind OpenRouter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_router: Option<HostedModel>,
}

/// A cheaper model for short questions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortQuestions {
    /// The cheaper model. While it gives no answer, the other one is asked.
    pub provider: Writer,
    /// Words that a question may have to be short, 1 to 100. One that follows a conversation never is. Default: `12`.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_words: Option<u32>,
}

/// An embedding model of OpenAI or OpenRouter.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedEmbedding {
    /// Name of the model as the provider knows it, as in `text-embedding-3-small`. Cannot be changed later.
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
    /// Another address than the provider's own, such as a proxy's, up to and including the version; begins with `http://` or
    /// `https://`. Default: the provider's own.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the provider's API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A deployment of an embedding model in Azure OpenAI.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureOpenAiEmbedding {
    /// Address of the resource, as in `https://name.openai.azure.com`.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub endpoint: String,
    /// Name of the deployment.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub deployment: String,
    /// The model behind the deployment, as in `text-embedding-3-small`; stored vectors are told apart by it. Cannot be changed later.
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
    /// A dated version of the API, as in `2024-10-21`, for resources that do not have the newer `/openai/v1` yet. Default: the newer one.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the resource's API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A Text Embeddings Inference, asked at its own `/embed`, where a text that is too long for the model is cut instead of refused. Batches
/// are made as small as the server says that it takes them.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TextEmbeddingsInferenceEmbedding {
    /// Address of the server, as in `http://embeddings.models:80`; begins with `http://` or `https://`.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub base_url: String,
    /// The model that the server was started with, as in `BAAI/bge-small-en-v1.5`; stored vectors are told apart by it. Cannot be
    /// changed later.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "cannot change, since stored vectors of two models cannot be compared: make a new pipeline"
    ))]
    pub model: String,
    /// Numbers in a vector, 1 to 4000; must be what the model gives, as in 384 for `BAAI/bge-small-en-v1.5`. A wrong number is noticed
    /// at the first vector and refused with the right one. Cannot be changed later.
    #[schemars(range(min = 1, max = 4_000))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "cannot change, since stored vectors have the old length: make a new pipeline"
    ))]
    pub dimensions: u32,
    /// Tokens that one vector stands for, 64 to 8192; a longer chunk gets several vectors, and its best one counts. What a model does
    /// not see of a text is not found. Default: `400`, for models that see 512 of their own tokens.
    #[schemars(range(min = 64, max = 8_192))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_tokens: Option<u32>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the server's API key. Leave it out for a server
    /// that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}
