//! The gateway's configuration file. Its names are those of the `RagPipeline` spec, so a message about one fits the other.
//! Every field has a default; unknown fields are refused. No secret has a place in here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    Seconds,
    index::{DistanceMetric, ElementType, Tiers},
    ports,
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
    pub generation: Generation,
    pub index: Index,
    pub limits: Limits,
    pub logging: Logging,
}

/// Where the gateway listens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Server {
    /// `host:port`.
    pub listen: String,
    /// PEM certificate chain; with `tlsKeyFile` the API is served over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
}

/// How the gateway speaks to PostgreSQL. The URLs come from the environment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Database {
    /// Connections in the pool, 1 to 50.
    pub pool_size: u32,
    /// Schema that holds the tables.
    pub schema: String,
    pub tls_mode: TlsMode,
    /// PEM certificates that `verifyCa` and `verifyFull` trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
    /// A statement that runs longer is cancelled.
    pub statement_timeout_seconds: Seconds,
}

/// TLS towards PostgreSQL; the names are libpq's `sslmode` values.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The two-tier cache. `CACHE_TTL` sets `vectorSearchTtlSeconds`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cache {
    pub mode: CacheMode,
    /// Host of Valkey; the environment's VALKEY_HOST wins.
    pub host: String,
    pub port: u16,
    pub database: u32,
    /// Speak TLS to Valkey.
    pub tls: bool,
    /// PEM certificates to trust; absent: the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
    /// Bytes that the tier inside the process may hold.
    pub memory_bytes: u64,
    pub vector_search_ttl_seconds: Seconds,
    pub embedding_ttl_seconds: Seconds,
    pub context_ttl_seconds: Seconds,
    pub similarity_ttl_seconds: Seconds,
    /// A Valkey that has not answered after this is a miss.
    pub timeout_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CacheMode {
    #[default]
    Valkey,
    /// Nothing is cached, neither in Valkey nor in the process.
    Disabled,
}

/// The model that turns text into vectors, and how requests to it are made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Embedding {
    pub provider: EmbeddingProvider,
    /// Texts in one request.
    pub batch_size: u32,
    /// Requests under way at once.
    pub concurrent_requests: u32,
    /// Tries after the first.
    pub retry_attempts: u32,
    /// Wait before the first retry; doubles each time.
    pub retry_delay_seconds: Seconds,
    /// One request may take this long.
    pub timeout_seconds: Seconds,
    /// Keep embeddings in the cache.
    pub use_cache: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EmbeddingProvider {
    /// all-MiniLM-L6-v2 inside the gateway; 384 dimensions.
    #[serde(rename_all = "camelCase")]
    Builtin {
        /// Folder with model.safetensors and tokenizer.json; absent: RAGLINE_MODEL_DIR or the image's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model_directory: Option<PathBuf>,
    },
    OpenAiCompatible(OpenAiCompatible),
}

/// A server that speaks OpenAI's API.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenAiCompatible {
    /// Up to and including the version, as in `https://api.openai.com/v1`.
    pub base_url: Url,
    pub model: String,
    /// Numbers in a vector. Embedding only; must be what the model gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
}

/// How text is cut. Tokens are those of the embedding model's tokenizer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Chunking {
    pub min_tokens: u32,
    pub max_tokens: u32,
    /// Share of a chunk that the next one repeats, 10 to 20.
    pub overlap_percent: u32,
}

/// Defaults of a search.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Search {
    /// Results of a search that names no limit, 1 to 100.
    pub limit: u32,
    /// Passages that an answer is made of, 1 to 20.
    pub answer_limit: u32,
}

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
}

/// How the vector index follows the data. The counts are explained at [`Tiers`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Index {
    pub mode: IndexMode,
    pub exact_below: u64,
    pub small_below: u64,
    pub medium_below: u64,
    pub hysteresis_percent: u32,
    pub distance_metric: DistanceMetric,
    pub element_type: ElementType,
    /// The gateway builds the index itself. Off where an operator starts a Job for it.
    pub build_in_process: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum IndexMode {
    #[default]
    Auto,
    /// Always exact.
    None,
}

/// Bounds on what a caller may send.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of one upload request.
    pub request_bytes: u64,
    /// Bytes of a JSON body.
    pub json_bytes: u64,
    /// Requests under way at once; one more is answered 429.
    pub concurrent_requests: u32,
    /// One request may take this long.
    pub request_timeout_seconds: Seconds,
    /// Files of one upload request.
    pub files_per_request: u32,
    /// Extraction of one file may take this long.
    pub extract_timeout_seconds: Seconds,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Logging {
    /// A level, or directives such as `info,ragline_gateway=debug`.
    pub level: String,
    /// One line for each question.
    pub queries: bool,
    /// Put the question's text into that line.
    pub query_text: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: format!("0.0.0.0:{}", ports::GATEWAY_HTTP), tls_certificate_file: None, tls_key_file: None }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            pool_size: 10,
            schema: "public".into(),
            tls_mode: TlsMode::default(),
            tls_ca_file: None,
            statement_timeout_seconds: Seconds(30),
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            mode: CacheMode::default(),
            host: "localhost".into(),
            port: ports::VALKEY,
            database: 0,
            tls: false,
            tls_ca_file: None,
            memory_bytes: 32 << 20,
            vector_search_ttl_seconds: Seconds(3_600),
            embedding_ttl_seconds: Seconds(86_400),
            context_ttl_seconds: Seconds(1_800),
            similarity_ttl_seconds: Seconds(7_200),
            timeout_ms: 100,
        }
    }
}

impl Default for Embedding {
    fn default() -> Self {
        Self {
            provider: EmbeddingProvider::Builtin { model_directory: None },
            batch_size: 100,
            concurrent_requests: 5,
            retry_attempts: 3,
            retry_delay_seconds: Seconds(1),
            timeout_seconds: Seconds(30),
            use_cache: true,
        }
    }
}

impl Default for Chunking {
    fn default() -> Self {
        Self { min_tokens: 512, max_tokens: 1_024, overlap_percent: 15 }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self { limit: 10, answer_limit: 5 }
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
        }
    }
}

impl Index {
    /// The row counts, as the policy takes them.
    pub fn tiers(&self) -> Tiers {
        match self.mode {
            IndexMode::Auto => Tiers {
                exact_below: self.exact_below,
                small_below: self.small_below,
                medium_below: self.medium_below,
                hysteresis_percent: self.hysteresis_percent,
            },
            IndexMode::None => {
                Tiers { exact_below: u64::MAX, small_below: u64::MAX, medium_below: u64::MAX, hysteresis_percent: 0 }
            }
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        let Tiers { exact_below, small_below, medium_below, hysteresis_percent } = Tiers::default();
        Self {
            mode: IndexMode::default(),
            exact_below,
            small_below,
            medium_below,
            hysteresis_percent,
            distance_metric: DistanceMetric::default(),
            element_type: ElementType::default(),
            build_in_process: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            request_bytes: 1 << 30,
            json_bytes: 1 << 20,
            concurrent_requests: 256,
            request_timeout_seconds: Seconds(120),
            files_per_request: 100,
            extract_timeout_seconds: Seconds(120),
        }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: "info".into(), queries: true, query_text: false }
    }
}
