//! The gateway's configuration of the cache: where it is, how it is spoken to, how long what is kept.

use ragline_config::{Cache, CacheCluster, CacheMode, CacheSentinel, Config, Seconds, ServerAddress, ports};
use ragline_crds::{RagPipelineSpec, spec};

use super::{Problems, secrets};
use crate::plan::names;

pub(super) fn cache(spec: &RagPipelineSpec, name: &str, config: &mut Config, problems: &mut Problems) {
    let cache = spec.cache.clone().unwrap_or_default();
    let spec::Cache {
        managed,
        external,
        disabled,
        vector_search_ttl_seconds,
        embedding_ttl_seconds,
        context_ttl_seconds,
        timeout_ms,
        memory_bytes,
        similarity,
    } = cache;
    let config = &mut config.cache;
    config.timeout_ms = timeout_ms.unwrap_or(config.timeout_ms);
    config.memory_bytes = memory_bytes.unwrap_or(config.memory_bytes);
    config.vector_search_ttl_seconds = vector_search_ttl_seconds.map_or(config.vector_search_ttl_seconds, Seconds);
    config.embedding_ttl_seconds = embedding_ttl_seconds.map_or(config.embedding_ttl_seconds, Seconds);
    config.context_ttl_seconds = context_ttl_seconds.map_or(config.context_ttl_seconds, Seconds);
    if let Some(spec::SimilarityCache { enabled, threshold }) = similarity {
        config.similarity.enabled = enabled.unwrap_or_default();
        config.similarity.threshold = threshold.map_or(config.similarity.threshold, super::config::narrow);
    }
    if disabled.is_some() {
        config.mode = CacheMode::Disabled;
    } else if let Some(asked) = external {
        self::external(asked, config, problems);
    } else {
        config.host = names::valkey(name);
        config.port = ports::VALKEY;
        config.tls = managed.and_then(|managed| managed.tls?.enabled).unwrap_or_default();
        config.tls_ca_file = config.tls.then(secrets::managed_valkey_ca);
    }
}

fn external(asked: spec::ExternalCache, config: &mut Cache, problems: &mut Problems) {
    let spec::ExternalCache { host, port, sentinel, cluster, database, tls, ca_secret_ref, secret_ref: _ } = asked;
    let named = [host.is_some(), sentinel.is_some(), cluster.is_some()].into_iter().filter(|named| *named).count();
    problems.require(named == 1, "spec.cache.external", "name one of host, sentinel and cluster");
    config.port = port.unwrap_or(ports::VALKEY);
    config.database = database.unwrap_or(config.database);
    config.tls = tls.unwrap_or_default();
    config.tls_ca_file = ca_secret_ref.as_ref().map(secrets::valkey_ca);
    if let Some(host) = host {
        config.host = host;
    }
    if let Some(spec::CacheSentinel { addresses: asked, master_name, secret_ref: _ }) = sentinel {
        let addresses = addresses("spec.cache.external.sentinel.addresses", &asked, problems);
        config.sentinel = Some(CacheSentinel { addresses, master_name });
    }
    if let Some(spec::CacheCluster { addresses: asked }) = cluster {
        let addresses = addresses("spec.cache.external.cluster.addresses", &asked, problems);
        if let (None, Some(first)) = (port, addresses.first()) {
            config.port = first.port;
        }
        config.cluster = Some(CacheCluster { addresses });
    }
}

fn addresses(field: &str, asked: &[String], problems: &mut Problems) -> Vec<ServerAddress> {
    let mut read = Vec::new();
    for text in asked {
        match text.parse() {
            Ok(address) => read.push(address),
            Err(error) => problems.require(false, field, &error.to_string()),
        }
    }
    read
}
