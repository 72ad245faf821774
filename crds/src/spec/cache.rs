//! The cache before the database and the models.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Empty, ManagedTls, Quantity, Resources, SecretKeyRef};

/// The cache before the database and the models. Name at most one of `managed`, `external` and `disabled`; with none, a Valkey is
/// managed.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.managed), has(self.external), has(self.disabled)].filter(named, named).size() <= 1")
    .message("name only one of managed, external and disabled"))]
pub struct Cache {
    /// One Valkey that the operator runs, in memory only. While it is down, the pipeline answers without it, slower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedCache>,
    /// A Valkey 8 or Redis 7 that somebody else runs: one server, a master with replicas that Sentinels watch, or a cluster. Several
    /// pipelines may share it. It should evict (`maxmemory-policy allkeys-lru`). While it is down, the pipeline answers without it,
    /// slower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalCache>,
    /// No cache, neither in Valkey nor in the gateway. Write `{}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Empty>,
    /// Seconds that the result of a search is kept. A change of the documents empties it at once, whatever is left of the time.
    /// Default: `3600`.
    #[schemars(range(min = 1, max = 2_592_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_search_ttl_seconds: Option<u64>,
    /// Seconds that the embedding of a text is kept. Default: `86400`.
    #[schemars(range(min = 1, max = 2_592_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_ttl_seconds: Option<u64>,
    /// Seconds that the passages of a question are kept. Default: `1800`.
    #[schemars(range(min = 1, max = 2_592_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_ttl_seconds: Option<u64>,
    /// Seconds that questions are kept for `similarity` to compare others with. Default: `7200`.
    #[schemars(range(min = 1, max = 2_592_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity_ttl_seconds: Option<u64>,
    /// Milliseconds after which a Valkey that has not answered is done without, 1 to 10000. Default: `100`.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Bytes of entries that each gateway keeps in its own memory, before Valkey; counted in the gateway's memory limit. `0`
    /// keeps none. Default: `33554432`.
    #[schemars(range(min = 0, max = 68_719_476_736_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Whether a question gets what was found for one that says the same in other words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<SimilarityCache>,
}

/// Lets a question get what was found for one that says the same: inside the same workspace, with the same filter, mode and limit,
/// and only until a document changes. Questions that differ in a number, a word in capitals or a negation are never the same.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SimilarityCache {
    /// Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Cosine of two questions from which on they say the same, 0.8 to 1. Lower values answer more questions from the cache, and
    /// more of them with what belongs to another. Default: `0.92` with the built-in embedding model, `0.95` with others, whose
    /// cosines were not measured.
    #[schemars(range(min = 0.8, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// A Valkey that the operator runs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedCache {
    /// Image with Valkey 8, whose user 999 can run `valkey-server`, as in `valkey/valkey:8`. Default: the one that the operator
    /// was installed with.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Memory for entries, at least `1Mi`; when it is full, those least recently used make room. Default: `256Mi`;
    /// 1Gi from 100,000 expected vectors on, 4Gi from a million on, 8Gi from ten million on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<Quantity>,
    /// CPU and memory. A memory limit below `maxMemory` is refused. Default: requests of `50m` and `maxMemory`, and a memory
    /// limit of one and a half times `maxMemory` plus 64Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Whether the gateways speak TLS to it. The image must be built with TLS, as the public ones are. While the certificate or
    /// this setting changes, Valkey starts anew, empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ManagedTls>,
}

/// A Valkey or Redis that somebody else runs. Name one of `host`, `sentinel` and `cluster`.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.host), has(self.sentinel), has(self.cluster)].filter(named, named).size() == 1")
    .message("name one of host, sentinel and cluster"))]
#[x_kube(validation = Rule::new("!has(self.cluster) || !has(self.database) || self.database == 0")
    .message("a cluster has database 0 only"))]
pub struct ExternalCache {
    /// Host of one server, as in `valkey.cache.svc`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Port that the server listens on; with `sentinel` or `cluster`, the one that network policies open towards servers whose
    /// addresses are learnt. Default: `6379`; with `cluster`, that of its first address.
    #[schemars(range(min = 1, max = 65_535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Sentinels that know the master. The gateways follow a failover within a few seconds, and go on without the cache until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentinel: Option<CacheSentinel>,
    /// A cluster, in which entries are spread over the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<CacheCluster>,
    /// The number of the database, 0 to 15; a cluster has 0 only. Default: `0`.
    #[schemars(range(min = 0, max = 15))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<u32>,
    /// Whether it is spoken to over TLS, and the Sentinels as well. The certificates must hold the names or addresses that Sentinels
    /// and cluster announce. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// Certificates of the authorities that may have signed its certificate, as PEM. Left out, those of the public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// Its password. Left out, it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// Sentinels, which know the master of the moment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheSentinel {
    /// Host and port of each Sentinel, as in `sentinel-0.cache.svc:26379`, 1 to 9. All of them are asked.
    #[schemars(
        length(min = 1, max = 9),
        inner(length(max = 261), regex(pattern = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$"))
    )]
    pub addresses: Vec<String>,
    /// What the Sentinels call the master, as in `mymaster`.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^\S+$"))]
    pub master_name: String,
    /// The password of the Sentinels. Left out, they ask for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// A cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheCluster {
    /// Host and port of some of its nodes, as in `valkey-0.cache.svc:6379`, 1 to 64. The others are learnt from them.
    #[schemars(
        length(min = 1, max = 64),
        inner(length(max = 261), regex(pattern = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$"))
    )]
    pub addresses: Vec<String>,
}
