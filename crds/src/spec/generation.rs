//! What writes answers.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AzureOpenAiModel, Empty, GeminiModel, HostedModel, SecretKeyRef, ShortQuestions, Writer};

/// What writes answers, and its parameters. Name at most one provider; with none, the built-in one is used. All but `contextTokens`
/// concern language models only.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "[has(self.builtin), has(self.openAiCompatible), has(self.openAi), has(self.azureOpenAi), has(self.anthropic), \
         has(self.gemini), has(self.openRouter)].filter(named, named).size() <= 1"
    )
    .message("name only one provider"),
    validation = Rule::new(
        "!has(self.fallbacks) && !has(self.shortQuestions) || has(self.openAiCompatible) || has(self.openAi) \
         || has(self.azureOpenAi) || has(self.anthropic) || has(self.gemini) || has(self.openRouter)"
    )
    .message("fallbacks and shortQuestions need a language model that they stand in for")
)]
pub struct Generation {
    /// The best sentences of the found passages, cited. It is no language model; it needs no key and no network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Empty>,
    /// A language model behind a server that speaks OpenAI's chat API: vLLM, Ollama and many more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ai_compatible: Option<OpenAiCompatibleGeneration>,
    /// How freely the model words its answer, 0 to 2; low values keep to the facts. Default: `0.2`.
    #[schemars(range(min = 0.0, max = 2.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Tokens that an answer may have, 1 to 100000. A longer answer is cut off. Default: `1000`.
    #[schemars(range(min = 1, max = 100_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Share of the likeliest words that the model chooses from, 0 to 1. Default: `0.9`.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Seconds that a model may take until the first words of an answer, and between any two, 1 to 600; the whole may take ten times as
    /// long. A question that takes longer goes to the next of `fallbacks`, else it is answered with 503. Default: `60`.
    #[schemars(range(min = 1, max = 600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Tries after the first, for refusals that may pass (429, 5xx, a lost connection), 0 to 10. A server's Retry-After is honoured. A
    /// model that another stands in for is tried once more at most. Default: `3`.
    #[schemars(range(min = 0, max = 10))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_attempts: Option<u32>,
    /// The prompt. Must contain `{context}`, where the numbered passages go, and `{question}`. Default: a short prompt in
    /// English that asks to answer from the context.
    #[schemars(length(min = 1, max = 16_384))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.contains('{context}') && self.contains('{question}')")
        .message("must contain {context} and {question}"))]
    pub prompt_template: Option<String>,
    /// Tokens of passages and of the conversation before the question that a prompt may carry, 100 to 1000000; passages that do
    /// not fit are left out, the least relevant first, and turns that do not fit in a quarter of it, the oldest first.
    /// Default: `6000`.
    #[schemars(range(min = 100, max = 1_000_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// What models cost, by the name of the model as the server knows it, at most 64. Answers, the log and the metrics tell the cost
    /// of each answer; that of a model without a price is not told. Default: the prices of `gpt-4` (30 and 60 US dollars) and
    /// `gpt-4-turbo` (10 and 30).
    #[schemars(extend("maxProperties" = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<BTreeMap<String, Price>>,
    /// Tokens that the model can read and write in all, 1024 to 10000000. Prompt, conversation and answer are kept within it:
    /// `maxTokens` is reserved first, then the conversation and the passages get what is left. Default: what is known of the model by
    /// its name (GPT-3.5 and GPT-4, Claude, Gemini 1.0, Mixtral), else no bound but `contextTokens`.
    #[schemars(range(min = 1_024, max = 10_000_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_context_tokens: Option<u32>,
    /// A language model of OpenAI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ai: Option<HostedModel>,
    /// A language model in Azure OpenAI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_open_ai: Option<AzureOpenAiModel>,
    /// A language model of Anthropic, which is told the temperature (1 at most) and no `topP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anthropic: Option<HostedModel>,
    /// A language model of Google's Gemini API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gemini: Option<GeminiModel>,
    /// A language model behind OpenRouter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_router: Option<HostedModel>,
    /// What stands in for the language model, at most 4: asked in this order when those before have not written a word. Whoever was down
    /// or full rests for a while; `rag_generation_failures_total` counts it. An answer that breaks off in its midst is an error. Default: none.
    #[schemars(length(max = 4))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallbacks: Option<Vec<Writer>>,
    /// A cheaper model for short questions. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_questions: Option<ShortQuestions>,
}

impl Generation {
    /// The provider alone.
    pub fn writer(&self) -> Writer {
        let Self {
            builtin,
            open_ai_compatible,
            temperature: _,
            max_tokens: _,
            top_p: _,
            timeout_seconds: _,
            retry_attempts: _,
            prompt_template: _,
            context_tokens: _,
            prices: _,
            model_context_tokens: _,
            open_ai,
            azure_open_ai,
            anthropic,
            gemini,
            open_router,
            fallbacks: _,
            short_questions: _,
        } = self.clone();
        Writer { builtin, open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router }
    }
}

impl From<Writer> for Generation {
    /// That provider, and nothing said of its parameters.
    fn from(writer: Writer) -> Self {
        let Writer { builtin, open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router } = writer;
        Self { builtin, open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router, ..Self::default() }
    }
}

/// A server that speaks OpenAI's chat API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAiCompatibleGeneration {
    /// Address up to and including the version, as in `https://api.openai.com/v1`; begins with `http://` or `https://`.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub base_url: String,
    /// Name of the model as the server knows it, as in `gpt-4.1-mini`.
    #[schemars(length(min = 1, max = 256))]
    pub model: String,
    /// Whether the model refuses `temperature` and `topP` and wants its most tokens as `max_completion_tokens`, as OpenAI's own that think
    /// before they write. Default: found out by the model's first refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
    /// The key of the Secret, in the namespace of the pipeline, that holds the server's API key. Leave it out for a server
    /// that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// What a million tokens of a model cost.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// US dollars for a million tokens that the model reads, 0 to 1000000.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub prompt_usd_per_million: f64,
    /// US dollars for a million tokens that the model writes, 0 to 1000000.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub completion_usd_per_million: f64,
}
