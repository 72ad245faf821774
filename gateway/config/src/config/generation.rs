//! The model that writes answers.

use serde::{Deserialize, Serialize};

use url::Url;

use super::{AzureOpenAi, HostedModel, OpenAiCompatible};
use crate::{Seconds, addresses, env};

/// Providers that may stand in, one after the other.
pub const MOST_FALLBACKS: usize = env::GENERATION_FALLBACK_API_KEYS.len();

/// The model that writes answers, and its parameters.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Generation {
    pub provider: GenerationProvider,
    /// 0 to 2; low values keep to the facts.
    pub temperature: f32,
    pub max_tokens: u32,
    pub top_p: f32,
    pub timeout_seconds: Seconds,
    /// Tries after the first.
    pub retry_attempts: u32,
    /// Must contain `{context}` and `{question}`.
    pub prompt_template: String,
    /// Tokens of passages that a prompt may carry.
    pub context_tokens: u32,
    /// Asked in this order when the ones before give no answer.
    pub fallbacks: Vec<GenerationProvider>,
    /// A cheaper model for short questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_questions: Option<ShortQuestions>,
}

/// A cheaper model for short questions.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShortQuestions {
    pub provider: GenerationProvider,
    /// It is asked questions of at most so many words that follow no conversation, 1 to 100.
    #[serde(default = "default_max_words")]
    pub max_words: u32,
}

/// Words of a short question where no other number is named.
pub const DEFAULT_MAX_WORDS: u32 = 12;

fn default_max_words() -> u32 {
    DEFAULT_MAX_WORDS
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum GenerationProvider {
    /// The best sentences of the passages, cited. No language model.
    #[default]
    Builtin,
    OpenAiCompatible(OpenAiCompatible),
    /// Retrieve only: questions are refused with `generation_disabled`.
    Disabled,
    OpenAi(HostedModel),
    AzureOpenAi(AzureOpenAi),
    Anthropic(HostedModel),
    Gemini(HostedModel),
    OpenRouter(HostedModel),
}

impl GenerationProvider {
    /// The value of metric labels.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Disabled => "disabled",
            Self::OpenAiCompatible(_) => "openai_compatible",
            Self::OpenAi(_) => "openai",
            Self::AzureOpenAi(_) => "azure_openai",
            Self::Anthropic(_) => "anthropic",
            Self::Gemini(_) => "gemini",
            Self::OpenRouter(_) => "openrouter",
        }
    }

    /// Where the model is asked; `None` inside the gateway.
    pub fn base_url(&self) -> Option<Url> {
        match self {
            Self::Builtin | Self::Disabled => None,
            Self::OpenAiCompatible(server) => Some(server.base_url.clone()),
            Self::OpenAi(model) => model.address(addresses::OPENAI),
            Self::Anthropic(model) => model.address(addresses::ANTHROPIC),
            Self::Gemini(model) => model.address(addresses::GEMINI),
            Self::OpenRouter(model) => model.address(addresses::OPENROUTER),
            Self::AzureOpenAi(azure) => Some(azure.endpoint.clone()),
        }
    }

    /// Whether it is a language model.
    pub fn is_language_model(&self) -> bool {
        self.base_url().is_some()
    }
}

impl Generation {
    /// Every provider that may be asked.
    pub fn providers(&self) -> impl Iterator<Item = &GenerationProvider> + Clone {
        let short = self.short_questions.as_ref().map(|short| &short.provider);
        std::iter::once(&self.provider).chain(&self.fallbacks).chain(short)
    }
}

/// The system description's example prompt.
pub const DEFAULT_PROMPT_TEMPLATE: &str = "You are a helpful assistant. Use the following context to answer the question.\n\n\
    Context:\n{context}\n\nQuestion: {question}\n\nAnswer:\n";

impl Default for Generation {
    fn default() -> Self {
        Self {
            provider: GenerationProvider::default(),
            temperature: 0.2,
            max_tokens: 1_000,
            top_p: 0.9,
            timeout_seconds: Seconds(60),
            retry_attempts: 3,
            prompt_template: DEFAULT_PROMPT_TEMPLATE.into(),
            context_tokens: 6_000,
            fallbacks: Vec::new(),
            short_questions: None,
        }
    }
}
