//! The models that the settings name.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ragline_config::{CacheMode, Config, EmbeddingProvider, Expansion, ExpansionMethod, GenerationProvider, paths};

use crate::{
    backends::{
        anthropic::AnthropicGenerator,
        builtin::{self, BuiltinEmbedder},
        cache::CachedEmbedder,
        extractive::ExtractiveGenerator,
        fallback::{Candidate, FallbackGenerator},
        gemini::GeminiGenerator,
        http::{
            Policy,
            credentials::{Credentials, KeySource, Scheme},
        },
        off::{NoGenerator, NoRephraser, NoReranker},
        openai::{ChatGenerator, Endpoint, OpenAiEmbedder},
        pgvector::space::SpaceWanted,
        rephrase::GeneratorRephraser,
        rerank::HttpReranker,
        short_questions::ByLength,
        text_embeddings_inference::TeiEmbedder,
    },
    metrics::Metrics,
    settings::{ProviderKey, Settings, secret::Secret},
    traits::{cache::Cache, embedder::Embedder, generator::Generator, rephraser::Rephraser, reranker::Reranker},
};

/// The space that the database's vectors must belong to; needs no model to be loaded.
pub fn space_wanted(config: &Config) -> SpaceWanted {
    let provider = &config.embedding.provider;
    let (model, dimensions) = match (provider.model(), provider.dimensions()) {
        (Some(model), dimensions) => (model.to_owned(), dimensions.unwrap_or_default()),
        (None, _) => (builtin::MODEL_NAME.to_owned(), builtin::DIMENSIONS),
    };
    let ragline_config::Index { element_type, distance_metric, quantization, .. } = config.index;
    SpaceWanted { model, dimensions, element_type, distance_metric, quantization }
}

/// The embedder, with the cache before it where that is wanted. The built-in model pays for itself in microseconds only when it
/// need not run, so it is cached as well.
pub(super) fn embedder(settings: &Settings, cache: Arc<dyn Cache>) -> anyhow::Result<Arc<dyn Embedder>> {
    let config = &settings.config;
    let embedding = &config.embedding;
    let key = &settings.secrets.embedding_api_key;
    let base = || embedding.provider.base_url().ok_or_else(|| anyhow::anyhow!("the address of the embedding model is no URL"));
    let inner: Arc<dyn Embedder> = match &embedding.provider {
        EmbeddingProvider::Builtin { model_directory } => {
            Arc::new(BuiltinEmbedder::load(&model_folder(model_directory.as_deref()), None)?)
        }
        EmbeddingProvider::OpenAiCompatible(server) => {
            Arc::new(OpenAiEmbedder::new(server.into(), embedding, credentials(key, Scheme::Bearer))?)
        }
        EmbeddingProvider::OpenAi(model) | EmbeddingProvider::OpenRouter(model) => {
            let endpoint = Endpoint::new(base()?, &model.model, None);
            Arc::new(OpenAiEmbedder::new(endpoint, embedding, credentials(key, Scheme::Bearer))?)
        }
        EmbeddingProvider::AzureOpenAi(azure) => {
            Arc::new(OpenAiEmbedder::new(Endpoint::azure(azure)?, embedding, credentials(key, Scheme::ApiKey))?)
        }
        EmbeddingProvider::TextEmbeddingsInference(server) => {
            Arc::new(TeiEmbedder::new(server, embedding, credentials(key, Scheme::Bearer))?)
        }
    };
    let cached = embedding.use_cache && config.cache.mode != CacheMode::Disabled;
    Ok(if cached { Arc::new(CachedEmbedder::new(inner, cache)) } else { inner })
}

