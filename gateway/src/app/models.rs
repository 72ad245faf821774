//! The models that the settings name.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ragline_config::{CacheMode, Config, EmbeddingProvider, Expansion, ExpansionMethod, GenerationProvider, paths};

use crate::{
    backends::{
        builtin::{self, BuiltinEmbedder},
        cache::CachedEmbedder,
        extractive::ExtractiveGenerator,
        http::KeySource,
        off::{NoGenerator, NoRephraser, NoReranker},
        openai::{ChatGenerator, OpenAiEmbedder},
        pgvector::space::SpaceWanted,
        rephrase::GeneratorRephraser,
        rerank::HttpReranker,
    },
    settings::{Settings, secret::Secret},
    traits::{cache::Cache, embedder::Embedder, generator::Generator, rephraser::Rephraser, reranker::Reranker},
};

/// The space that the database's vectors must belong to; needs no model to be loaded.
pub fn space_wanted(config: &Config) -> SpaceWanted {
    let (model, dimensions) = match &config.embedding.provider {
        EmbeddingProvider::Builtin { .. } => (builtin::MODEL_NAME.to_owned(), builtin::DIMENSIONS),
        EmbeddingProvider::OpenAiCompatible(server) => (server.model.clone(), server.dimensions.unwrap_or_default()),
    };
    let ragline_config::Index { element_type, distance_metric, quantization, .. } = config.index;
    SpaceWanted { model, dimensions, element_type, distance_metric, quantization }
}

/// The embedder, with the cache before it where that is wanted. The built-in model pays for itself in microseconds only when it
/// need not run, so it is cached as well.
pub(super) fn embedder(settings: &Settings, cache: Arc<dyn Cache>) -> anyhow::Result<Arc<dyn Embedder>> {
    let config = &settings.config;
    let inner: Arc<dyn Embedder> = match &config.embedding.provider {
        EmbeddingProvider::Builtin { model_directory } => {
            Arc::new(BuiltinEmbedder::load(&model_folder(model_directory.as_deref()), None)?)
        }
        EmbeddingProvider::OpenAiCompatible(server) => {
            Arc::new(OpenAiEmbedder::new(server, &config.embedding, key(settings.secrets.embedding_api_key.as_ref()))?)
        }
    };
    let cached = config.embedding.use_cache && config.cache.mode != CacheMode::Disabled;
    Ok(if cached { Arc::new(CachedEmbedder::new(inner, cache)) } else { inner })
}

/// The generator.
pub(super) fn generator(settings: &Settings, embedder: Arc<dyn Embedder>) -> anyhow::Result<Arc<dyn Generator>> {
    let config = &settings.config.generation;
    Ok(match &config.provider {
        GenerationProvider::Builtin => Arc::new(ExtractiveGenerator::new(embedder)),
        GenerationProvider::OpenAiCompatible(server) => {
            Arc::new(ChatGenerator::new(server, config, key(settings.secrets.generation_api_key.as_ref()))?)
        }
        GenerationProvider::Disabled => Arc::new(NoGenerator),
    })
}

/// The reranker.
pub(super) fn reranker(settings: &Settings) -> anyhow::Result<Arc<dyn Reranker>> {
    let reranker = HttpReranker::new(&settings.config.rerank, key(settings.secrets.rerank_api_key.as_ref()))?;
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

/// Reads the key anew for each request, so that a rotated one counts at once.
fn key(secret: Option<&Secret>) -> KeySource {
    let secret = secret.cloned();
    Arc::new(move || secret.as_ref().and_then(|secret| secret.read().ok()))
}
