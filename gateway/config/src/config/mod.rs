//! The gateway's configuration file. Its names are those of the `RagPipeline` spec, so a message about one fits the other.
//! Every field has a default; unknown fields are refused. No secret has a place in here.

mod auth;
mod cache;
mod chunking;
mod database;
mod embedding;
mod generation;
mod index;
mod limits;
mod logging;
mod provider;
mod redaction;
mod rerank;
mod search;
mod server;
mod tracing;

use serde::{Deserialize, Serialize};

pub use self::{
    auth::{Auth, Oidc},
    cache::{Cache, CacheCluster, CacheMode, CacheSentinel, SimilarityCache},
    chunking::Chunking,
    database::{Database, TlsMode},
    embedding::{Embedding, EmbeddingProvider},
    generation::{
        DEFAULT_MAX_WORDS, DEFAULT_PROMPT_TEMPLATE, Generation, GenerationProvider, MOST_FALLBACKS, Price, ShortQuestions,
    },
    index::{HnswParameters, Index, IndexMode, IvfFlatParameters},
    limits::{Limits, Rate, RateLimit},
    logging::Logging,
    provider::{AzureOpenAi, DEFAULT_WINDOW_TOKENS, HostedModel, OpenAiCompatible, TextEmbeddingsInference},
    redaction::Redaction,
    rerank::{Rerank, RerankProvider},
    search::{Expansion, ExpansionMethod, Fusion, FusionMethod, Search, SearchMode},
    server::Server,
    tracing::Tracing,
};

/// The whole configuration file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub cache: Cache,
    pub embedding: Embedding,
    pub chunking: Chunking,
    pub search: Search,
    pub rerank: Rerank,
    pub generation: Generation,
    pub index: Index,
    pub limits: Limits,
    pub logging: Logging,
    pub redaction: Redaction,
    pub auth: Auth,
    pub tracing: Tracing,
}
