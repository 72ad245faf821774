//! Every server of models that a spec names, whatever section and provider it stands under. The tables are what the chart's
//! policy is made of as well; a test compares them with the schema.

use ragline_config::{addresses, env};
use ragline_crds::spec::{
    AzureOpenAiEmbedding, AzureOpenAiModel, Embedding, GeminiModel, Generation, HostedEmbedding, HostedModel,
    OpenAiCompatibleEmbedding, OpenAiCompatibleGeneration, Rerank, SecretKeyRef, ShortQuestions,
    TextEmbeddingsInferenceEmbedding, Writer,
};

/// A provider as the spec writes it: where it is asked, and for what.
#[derive(Debug)]
pub struct Provider {
    /// Name of its section, as in `openAi`.
    pub name: &'static str,
    /// Name of the field that holds its address.
    pub address_field: &'static str,
    /// Name of the field that holds what it is asked for.
    pub model_field: &'static str,
    /// Its own address, where the spec may leave it out.
    pub own_address: Option<&'static str>,
}

impl Provider {
    const fn at(name: &'static str, own_address: Option<&'static str>) -> Self {
        Self { name, address_field: "baseUrl", model_field: "model", own_address }
    }
}

const OPEN_AI_COMPATIBLE: Provider = Provider::at("openAiCompatible", None);
const OPEN_AI: Provider = Provider::at("openAi", Some(addresses::OPENAI));
const AZURE_OPEN_AI: Provider =
    Provider { name: "azureOpenAi", address_field: "endpoint", model_field: "deployment", own_address: None };
const ANTHROPIC: Provider = Provider::at("anthropic", Some(addresses::ANTHROPIC));
const GEMINI: Provider = Provider::at("gemini", Some(addresses::GEMINI));
const OPEN_ROUTER: Provider = Provider::at("openRouter", Some(addresses::OPENROUTER));
const TEXT_EMBEDDINGS_INFERENCE: Provider = Provider::at("textEmbeddingsInference", None);
const RERANK: Provider = Provider::at("rerank", None);

/// Providers of a spec's `embedding`.
pub const EMBEDDING_PROVIDERS: [&Provider; 5] =
    [&OPEN_AI_COMPATIBLE, &OPEN_AI, &AZURE_OPEN_AI, &OPEN_ROUTER, &TEXT_EMBEDDINGS_INFERENCE];
/// Providers of `generation`, of each of its `fallbacks`, and of the model for short questions.
pub const WRITING_PROVIDERS: [&Provider; 6] = [&OPEN_AI_COMPATIBLE, &OPEN_AI, &AZURE_OPEN_AI, &ANTHROPIC, &GEMINI, &OPEN_ROUTER];
/// The reranker, which stands in the spec itself.
pub const RERANKERS: [&Provider; 1] = [&RERANK];

/// A server, and the model that is asked for there.
#[derive(Debug)]
pub struct ModelServer<'a> {
    /// Path of the section, as in `spec.generation.fallbacks[0].anthropic`.
    pub field: String,
    pub provider: &'static Provider,
    /// Its address, the provider's own where the spec names none.
    pub base_url: String,
    pub model: Option<String>,
    pub secret_ref: &'a mut Option<SecretKeyRef>,
    /// The variable that takes its key.
    pub variable: &'static str,
    /// The folder that its key is mounted in.
    pub folder: &'static str,
}

/// Where a provider stands, and what belongs to that place.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    variable: &'static str,
    folder: &'static str,
}

impl Place<'_> {
    fn server<'a>(
        self,
        provider: &'static Provider,
        base_url: Option<&str>,
        model: Option<&str>,
        secret_ref: &'a mut Option<SecretKeyRef>,
    ) -> ModelServer<'a> {
        ModelServer {
            field: format!("{}.{}", self.path, provider.name),
            provider,
            base_url: base_url.or(provider.own_address).unwrap_or_default().to_owned(),
            model: model.map(str::to_owned),
            secret_ref,
            variable: self.variable,
            folder: self.folder,
        }
    }
}

/// Folders of the keys of what stands in.
const FALLBACK_FOLDERS: [&str; 4] = [
    "generation-fallback-1-api-key",
    "generation-fallback-2-api-key",
    "generation-fallback-3-api-key",
    "generation-fallback-4-api-key",
];

/// Those of the sections, in the order in which they are missed. More fallbacks than have a variable are refused elsewhere.
pub fn servers<'a>(
    embedding: Option<&'a mut Embedding>,
    generation: Option<&'a mut Generation>,
    rerank: Option<&'a mut Rerank>,
) -> Vec<ModelServer<'a>> {
    let mut found = Vec::new();
    found.extend(embedding.into_iter().flat_map(embedding_servers));
    found.extend(generation.into_iter().flat_map(generation_servers));
    found.extend(rerank.map(|rerank| {
        let Rerank { provider: _, base_url, model, candidates: _, timeout_seconds: _, secret_ref } = rerank;
        let place = Place { path: "spec", variable: env::RERANK_API_KEY, folder: "rerank-api-key" };
        place.server(&RERANK, Some(base_url), model.as_deref(), secret_ref)
    }));
    found
}

