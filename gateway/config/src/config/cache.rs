//! The two-tier cache.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{EmbeddingProvider, Seconds, ServerAddress, ports};

/// The two-tier cache. `CACHE_TTL` sets `vectorSearchTtlSeconds`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cache {
    pub mode: CacheMode,
    /// Host of Valkey, where it is one server; the environment's VALKEY_HOST wins.
    pub host: String,
    pub port: u16,
    /// A cluster has number 0 alone.
    pub database: u32,
    /// In place of the host: whom to ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentinel: Option<CacheSentinel>,
    /// In place of the host: a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<CacheCluster>,
    /// Speak TLS to Valkey and to the Sentinels.
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
    pub similarity: SimilarityCache,
    /// A Valkey that has not answered after this is a miss.
    pub timeout_ms: u64,
}

/// Sentinels, which know the master of the moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CacheSentinel {
    /// 1 to 9.
    pub addresses: Vec<ServerAddress>,
    /// What the Sentinels call the master.
    pub master_name: String,
}

/// A cluster.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CacheCluster {
    /// 1 to 64 of its nodes; the others are learnt from them.
    pub addresses: Vec<ServerAddress>,
}

impl Cache {
    /// Where Valkey is, in words.
    pub fn place(&self) -> String {
        let list = |addresses: &[ServerAddress]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (&self.sentinel, &self.cluster) {
            (Some(CacheSentinel { addresses, master_name }), _) => {
                format!("the master {master_name} of the Sentinels {}", list(addresses))
            }
            (None, Some(CacheCluster { addresses })) => format!("the cluster of {}", list(addresses)),
            (None, None) => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Whether a question may get what was found for one that says the same.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SimilarityCache {
    pub enabled: bool,
    /// Cosine from which on two questions say the same, 0.8 to 1. `None`: what is known of the embedding model decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

impl SimilarityCache {
    /// With the built-in model, measured on `gateway/tests/it/data/paraphrases.jsonl`.
    pub const BUILTIN_THRESHOLD: f32 = 0.92;
    /// With any other model, which nobody measured.
    pub const OTHER_THRESHOLD: f32 = 0.95;

    /// Cosine from which on two questions share results; `None`: none do.
    pub fn least_cosine(&self, provider: &EmbeddingProvider) -> Option<f32> {
        let known = match provider {
            EmbeddingProvider::Builtin { .. } => Self::BUILTIN_THRESHOLD,
            EmbeddingProvider::OpenAiCompatible(_)
            | EmbeddingProvider::OpenAi(_)
            | EmbeddingProvider::AzureOpenAi(_)
            | EmbeddingProvider::OpenRouter(_)
            | EmbeddingProvider::TextEmbeddingsInference(_) => Self::OTHER_THRESHOLD,
        };
        self.enabled.then(|| self.threshold.unwrap_or(known))
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CacheMode {
    #[default]
    Valkey,
    /// Nothing is cached, neither in Valkey nor in the process.
    Disabled,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            mode: CacheMode::default(),
            host: "localhost".into(),
            port: ports::VALKEY,
            database: 0,
            sentinel: None,
            cluster: None,
            tls: false,
            tls_ca_file: None,
            memory_bytes: 32 << 20,
            vector_search_ttl_seconds: Seconds(3_600),
            embedding_ttl_seconds: Seconds(86_400),
            context_ttl_seconds: Seconds(1_800),
            similarity_ttl_seconds: Seconds(7_200),
            similarity: SimilarityCache::default(),
            timeout_ms: 100,
        }
    }
}