/// The generator: the one that is configured, those that stand in for it, and the one for short questions before them.
pub(super) fn generator(
    settings: &Settings,
    embedder: Arc<dyn Embedder>,
    metrics: &Metrics,
) -> anyhow::Result<Arc<dyn Generator>> {
    let config = &settings.config.generation;
    let secrets = &settings.secrets;
    let patient = Policy::generation(config);
    let impatient = patient.clone().impatient();
    let policy = |is_last: bool| if is_last { patient.clone() } else { impatient.clone() };
    let one = |provider, key, policy| one_generator(provider, key, policy, &embedder);

    let others = config.fallbacks.len();
    let first = one(&config.provider, &secrets.generation_api_key, policy(others == 0))?;
    let mut standing_in = Vec::with_capacity(others);
    for (number, (provider, key)) in (1..).zip(config.fallbacks.iter().zip(&secrets.fallback_api_keys)) {
        standing_in.push((provider.label(), one(provider, key, policy(number == others))?));
    }
    let chain = |first: (&'static str, Arc<dyn Generator>), others: &[(&'static str, Arc<dyn Generator>)]| {
        let candidate =
            |(provider, generator): &(&'static str, Arc<dyn Generator>)| Candidate::new(provider, Arc::clone(generator));
        let failures = metrics.rag_generation_failures.clone();
        Arc::new(FallbackGenerator::new(candidate(&first), others.iter().map(candidate).collect(), failures))
    };
    let all: Vec<_> = std::iter::once((config.provider.label(), Arc::clone(&first))).chain(standing_in).collect();
    let main: Arc<dyn Generator> = if others == 0 { first } else { chain(all[0].clone(), &all[1..]) };
    let Some(short) = &config.short_questions else { return Ok(main) };
    let cheaper = one(&short.provider, &secrets.short_api_key, policy(false))?;
    let shorter = chain((short.provider.label(), cheaper), &all);
    Ok(Arc::new(ByLength::new(shorter, main, short.max_words)))
}

fn one_generator(
    provider: &GenerationProvider,
    key: &ProviderKey,
    policy: Policy,
    embedder: &Arc<dyn Embedder>,
) -> anyhow::Result<Arc<dyn Generator>> {
    let base = || provider.base_url().ok_or_else(|| anyhow::anyhow!("the address of the language model is no URL"));
    Ok(match provider {
        GenerationProvider::Builtin => Arc::new(ExtractiveGenerator::new(Arc::clone(embedder))),
        GenerationProvider::Disabled => Arc::new(NoGenerator),
        GenerationProvider::OpenAiCompatible(server) => {
            Arc::new(ChatGenerator::new(server.into(), credentials(key, Scheme::Bearer), policy)?)
        }
        GenerationProvider::OpenAi(model) | GenerationProvider::OpenRouter(model) => {
            let endpoint = Endpoint::new(base()?, &model.model, model.reasoning);
            Arc::new(ChatGenerator::new(endpoint, credentials(key, Scheme::Bearer), policy)?)
        }
        GenerationProvider::AzureOpenAi(azure) => {
            Arc::new(ChatGenerator::new(Endpoint::azure(azure)?, credentials(key, Scheme::ApiKey), policy)?)
        }
        GenerationProvider::Anthropic(model) => {
            let credentials = credentials(key, Scheme::Anthropic);
            Arc::new(AnthropicGenerator::new(base()?, &model.model, model.reasoning, credentials, policy)?)
        }
        GenerationProvider::Gemini(model) => {
            Arc::new(GeminiGenerator::new(base()?, &model.model, credentials(key, Scheme::Google), policy)?)
        }
    })
}

/// The reranker.
pub(super) fn reranker(settings: &Settings) -> anyhow::Result<Arc<dyn Reranker>> {
    let reranker = HttpReranker::new(&settings.config.rerank, key_source(settings.secrets.rerank_api_key.as_ref()))?;
    Ok(reranker.map_or_else(|| Arc::new(NoReranker) as _, |reranker| Arc::new(reranker) as _))
}

/// What words questions otherwise.
pub(super) fn rephraser(expansion: &Expansion, generator: Arc<dyn Generator>) -> Arc<dyn Rephraser> {
    match expansion.method {
        ExpansionMethod::Generator => Arc::new(GeneratorRephraser::new(generator, expansion.queries)),
        ExpansionMethod::Disabled | ExpansionMethod::Feedback => Arc::new(NoRephraser),
    }
}

fn model_folder(configured: Option<&Path>) -> PathBuf {
    configured.unwrap_or(Path::new(paths::MODEL_DIR)).to_owned()
}

fn credentials(key: &ProviderKey, scheme: Scheme) -> Credentials {
    Credentials { key: key_source(key.secret.as_ref()), scheme, variables: key.variables.join(" or ") }
}

/// Reads the key anew for each request, so that a rotated one counts at once.
fn key_source(secret: Option<&Secret>) -> KeySource {
    let secret = secret.cloned();
    Arc::new(move || secret.as_ref().and_then(|secret| secret.read().ok()))
}