fn embedding_servers(embedding: &mut Embedding) -> Vec<ModelServer<'_>> {
    let Embedding {
        builtin: _,
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
    let place = Place { path: "spec.embedding", variable: env::EMBEDDING_API_KEY, folder: "embedding-api-key" };
    let mut found = Vec::new();
    if let Some(OpenAiCompatibleEmbedding { base_url, model, dimensions: _, secret_ref }) = open_ai_compatible {
        found.push(place.server(&OPEN_AI_COMPATIBLE, Some(base_url), Some(model), secret_ref));
    }
    if let Some(HostedEmbedding { model, dimensions: _, base_url, secret_ref }) = open_ai {
        found.push(place.server(&OPEN_AI, base_url.as_deref(), Some(model), secret_ref));
    }
    // The deployment is asked for; the model's name is what stored vectors are told apart by.
    if let Some(AzureOpenAiEmbedding { endpoint, deployment, model: _, dimensions: _, api_version: _, secret_ref }) =
        azure_open_ai
    {
        found.push(place.server(&AZURE_OPEN_AI, Some(endpoint), Some(deployment), secret_ref));
    }
    if let Some(HostedEmbedding { model, dimensions: _, base_url, secret_ref }) = open_router {
        found.push(place.server(&OPEN_ROUTER, base_url.as_deref(), Some(model), secret_ref));
    }
    if let Some(TextEmbeddingsInferenceEmbedding { base_url, model, dimensions: _, window_tokens: _, secret_ref }) =
        text_embeddings_inference
    {
        found.push(place.server(&TEXT_EMBEDDINGS_INFERENCE, Some(base_url), Some(model), secret_ref));
    }
    found
}

fn generation_servers(generation: &mut Generation) -> Vec<ModelServer<'_>> {
    let Generation {
        builtin: _,
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
        fallbacks,
        short_questions,
    } = generation;
    let place = Place { path: "spec.generation", variable: env::GENERATION_API_KEY, folder: "generation-api-key" };
    let named = Named { open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router };
    let mut found = writing_servers(place, named);
    let places = env::GENERATION_FALLBACK_API_KEYS.into_iter().zip(FALLBACK_FOLDERS);
    for (number, (writer, (variable, folder))) in fallbacks.iter_mut().flatten().zip(places).enumerate() {
        let path = format!("spec.generation.fallbacks[{number}]");
        found.extend(writing_servers(Place { path: &path, variable, folder }, Named::of(writer)));
    }
    if let Some(ShortQuestions { provider, max_words: _ }) = short_questions {
        let path = "spec.generation.shortQuestions.provider";
        let place = Place { path, variable: env::GENERATION_SHORT_API_KEY, folder: "generation-short-api-key" };
        found.extend(writing_servers(place, Named::of(provider)));
    }
    found
}

/// The providers of one place, of which at most one is named; a second one is refused elsewhere.
struct Named<'a> {
    open_ai_compatible: &'a mut Option<OpenAiCompatibleGeneration>,
    open_ai: &'a mut Option<HostedModel>,
    azure_open_ai: &'a mut Option<AzureOpenAiModel>,
    anthropic: &'a mut Option<HostedModel>,
    gemini: &'a mut Option<GeminiModel>,
    open_router: &'a mut Option<HostedModel>,
}

impl<'a> Named<'a> {
    fn of(writer: &'a mut Writer) -> Self {
        let Writer { builtin: _, open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router } = writer;
        Self { open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router }
    }
}

fn writing_servers<'a>(place: Place<'_>, named: Named<'a>) -> Vec<ModelServer<'a>> {
    let Named { open_ai_compatible, open_ai, azure_open_ai, anthropic, gemini, open_router } = named;
    let mut found = Vec::new();
    if let Some(OpenAiCompatibleGeneration { base_url, model, reasoning: _, secret_ref }) = open_ai_compatible {
        found.push(place.server(&OPEN_AI_COMPATIBLE, Some(base_url), Some(model), secret_ref));
    }
    if let Some(AzureOpenAiModel { endpoint, deployment, api_version: _, reasoning: _, secret_ref }) = azure_open_ai {
        found.push(place.server(&AZURE_OPEN_AI, Some(endpoint), Some(deployment), secret_ref));
    }
    for (provider, hosted) in [(&OPEN_AI, open_ai), (&ANTHROPIC, anthropic), (&OPEN_ROUTER, open_router)] {
        if let Some(HostedModel { model, base_url, reasoning: _, secret_ref }) = hosted {
            found.push(place.server(provider, base_url.as_deref(), Some(model), secret_ref));
        }
    }
    if let Some(GeminiModel { model, base_url, secret_ref }) = gemini {
        found.push(place.server(&GEMINI, base_url.as_deref(), Some(model), secret_ref));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn generation(value: Value) -> Generation {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_place_has_its_address_and_its_variable() {
        let mut spec = generation(json!({
            "openAi": {"model": "m"},
            "fallbacks": [{"builtin": {}}, {"anthropic": {"model": "c", "baseUrl": "http://proxy/v1"}}],
            "shortQuestions": {"provider": {"gemini": {"model": "g"}}},
        }));
        let found = servers(None, Some(&mut spec), None);
        let told: Vec<_> = found.iter().map(|s| (s.field.as_str(), s.base_url.as_str(), s.variable)).collect();
        assert_eq!(
            told,
            [
                ("spec.generation.openAi", addresses::OPENAI, env::GENERATION_API_KEY),
                ("spec.generation.fallbacks[1].anthropic", "http://proxy/v1", env::GENERATION_FALLBACK_API_KEYS[1]),
                ("spec.generation.shortQuestions.provider.gemini", addresses::GEMINI, env::GENERATION_SHORT_API_KEY),
            ]
        );
    }
}
