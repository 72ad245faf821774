//! The providers of models, from the spec's shape into the configuration's.

use std::str::FromStr;

use super::Problems;
use ragline_config::{
    AzureOpenAi, DEFAULT_MAX_WORDS, DEFAULT_WINDOW_TOKENS, EmbeddingProvider, GenerationProvider, HostedModel, OpenAiCompatible,
    ShortQuestions, TextEmbeddingsInference,
};
use ragline_crds::spec;

const ADDRESS: &str = "must be an address, as in https://api.openai.com/v1";

/// The provider that a spec names, the built-in one where it names none.
pub(super) fn embedding(embedding: &spec::Embedding, problems: &mut Problems) -> EmbeddingProvider {
    let spec::Embedding {
        builtin,
        open_ai_compatible,
        batch_size: _,
        concurrent_requests: _,
        retry_attempts: _,
        retry_delay_seconds: _,
        timeout_seconds: _,
        use_cache: _,
        open_ai,
        azure_open_ai,
        open_router,
        text_embeddings_inference,
    } = embedding;
    let mut named = Vec::new();
    let model_directory = builtin.as_ref().and_then(|builtin| builtin.model_directory.clone()).map(Into::into);
    named.extend(builtin.as_ref().map(|_| EmbeddingProvider::Builtin { model_directory: model_directory.clone() }));
    if let Some(spec::OpenAiCompatibleEmbedding { base_url, model, dimensions, secret_ref: _ }) = open_ai_compatible {
        let address = address("spec.embedding.openAiCompatible.baseUrl", base_url, problems);
        named.extend(address.map(|base_url| {
            let dimensions = Some(*dimensions);
            EmbeddingProvider::OpenAiCompatible(OpenAiCompatible { base_url, model: model.clone(), dimensions, reasoning: None })
        }));
    }
    let hosted = |field: &str, hosted: &spec::HostedEmbedding, problems: &mut Problems| {
        let spec::HostedEmbedding { model, dimensions, base_url, secret_ref: _ } = hosted;
        let base_url = base_url.as_ref().and_then(|base_url| address(field, base_url, problems));
        HostedModel { model: model.clone(), base_url, dimensions: Some(*dimensions), reasoning: None }
    };
    if let Some(open_ai) = open_ai {
        named.push(EmbeddingProvider::OpenAi(hosted("spec.embedding.openAi.baseUrl", open_ai, problems)));
    }
    if let Some(spec::AzureOpenAiEmbedding { endpoint, deployment, model, dimensions, api_version, secret_ref: _ }) =
        azure_open_ai
    {
        let endpoint = address("spec.embedding.azureOpenAi.endpoint", endpoint, problems);
        named.extend(endpoint.map(|endpoint| {
            EmbeddingProvider::AzureOpenAi(AzureOpenAi {
                endpoint,
                deployment: deployment.clone(),
                api_version: api_version.clone(),
                model: Some(model.clone()),
                dimensions: Some(*dimensions),
                reasoning: None,
            })
        }));
    }
    if let Some(open_router) = open_router {
        named.push(EmbeddingProvider::OpenRouter(hosted("spec.embedding.openRouter.baseUrl", open_router, problems)));
    }
    if let Some(server) = text_embeddings_inference {
        let spec::TextEmbeddingsInferenceEmbedding { base_url, model, dimensions, window_tokens, secret_ref: _ } = server;
        let address = address("spec.embedding.textEmbeddingsInference.baseUrl", base_url, problems);
        named.extend(address.map(|base_url| {
            EmbeddingProvider::TextEmbeddingsInference(TextEmbeddingsInference {
                base_url,
                model: model.clone(),
                dimensions: Some(*dimensions),
                window_tokens: window_tokens.unwrap_or(DEFAULT_WINDOW_TOKENS),
            })
        }));
    }
    problems.require(named.len() <= 1, "spec.embedding", "name only one provider");
    named.pop().unwrap_or(EmbeddingProvider::Builtin { model_directory: None })
}

