//! What operator and gateway must agree on: the configuration file, names of environment variables, ports, paths, and the
//! pure policies that both apply. No I/O, no clock, no Kubernetes, no SQL in here.

pub mod addresses;
mod config;
mod duration;
pub mod env;
pub mod index;
pub mod paths;
pub mod ports;
pub mod recall;
mod report;
mod schema;
mod server_address;
mod validate;

pub use config::{
    Auth, AzureOpenAi, Cache, CacheCluster, CacheMode, CacheSentinel, Chunking, Config, DEFAULT_MAX_WORDS,
    DEFAULT_PROMPT_TEMPLATE, DEFAULT_WINDOW_TOKENS, Database, Embedding, EmbeddingProvider, Expansion, ExpansionMethod, Fusion,
    FusionMethod, Generation, GenerationProvider, HnswParameters, HostedModel, Index, IndexMode, IvfFlatParameters, Limits,
    Logging, MOST_FALLBACKS, Oidc, OpenAiCompatible, Price, Rate, RateLimit, Redaction, Rerank, RerankProvider, Search,
    SearchMode, Server, ShortQuestions, SimilarityCache, TextEmbeddingsInference, TlsMode, Tracing,
};
pub use duration::Seconds;
pub use report::{BuildReport, INDEX_REPORT_PATH, IndexReport, RelationReport, TierCounts};
pub use schema::SCHEMA_VERSION;
pub use server_address::{NoAddress, ServerAddress};
pub use validate::{ConfigError, Problem, is_trustworthy};
