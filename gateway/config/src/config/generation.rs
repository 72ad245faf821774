//! The model that writes answers.

use std::collections::BTreeMap;

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
    /// By the name of the model; come before those that are known here.
    pub prices: BTreeMap<String, Price>,
    /// Tokens that the model reads and writes at most; `None`: what is known of the model, else unbounded.
    pub model_context_tokens: Option<u32>,
    /// Asked in this order when the ones before give no answer.
    pub fallbacks: Vec<GenerationProvider>,
    /// A cheaper model for short questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_questions: Option<ShortQuestions>,
}

/// What a million tokens cost in US dollars.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    pub prompt_usd_per_million: f64,
    pub completion_usd_per_million: f64,
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
            prices: BTreeMap::new(),
            model_context_tokens: None,
            fallbacks: Vec::new(),
            short_questions: None,
        }
    }
}

/// The system description's prices: $0.01 to $0.06 for 1,000 tokens, which are those of these two of the models that it names. Others
/// change too often to be told from here.
const PRICES: [(&str, Price); 3] = [
    ("gpt-4", Price { prompt_usd_per_million: 30.0, completion_usd_per_million: 60.0 }),
    ("gpt-4-turbo", Price { prompt_usd_per_million: 10.0, completion_usd_per_million: 30.0 }),
    ("builtin-extractive", Price { prompt_usd_per_million: 0.0, completion_usd_per_million: 0.0 }),
];

/// Tokens that the models of a family read and write at most, by the beginning of their names; the first that fits counts.
const CONTEXTS: [(&str, u32); 8] = [
    ("gpt-4-turbo", 128_000),
    ("gpt-4o", 128_000),
    ("gpt-4.1", 1_000_000),
    ("gpt-4", 8_192),
    ("gpt-3.5-turbo", 16_385),
    ("claude-", 200_000),
    ("gemini-1.0", 32_760),
    ("mixtral", 32_768),
];

impl Generation {
    /// What the model costs, where that is known.
    pub fn price(&self, model: &str) -> Option<Price> {
        let known = || PRICES.iter().find(|(name, _)| *name == model).map(|(_, price)| *price);
        self.prices.get(model).copied().or_else(known)
    }

    /// The tokens that the model reads and writes at most, where that is known. A name may begin with a provider's, as in
    /// `openai/gpt-4o`.
    pub fn window_tokens(&self, model: &str) -> Option<u32> {
        let name = model.rsplit('/').next().unwrap_or(model);
        let known = || CONTEXTS.iter().find(|(family, _)| name.starts_with(family)).map(|(_, tokens)| *tokens);
        self.model_context_tokens.or_else(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_that_is_set_comes_before_one_that_is_known() {
        let mut generation = Generation::default();
        assert_eq!(generation.price("gpt-4").unwrap().completion_usd_per_million, 60.0);
        assert_eq!(generation.price("gpt-4-0613"), None);
        let price = Price { prompt_usd_per_million: 1.0, completion_usd_per_million: 2.0 };
        generation.prices.insert("gpt-4".into(), price);
        assert_eq!(generation.price("gpt-4"), Some(price));
    }

    #[test]
    fn a_context_is_known_by_the_family_and_set_for_the_rest() {
        let mut generation = Generation::default();
        for (model, tokens) in [
            ("gpt-4-0613", Some(8_192)),
            ("gpt-4-turbo-preview", Some(128_000)),
            ("openai/gpt-4o-mini", Some(128_000)),
            ("my-own", None),
        ] {
            assert_eq!(generation.window_tokens(model), tokens, "{model}");
        }
        generation.model_context_tokens = Some(4_096);
        assert_eq!(generation.window_tokens("gpt-4o"), Some(4_096));
    }
}
