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
        similarity_ttl_seconds,
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
    config.similarity_ttl_seconds = similarity_ttl_seconds.map_or(config.similarity_ttl_seconds, Seconds);
    if let Some(spec::SimilarityCache { enabled, threshold }) = similarity {
        config.similarity.enabled = enabled.unwrap_or_default();
        config.similarity.threshold = threshold.map(super::config::narrow);
    }
    if disabled.is_some() {
        config.mode = CacheMode::Disabled;
    } else if let Some(asked) = external {
        self::external(asked, config, problems);
    } else {
        config.host = names::valkey(name);
        config.port = ports::VALKEY;
        config.tls = managed.and_then(|managed| managed.tls).is_some_and(|tls| tls.is_enabled());
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
        match text.parse::<ServerAddress>() {
            Ok(address) => read.push(address),
            Err(error) => problems.require(false, field, &error.to_string()),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use ragline_crds::RagPipeline;
    use serde_json::{Value, json};

    use crate::plan::{
        pipeline::{Defaults, Pipeline},
        validate::{Refusal, validate},
    };

    fn check(cache: Value) -> Result<Pipeline, Refusal> {
        let spec = serde_json::from_value(json!({"cache": cache})).unwrap();
        validate(&RagPipeline::new("a", spec), &Defaults::of_tests())
    }

    #[test]
    fn each_place_leads_to_a_configuration_of_its_own() {
        let sentinel =
            json!({"addresses": ["s-0:26379", "s-1:26380"], "masterName": "main", "secretRef": {"name": "s", "key": "p"}});
        let cases = [
            (json!({"managed": {}}), "a-valkey:6379", false),
            (json!({"managed": {"tls": {"enabled": true}}}), "a-valkey:6379", true),
            (json!({"external": {"host": "redis.example.com", "port": 1, "tls": true}}), "redis.example.com:1", true),
            (json!({"external": {"sentinel": sentinel}}), "the master main of the Sentinels s-0:26379, s-1:26380", false),
            (
                json!({"external": {"cluster": {"addresses": ["n-0:7000", "n-1:7000"]}}}),
                "the cluster of n-0:7000, n-1:7000",
                false,
            ),
        ];
        for (cache, place, tls) in cases {
            let config = check(cache.clone()).unwrap().config.cache;
            assert_eq!((config.place().as_str(), config.tls), (place, tls), "{cache}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_its_path() {
        let external = |external: Value| json!({"external": external});
        let many: Vec<_> = (0..10).map(|n| format!("s-{n}:26379")).collect();
        let cases = [
            (external(json!({})), "spec.cache.external: name one of host, sentinel and cluster"),
            (external(json!({"host": "a", "cluster": {"addresses": ["a:1"]}})), "spec.cache.external: name one of"),
            (
                external(json!({"cluster": {"addresses": ["a"]}})),
                "spec.cache.external.cluster.addresses: \"a\" must be a host and a port",
            ),
            (external(json!({"cluster": {"addresses": []}})), "spec.cache.external.cluster.addresses: must be 1 to 64 addresses"),
            (external(json!({"cluster": {"addresses": ["a:1"]}, "database": 1})), "spec.cache.external.database: must be 0"),
            (
                external(json!({"sentinel": {"addresses": many, "masterName": "main"}})),
                "spec.cache.external.sentinel.addresses: must be 1 to 9 addresses",
            ),
            (
                external(json!({"sentinel": {"addresses": ["a:1"], "masterName": ""}})),
                "spec.cache.external.sentinel.masterName: must be 1 to 128 characters",
            ),
        ];
        for (cache, wanted) in cases {
            let refusal = check(cache.clone()).unwrap_err().to_string();
            assert!(refusal.contains(wanted), "{cache}: {refusal}");
        }
    }

    #[test]
    fn gateways_may_call_the_ports_of_servers_and_sentinels() {
        let ports = |cache: Value| {
            let policies = crate::plan::build::network::policies(&check(cache).unwrap());
            let egress = policies[0].spec.clone().unwrap().egress.unwrap();
            let ports = egress.into_iter().map(|rule| rule.ports.unwrap().into_iter().map(|port| port.port.unwrap()));
            ports.map(|ports| serde_json::to_value(ports.collect::<Vec<_>>()).unwrap()).collect::<Vec<_>>()
        };
        let sentinel = json!({"addresses": ["s-0:26379", "s-1:26380"], "masterName": "main"});
        assert!(ports(json!({"external": {"sentinel": sentinel, "port": 7000}})).contains(&json!([7000, 26379, 26380])));
        assert!(ports(json!({"external": {"cluster": {"addresses": ["a:7001", "b:7002"]}}})).contains(&json!([7001, 7002])));
    }
}
