//! How passages are found, how much of them is returned, and what orders them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;

/// How a search finds passages and how much it returns, where the caller does not say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// How passages are found: `Vector` by meaning, `Lexical` by words (BM25), `Hybrid` by both, fused into one list. While one
    /// half of `Hybrid` is down, the other goes on alone. Default: `Hybrid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SearchMode>,
    /// Results of a search whose request names no `limit`, 1 to 100. Default: `10`.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Passages that an answer is made of, 1 to 20. More passages cost more tokens of the language model. Default: `5`.
    #[schemars(range(min = 1, max = 20))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_limit: Option<u32>,
    /// How the two halves of a hybrid search become one list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fusion: Option<Fusion>,
    /// Searching for more than the words of the question. Leave it out to search for the question alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expansion: Option<Expansion>,
}

/// How passages are found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SearchMode {
    Vector,
    Lexical,
    #[default]
    Hybrid,
}

/// How the two halves of a hybrid search become one list. Of the weights, only their relation matters; one at least must be
/// above 0.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fusion {
    /// What a place is worth: `RelativeScore` scales the values of each half to 0..1, `ReciprocalRank` looks at places alone.
    /// Default: `RelativeScore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<FusionMethod>,
    /// What the half by meaning counts, 0 to 1. Default: `0.5`.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_weight: Option<f64>,
    /// What the half by words counts, 0 to 1. Default: `0.5`.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical_weight: Option<f64>,
    /// `ReciprocalRank` alone, 1 to 1000: the larger, the less the first places stand out. Default: `10`.
    #[schemars(range(min = 1, max = 1_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
}

/// What a place in a half is worth.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum FusionMethod {
    #[default]
    RelativeScore,
    ReciprocalRank,
}

/// Searching for more than the words of the question. It finds passages that say the same in other words, and now and then some
/// that are about something else: try it on questions of your own with `ragline-gateway eval`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expansion {
    /// Where the further words come from: `Feedback` takes them from the best passages of a first search by words and costs a
    /// second one, `Generator` has the language model of `generation` word the question otherwise and costs its time. While that
    /// does not answer, the question is searched alone.
    pub method: ExpansionMethod,
    /// `Feedback` alone: passages that terms are taken from, 1 to 20. Default: `5`.
    #[schemars(range(min = 1, max = 20))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passages: Option<u32>,
    /// `Feedback` alone: terms that are added to the question, 1 to 50. Default: `10`.
    #[schemars(range(min = 1, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<u32>,
    /// `Generator` alone: other wordings that are searched beside the question, 1 to 5. Default: `3`.
    #[schemars(range(min = 1, max = 5))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<u32>,
}

/// Where the further words of a search come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ExpansionMethod {
    #[default]
    Feedback,
    Generator,
}

/// A model that reads the question together with each passage and orders what was found anew. While it does not answer, the
/// order of the search stays, and `rag_rerank_failures_total` counts it.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.provider != 'Cohere' || has(self.model)").message("Cohere needs a model"))]
pub struct Rerank {
    /// What the server speaks: `Cohere` for Cohere itself, Jina or vLLM, `TextEmbeddingsInference` for that one.
    pub provider: RerankProvider,
    /// Address below which `/rerank` is asked, as in `https://api.cohere.com/v1`; begins with `http://` or `https://`.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub base_url: String,
    /// Name of the model as the server knows it, as in `rerank-v3.5`. A Text Embeddings Inference serves one model and needs
    /// none.
    #[schemars(length(min = 1, max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Passages that the model chooses from, 1 to 100; more cost more time. Default: `50`.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<u32>,
    /// Seconds after which the order stays as it is, 1 to 60. Default: `5`.
    #[schemars(range(min = 1, max = 60))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the server's API key. Leave it out for a server
    /// that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// What a reranking server speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RerankProvider {
    #[default]
    Cohere,
    TextEmbeddingsInference,
}
