//! Annotations of Services by which the Datadog Agent finds out how to watch what is behind them, and the names that the gateway's
//! figures have there.

use std::collections::BTreeMap;

use ragline_config::ports;
use serde_json::{Value, json};

/// Metrics of the gateway under the names that dashboards of Datadog know. Counters are named without their `_total`.
const NAMES: &[(&str, &str)] = &[
    ("postgresql_bgwriter_buffers_alloc", "postgresql.bgwriter.buffers_alloc"),
    ("postgresql_connections_active", "postgresql.connections.active"),
    ("postgresql_index_scans", "postgresql.index.scans"),
    ("postgresql_locks_waiting", "postgresql.locks.waiting"),
    ("postgresql_vector_query_time_seconds", "postgresql.vector.query_time"),
    ("rag_expansion_failures", "rag.expansion.failures"),
    ("rag_llm_generation_time_seconds", "rag.llm.generation_time"),
    ("rag_llm_tokens_used", "rag.llm.tokens_used"),
    ("rag_replica_healthy", "rag.replica.healthy"),
    ("rag_replica_lag_seconds", "rag.replica.lag"),
    ("rag_replica_moved", "rag.replica.moved"),
    ("rag_rerank_failures", "rag.rerank.failures"),
    ("rag_retrieval_latency_seconds", "rag.retrieval.latency"),
    ("rag_search_leg_failures", "rag.search.leg_failures"),
    ("rag_total_latency_seconds", "rag.total.latency"),
    ("ragline_documents_stale", "ragline.documents.stale"),
    ("ragline_http_requests", "ragline.http.requests"),
    ("ragline_http_requests_in_flight", "ragline.http.requests_in_flight"),
    ("ragline_ingest_chunks", "ragline.ingest.chunks"),
    ("ragline_ingest_documents", "ragline.ingest.documents"),
    ("ragline_redacted", "ragline.redacted"),
    ("ragline_rate_limit_fallbacks", "ragline.rate_limit.fallbacks"),
    ("ragline_rate_limited", "ragline.rate_limited"),
    ("valkey_connection_error", "valkey.connection.error"),
    ("valkey_connection_success", "valkey.connection.success"),
    ("valkey_evicted_keys", "valkey.evicted_keys"),
    ("valkey_hits", "valkey.hits"),
    ("valkey_memory_used_bytes", "valkey.memory.used"),
    ("valkey_misses", "valkey.misses"),
    ("vector_cache_hit_rate_ratio", "vector.cache.hit_rate"),
    ("vector_embedding_generation_time_seconds", "vector.embedding.generation_time"),
    ("vector_search_results_count", "vector.search.results_count"),
    ("vector_search_similarity_avg", "vector.search.similarity_avg"),
    ("rag_answers", "rag.answers"),
    ("rag_citations_dropped", "rag.citations.dropped"),
    ("rag_condense_failures", "rag.condense.failures"),
    ("rag_rewrite_failures", "rag.rewrite.failures"),
    ("rag_llm_cost_usd", "rag.llm.cost_usd"),
    ("rag_generation_failures", "rag.generation.failures"),
    ("ragline_spans_dropped", "ragline.spans.dropped"),
    ("ragline_spans_sent", "ragline.spans.sent"),
];

/// For a Service of one pod: the check asks the Service.
pub(super) fn service(check: &str, instance: Value) -> BTreeMap<String, String> {
    annotations("service", check, instance)
}

/// For the gateways: the check asks each of them, since counters of several behind one address would jump.
pub(super) fn gateway(tls: bool) -> BTreeMap<String, String> {
    let names: serde_json::Map<_, _> = NAMES.iter().map(|(name, dotted)| ((*name).to_owned(), json!(dotted))).collect();
    let scheme = if tls { "https" } else { "http" };
    let mut instance = json!({
        "openmetrics_endpoint": format!("{scheme}://%%host%%:{}/metrics", ports::GATEWAY_HTTP),
        "namespace": "",
        "histogram_buckets_as_distributions": true,
        "collect_counters_with_distributions": true,
        // The Agent keeps `namespace` for that of Kubernetes.
        "rename_labels": {"namespace": "cache"},
        "metrics": [names],
    });
    if tls {
        // The Agent does not have the authority's certificate, and calls by addresses.
        instance["tls_verify"] = json!(false);
    }
    annotations("endpoints", "openmetrics", instance)
}

fn annotations(of: &str, check: &str, instance: Value) -> BTreeMap<String, String> {
    BTreeMap::from([
        (format!("ad.datadoghq.com/{of}.check_names"), json!([check]).to_string()),
        (format!("ad.datadoghq.com/{of}.init_configs"), "[{}]".to_owned()),
        (format!("ad.datadoghq.com/{of}.instances"), json!([instance]).to_string()),
    ])
}