/// The provider that a spec names, the built-in one where it names none.
pub(super) fn generation(generation: &spec::Generation, problems: &mut Problems) -> GenerationProvider {
    let spec::Generation {
        builtin,
        open_ai_compatible,
        temperature: _,
        max_tokens: _,
        top_p: _,
        timeout_seconds: _,
        retry_attempts: _,
        prompt_template: _,
        context_tokens: _,
        open_ai,
        azure_open_ai,
        anthropic,
        gemini,
        open_router,
        fallbacks: _,
        short_questions: _,
        prices: _,
        model_context_tokens: _,
    } = generation;
    let writer = spec::Writer {
        builtin: *builtin,
        open_ai_compatible: open_ai_compatible.clone(),
        open_ai: open_ai.clone(),
        azure_open_ai: azure_open_ai.clone(),
        anthropic: anthropic.clone(),
        gemini: gemini.clone(),
        open_router: open_router.clone(),
    };
    let mut named = writers("spec.generation", &writer, problems);
    problems.require(named.len() <= 1, "spec.generation", "name only one provider");
    named.pop().unwrap_or_default()
}

/// What stands in for it, in order.
pub(super) fn fallbacks(generation: &spec::Generation, problems: &mut Problems) -> Vec<GenerationProvider> {
    let fallbacks = generation.fallbacks.iter().flatten().enumerate();
    let mut found = Vec::new();
    for (number, fallback) in fallbacks {
        found.extend(writer(&format!("spec.generation.fallbacks[{number}]"), fallback, problems));
    }
    found
}

/// The cheaper model.
pub(super) fn short_questions(generation: &spec::Generation, problems: &mut Problems) -> Option<ShortQuestions> {
    let spec::ShortQuestions { provider, max_words } = generation.short_questions.as_ref()?;
    let provider = writer("spec.generation.shortQuestions.provider", provider, problems)?;
    Some(ShortQuestions { provider, max_words: max_words.unwrap_or(DEFAULT_MAX_WORDS) })
}

fn writer(field: &str, writer: &spec::Writer, problems: &mut Problems) -> Option<GenerationProvider> {
    let found = problems.0.len();
    let mut named = writers(field, writer, problems);
    problems.require(named.len() == 1 || problems.0.len() > found, field, "name exactly one provider");
    named.pop()
}

/// All that are named.
fn writers(field: &str, writer: &spec::Writer, problems: &mut Problems) -> Vec<GenerationProvider> {
    let spec::Writer { builtin, open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router } = writer;
    let mut named = Vec::new();
    named.extend(builtin.as_ref().map(|_| GenerationProvider::Builtin));
    if let Some(spec::OpenAiCompatibleGeneration { base_url, model, reasoning, secret_ref: _ }) = open_ai_compatible {
        let base_url = address(&format!("{field}.openAiCompatible.baseUrl"), base_url, problems);
        named.extend(base_url.map(|base_url| {
            let (model, reasoning) = (model.clone(), *reasoning);
            GenerationProvider::OpenAiCompatible(OpenAiCompatible { base_url, model, dimensions: None, reasoning })
        }));
    }
    let hosted = |provider: &str, hosted: &spec::HostedModel, problems: &mut Problems| {
        let spec::HostedModel { model, base_url, reasoning, secret_ref: _ } = hosted;
        let field = format!("{field}.{provider}.baseUrl");
        let base_url = base_url.as_ref().and_then(|base_url| address(&field, base_url, problems));
        HostedModel { model: model.clone(), base_url, dimensions: None, reasoning: *reasoning }
    };
    named.extend(open_ai.as_ref().map(|model| GenerationProvider::OpenAi(hosted("openAi", model, problems))));
    named.extend(anthropic.as_ref().map(|model| GenerationProvider::Anthropic(hosted("anthropic", model, problems))));
    named.extend(open_router.as_ref().map(|model| GenerationProvider::OpenRouter(hosted("openRouter", model, problems))));
    if let Some(spec::GeminiModel { model, base_url, secret_ref: _ }) = gemini {
        let gemini = spec::HostedModel { model: model.clone(), base_url: base_url.clone(), reasoning: None, secret_ref: None };
        named.push(GenerationProvider::Gemini(hosted("gemini", &gemini, problems)));
    }
    if let Some(spec::AzureOpenAiModel { endpoint, deployment, api_version, reasoning, secret_ref: _ }) = azure_open_ai {
        let endpoint = address(&format!("{field}.azureOpenAi.endpoint"), endpoint, problems);
        named.extend(endpoint.map(|endpoint| {
            GenerationProvider::AzureOpenAi(AzureOpenAi {
                endpoint,
                deployment: deployment.clone(),
                api_version: api_version.clone(),
                model: None,
                dimensions: None,
                reasoning: *reasoning,
            })
        }));
    }
    named
}

