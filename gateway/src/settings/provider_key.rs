//! The key of a provider, and the variables that it is looked for in.

use ragline_config::{EmbeddingProvider, GenerationProvider, addresses, env};
use url::Url;

use super::secret::Secret;

/// A key that may be missing: not every server wants one.
#[derive(Clone, Debug, Default)]
pub struct ProviderKey {
    pub secret: Option<Secret>,
    /// In the order in which they are looked into; none where nothing is asked.
    pub variables: Vec<&'static str>,
}

impl ProviderKey {
    pub(super) fn of_embedding(provider: &EmbeddingProvider, lookup: &impl Fn(&str) -> Option<String>) -> Self {
        let providers = match provider {
            EmbeddingProvider::Builtin { .. } => return Self::default(),
            EmbeddingProvider::OpenAiCompatible(server) => compatible(&server.base_url),
            EmbeddingProvider::OpenAi(_) => vec![env::OPENAI_API_KEY],
            EmbeddingProvider::AzureOpenAi(_) => vec![env::AZURE_OPENAI_API_KEY],
            EmbeddingProvider::OpenRouter(_) => vec![env::OPENROUTER_API_KEY],
            EmbeddingProvider::TextEmbeddingsInference(_) => Vec::new(),
        };
        Self::find(env::EMBEDDING_API_KEY, providers, lookup)
    }

    /// `own` is the variable of the place that the provider has among the generators.
    pub(super) fn of_generation(
        own: &'static str,
        provider: &GenerationProvider,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Self {
        let providers = match provider {
            GenerationProvider::Builtin | GenerationProvider::Disabled => return Self::default(),
            GenerationProvider::OpenAiCompatible(server) if own == env::GENERATION_API_KEY => compatible(&server.base_url),
            // One that stands in is another server: a key that was meant for the first must not reach it.
            GenerationProvider::OpenAiCompatible(_) => Vec::new(),
            GenerationProvider::OpenAi(_) => vec![env::OPENAI_API_KEY],
            GenerationProvider::AzureOpenAi(_) => vec![env::AZURE_OPENAI_API_KEY],
            GenerationProvider::Anthropic(_) => vec![env::ANTHROPIC_API_KEY],
            GenerationProvider::Gemini(_) => vec![env::GEMINI_API_KEY],
            GenerationProvider::OpenRouter(_) => vec![env::OPENROUTER_API_KEY],
        };
        Self::find(own, providers, lookup)
    }

    fn find(own: &'static str, providers: Vec<&'static str>, lookup: &impl Fn(&str) -> Option<String>) -> Self {
        let variables: Vec<_> = std::iter::once(own).chain(providers).collect();
        let secret = variables.iter().find_map(|name| Secret::find(name, lookup));
        Self { secret, variables }
    }
}

/// OpenRouter's key is for OpenRouter alone; OpenAI's is that of every server that speaks as OpenAI does.
fn compatible(base_url: &Url) -> Vec<&'static str> {
    let routed = base_url.as_str().starts_with(addresses::OPENROUTER);
    routed.then_some(env::OPENROUTER_API_KEY).into_iter().chain([env::OPENAI_API_KEY]).collect()
}
