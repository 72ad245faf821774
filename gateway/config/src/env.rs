//! Names of the environment variables that the gateway reads. A variable wins over the configuration file.
//!
//! Every variable that carries a secret may be given as `NAME_FILE` instead, with the path of a file that holds the value; the
//! file is read again when it changes.

/// Path of the configuration file.
pub const CONFIG: &str = "RAGLINE_CONFIG";
/// PostgreSQL URL of the application role, the only one that the gateway serves with.
pub const DATABASE_URL: &str = "DATABASE_URL";
/// PostgreSQL URL of the owner role: migrations and index builds.
pub const DATABASE_OWNER_URL: &str = "DATABASE_OWNER_URL";
/// PostgreSQL URL of a superuser, used by `migrate` alone to make the extension and the roles.
pub const DATABASE_BOOTSTRAP_URL: &str = "DATABASE_BOOTSTRAP_URL";
/// Comma-separated PostgreSQL URLs of read replicas.
pub const DATABASE_REPLICA_URLS: &str = "DATABASE_REPLICA_URLS";
/// Password for a database URL that carries none.
pub const POSTGRES_PASSWORD: &str = "POSTGRES_PASSWORD";
/// Connections in the gateway's pool, 1 to 50.
pub const PG_POOL_SIZE: &str = "PG_POOL_SIZE";
/// Host of Valkey: one server, whatever the configuration file says.
pub const VALKEY_HOST: &str = "VALKEY_HOST";
/// Port of Valkey.
pub const VALKEY_PORT: &str = "VALKEY_PORT";
/// Password of Valkey.
pub const VALKEY_PASSWORD: &str = "VALKEY_PASSWORD";
/// Password of the Sentinels, where they ask for one.
pub const VALKEY_SENTINEL_PASSWORD: &str = "VALKEY_SENTINEL_PASSWORD";
/// Database number of Valkey.
pub const VALKEY_DB: &str = "VALKEY_DB";
/// Address of an Upstash database; spoken to over the Redis protocol with TLS.
pub const UPSTASH_REDIS_REST_URL: &str = "UPSTASH_REDIS_REST_URL";
/// Token of an Upstash database; serves as its password.
pub const UPSTASH_REDIS_REST_TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
/// Key of OpenAI or of another OpenAI-compatible server, for embeddings and generation.
pub const OPENAI_API_KEY: &str = "OPENAI_API_KEY";
/// Key of OpenRouter; without OPENAI_API_KEY it sends what would go to OpenAI as an OpenAI-compatible server to OpenRouter.
pub const OPENROUTER_API_KEY: &str = "OPENROUTER_API_KEY";
/// Key for embeddings alone; wins over OPENAI_API_KEY.
pub const EMBEDDING_API_KEY: &str = "RAGLINE_EMBEDDING_API_KEY";
/// Key for generation alone; wins over OPENAI_API_KEY.
pub const GENERATION_API_KEY: &str = "RAGLINE_GENERATION_API_KEY";
/// Key of the reranking server.
pub const RERANK_API_KEY: &str = "RAGLINE_RERANK_API_KEY";
/// Texts in one request to an embedding server.
pub const EMBEDDING_BATCH_SIZE: &str = "EMBEDDING_BATCH_SIZE";
/// Seconds that a search result stays in the cache.
pub const CACHE_TTL: &str = "CACHE_TTL";
/// `false` switches the cache off.
pub const ENABLE_VECTOR_CACHE: &str = "ENABLE_VECTOR_CACHE";
/// `false` switches the log line of each question off.
pub const ENABLE_LOGGING: &str = "ENABLE_LOGGING";
/// Log filter: a level, or directives such as `info,ragline_gateway=debug`.
pub const LOG_LEVEL: &str = "LOG_LEVEL";
/// The first API key: administrator of workspace `default`.
pub const API_KEY: &str = "RAGLINE_API_KEY";
/// Folder of the built-in model; wins over the configuration file.
pub const MODEL_DIR: &str = "RAGLINE_MODEL_DIR";
/// Address to listen on, `host:port`.
pub const LISTEN: &str = "RAGLINE_LISTEN";

/// Address of an OpenTelemetry collector that takes OTLP over HTTP.
pub const OTEL_EXPORTER_OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Headers for the collector, as in `name=value,other=value`; a secret, since one of them may hold a key.
pub const OTEL_EXPORTER_OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// Share of the traces that begin in the gateway, 0 to 1.
pub const OTEL_TRACES_SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
/// Name of the service in traces.
pub const OTEL_SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// What traces say of the process besides, as in `deployment.environment.name=test,team=search`.
pub const OTEL_RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// Key of Azure OpenAI, for embeddings and generation.
pub const AZURE_OPENAI_API_KEY: &str = "AZURE_OPENAI_API_KEY";
/// Key of Anthropic.
pub const ANTHROPIC_API_KEY: &str = "ANTHROPIC_API_KEY";
/// Key of Gemini.
pub const GEMINI_API_KEY: &str = "GEMINI_API_KEY";
/// Keys of the providers that stand in, in their order; each wins over the provider's own variable.
pub const GENERATION_FALLBACK_API_KEYS: [&str; 4] = [
    "RAGLINE_GENERATION_FALLBACK_1_API_KEY",
    "RAGLINE_GENERATION_FALLBACK_2_API_KEY",
    "RAGLINE_GENERATION_FALLBACK_3_API_KEY",
    "RAGLINE_GENERATION_FALLBACK_4_API_KEY",
];
/// Key for short questions alone; wins over the provider's own variable.
pub const GENERATION_SHORT_API_KEY: &str = "RAGLINE_GENERATION_SHORT_API_KEY";

/// The suffix under which a secret variable may name a file instead of holding the value.
pub const FILE_SUFFIX: &str = "_FILE";