fn address<T: FromStr>(field: &str, text: &str, problems: &mut Problems) -> Option<T> {
    let parsed = text.parse().ok();
    problems.require(parsed.is_some(), field, ADDRESS);
    parsed
}

#[cfg(test)]
mod tests {
    use ragline_crds::RagPipeline;
    use serde_json::{Value, json};

    use crate::plan::{
        pipeline::{Defaults, Pipeline},
        validate::validate,
    };

    fn checked(spec: Value) -> Result<Pipeline, String> {
        let pipeline = RagPipeline::new("a", serde_json::from_value(spec).unwrap());
        validate(&pipeline, &Defaults::of_tests()).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn every_provider_reaches_the_configuration_with_its_secret() {
        let key = |name: &str| json!({"name": name, "key": "k"});
        let pipeline = checked(json!({
            "embedding": {"textEmbeddingsInference": {"baseUrl": "http://tei:8081", "model": "bge", "dimensions": 384}},
            "generation": {
                "azureOpenAi": {"endpoint": "https://x.openai.azure.com", "deployment": "large", "secretRef": key("azure")},
                "fallbacks": [
                    {"anthropic": {"model": "claude", "secretRef": key("claude")}},
                    {"openAiCompatible": {"baseUrl": "http://vllm:8000/v1", "model": "m"}},
                    {"builtin": {}},
                ],
                "shortQuestions": {"provider": {"gemini": {"model": "gemini-2.5-flash", "secretRef": key("google")}}},
            },
        }))
        .unwrap();
        let generation = &pipeline.config.generation;
        let labels: Vec<_> = generation.providers().map(ragline_config::GenerationProvider::label).collect();
        assert_eq!(labels, ["azure_openai", "anthropic", "openai_compatible", "builtin", "gemini"]);
        assert_eq!(pipeline.config.embedding.provider.dimensions(), Some(384));
        let secrets: Vec<_> =
            pipeline.secrets.iter().map(|named| (named.field.as_str(), named.variable.unwrap(), named.folder)).collect();
        assert_eq!(
            secrets,
            [
                ("spec.generation.azureOpenAi.secretRef", "RAGLINE_GENERATION_API_KEY", "generation-api-key"),
                (
                    "spec.generation.fallbacks[0].anthropic.secretRef",
                    "RAGLINE_GENERATION_FALLBACK_1_API_KEY",
                    "generation-fallback-1-api-key"
                ),
                (
                    "spec.generation.shortQuestions.provider.gemini.secretRef",
                    "RAGLINE_GENERATION_SHORT_API_KEY",
                    "generation-short-api-key"
                ),
            ]
        );
    }

    #[test]
    fn what_no_provider_can_mean_is_named_by_its_field() {
        let open_ai = json!({"model": "m"});
        let cases = [
            (json!({"generation": {"builtin": {}, "openAi": open_ai}}), "spec.generation: name only one provider"),
            (
                json!({"generation": {"openAi": open_ai, "fallbacks": [{}]}}),
                "spec.generation.fallbacks[0]: name exactly one provider",
            ),
            (json!({"generation": {"builtin": {}, "fallbacks": [{"openAi": open_ai}]}}), "spec.generation.fallbacks: need"),
            (
                json!({"embedding": {"builtin": {}, "openAi": {"model": "m", "dimensions": 3}}}),
                "spec.embedding: name only one provider",
            ),
            (
                json!({"generation": {"azureOpenAi": {"endpoint": "x", "deployment": "d"}}}),
                "spec.generation.azureOpenAi.endpoint: must be an address",
            ),
        ];
        for (spec, words) in cases {
            let refusal = checked(spec.clone()).unwrap_err();
            assert!(refusal.contains(words), "{spec}: {refusal}");
        }
    }
}
