//! What must hold of the servers of models.

use super::is_http;
use crate::{EmbeddingProvider, Generation, GenerationProvider, MOST_FALLBACKS};

const ADDRESS: &str = "must begin with http:// or https://";
const DEPLOYMENT: &str = "must be 1 to 64 letters, digits, '.', '_' or '-'";

pub(super) fn embedding(provider: &EmbeddingProvider, require: &mut impl FnMut(bool, &'static str, &str)) {
    let fields = match provider {
        EmbeddingProvider::Builtin { .. } => return,
        EmbeddingProvider::OpenAiCompatible(_) => {
            ["embedding.openAiCompatible.dimensions", "embedding.openAiCompatible.baseUrl", "embedding.openAiCompatible.model"]
        }
        EmbeddingProvider::OpenAi(_) => ["embedding.openAi.dimensions", "embedding.openAi.baseUrl", "embedding.openAi.model"],
        EmbeddingProvider::AzureOpenAi(_) => {
            ["embedding.azureOpenAi.dimensions", "embedding.azureOpenAi.endpoint", "embedding.azureOpenAi.model"]
        }
        EmbeddingProvider::OpenRouter(_) => {
            ["embedding.openRouter.dimensions", "embedding.openRouter.baseUrl", "embedding.openRouter.model"]
        }
        EmbeddingProvider::TextEmbeddingsInference(_) => [
            "embedding.textEmbeddingsInference.dimensions",
            "embedding.textEmbeddingsInference.baseUrl",
            "embedding.textEmbeddingsInference.model",
        ],
    };
    let [dimensions, address, model] = fields;
    require(provider.dimensions().is_some_and(|d| (1..=4_000).contains(&d)), dimensions, "must be given, 1 to 4000");
    require(provider.base_url().is_some_and(|url| is_http(&url)), address, ADDRESS);
    require(provider.model().is_some_and(|model| !model.is_empty()), model, "must be given");
    if let EmbeddingProvider::AzureOpenAi(azure) = provider {
        require(azure.model.is_some(), model, "must be given");
        require(is_segment(&azure.deployment), "embedding.azureOpenAi.deployment", DEPLOYMENT);
        require(is_version(azure.api_version.as_deref()), "embedding.azureOpenAi.apiVersion", "must look like 2024-10-21");
    }
    if let EmbeddingProvider::TextEmbeddingsInference(server) = provider {
        require(
            (64..=8_192).contains(&server.window_tokens),
            "embedding.textEmbeddingsInference.windowTokens",
            "must be 64 to 8192",
        );
    }
}

pub(super) fn generation(generation: &Generation, require: &mut impl FnMut(bool, &'static str, &str)) {
    provider(&generation.provider, None, require);
    require(generation.fallbacks.len() <= MOST_FALLBACKS, "generation.fallbacks", "may have at most 4 entries");
    for fallback in &generation.fallbacks {
        provider(fallback, Some("generation.fallbacks"), require);
    }
    let standing_in = generation.providers().skip(1);
    require(
        standing_in.clone().next().is_none() || generation.provider.is_language_model(),
        "generation.fallbacks",
        "need a language model that they stand in for; so do shortQuestions",
    );
    for other in standing_in {
        require(*other != GenerationProvider::Disabled, "generation.fallbacks", "cannot be disabled");
    }
    if let Some(short) = &generation.short_questions {
        provider(&short.provider, Some("generation.shortQuestions"), require);
        require((1..=100).contains(&short.max_words), "generation.shortQuestions.maxWords", "must be 1 to 100");
    }
}

/// Checks one provider; `list` is the field to name where it is none of its own.
fn provider(provider: &GenerationProvider, list: Option<&'static str>, require: &mut impl FnMut(bool, &'static str, &str)) {
    let (address, model) = match provider {
        GenerationProvider::Builtin | GenerationProvider::Disabled => return,
        GenerationProvider::OpenAiCompatible(_) => ("generation.openAiCompatible.baseUrl", "generation.openAiCompatible.model"),
        GenerationProvider::OpenAi(_) => ("generation.openAi.baseUrl", "generation.openAi.model"),
        GenerationProvider::AzureOpenAi(_) => ("generation.azureOpenAi.endpoint", "generation.azureOpenAi.deployment"),
        GenerationProvider::Anthropic(_) => ("generation.anthropic.baseUrl", "generation.anthropic.model"),
        GenerationProvider::Gemini(_) => ("generation.gemini.baseUrl", "generation.gemini.model"),
        GenerationProvider::OpenRouter(_) => ("generation.openRouter.baseUrl", "generation.openRouter.model"),
    };
    let (address, model) = (list.unwrap_or(address), list.unwrap_or(model));
    require(provider.base_url().is_some_and(|url| is_http(&url)), address, ADDRESS);
    match provider {
        GenerationProvider::AzureOpenAi(azure) => {
            require(is_segment(&azure.deployment), model, DEPLOYMENT);
            let field = list.unwrap_or("generation.azureOpenAi.apiVersion");
            require(is_version(azure.api_version.as_deref()), field, "must look like 2024-10-21");
        }
        // The model is part of the address.
        GenerationProvider::Gemini(gemini) => {
            require(is_segment(gemini.model.trim_start_matches("models/")), model, "must be a name, as in gemini-2.5-flash");
        }
        GenerationProvider::OpenAi(hosted) | GenerationProvider::Anthropic(hosted) | GenerationProvider::OpenRouter(hosted) => {
            require(!hosted.model.is_empty(), model, "must be given");
        }
        GenerationProvider::OpenAiCompatible(server) => require(!server.model.is_empty(), model, "must be given"),
        GenerationProvider::Builtin | GenerationProvider::Disabled => {}
    }
}

/// What stands in an address as it is.
fn is_segment(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_version(version: Option<&str>) -> bool {
    version.is_none_or(|version| {
        (1..=32).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn problems(yaml: &str) -> Vec<String> {
        match Config::from_yaml(yaml) {
            Ok(_) => Vec::new(),
            Err(error) => error.to_string().split("; ").map(str::to_owned).collect(),
        }
    }

    #[test]
    fn every_provider_survives_a_round_trip() {
        let text = "embedding:\n  provider:\n    textEmbeddingsInference: {baseUrl: 'http://tei', model: bge, dimensions: 384}\n\
                    generation:\n  provider:\n    openAi: {model: gpt-4.1-mini, reasoning: false}\n  fallbacks:\n  \
                    - azureOpenAi: {endpoint: 'https://x.openai.azure.com', deployment: d, apiVersion: '2024-10-21'}\n  \
                    - anthropic: {model: claude}\n  - gemini: {model: gemini-2.5-flash}\n  - builtin\n  \
                    shortQuestions: {provider: {openRouter: {model: meta/llama}}}\n";
        let config = Config::from_yaml(text).unwrap();
        assert_eq!(Config::from_yaml(&config.to_yaml().unwrap()).unwrap(), config);
        let hosts: Vec<_> =
            config.generation.providers().map(|p| p.base_url().and_then(|url| url.host_str().map(str::to_owned))).collect();
        let expected = [
            Some("api.openai.com"),
            Some("x.openai.azure.com"),
            Some("api.anthropic.com"),
            Some("generativelanguage.googleapis.com"),
            None,
            Some("openrouter.ai"),
        ];
        assert_eq!(hosts.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_cannot_be_asked_is_named_by_its_field() {
        let cases = [
            ("embedding:\n  provider:\n    openAi: {model: m}\n", "embedding.openAi.dimensions"),
            (
                "embedding:\n  provider:\n    azureOpenAi: {endpoint: 'https://x', deployment: d, dimensions: 3}\n",
                "embedding.azureOpenAi.model",
            ),
            ("generation:\n  provider:\n    gemini: {model: ../x}\n", "generation.gemini.model"),
            ("generation:\n  provider:\n    azureOpenAi: {endpoint: 'https://x', deployment: a/b}\n", "azureOpenAi.deployment"),
            ("generation:\n  provider:\n    anthropic: {model: m, baseUrl: 'ftp://x'}\n", "generation.anthropic.baseUrl"),
            ("generation:\n  fallbacks: [builtin]\n", "generation.fallbacks"),
            ("generation:\n  provider:\n    openAi: {model: m}\n  fallbacks: [disabled]\n", "generation.fallbacks"),
        ];
        for (yaml, field) in cases {
            let found = problems(yaml);
            assert!(found.iter().any(|problem| problem.contains(field)), "{yaml}: {found:?}");
        }
    }
}
