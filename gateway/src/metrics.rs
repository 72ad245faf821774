//! The gateway's metrics under the system description's names. One struct, registered into a given registry; labels come from
//! closed sets, or from sets whose size is bounded here.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use crate::{
    redact::{Counts, Kind},
    traits::{generator::Usage, search::WorkspaceId},
};

/// Upper bounds in seconds, from one millisecond on.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds of result counts.
const COUNTS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0];
/// Upper bounds of similarities.
const SIMILARITIES: &[f64] = &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Workspaces whose costs are told apart.
const MOST_PRICED: usize = 100;

/// Every metric of the gateway.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub valkey_connection_success: IntCounter,
    pub valkey_connection_error: IntCounter,
    /// Label `namespace`.
    pub valkey_hits: IntCounterVec,
    /// Label `namespace`.
    pub valkey_misses: IntCounterVec,
    pub valkey_memory_used_bytes: Gauge,
    pub valkey_evicted_keys: Counter,
    /// Label `plan`.
    pub postgresql_vector_query_time: HistogramVec,
    pub postgresql_index_scans: Counter,
    pub postgresql_connections_active: IntGauge,
    pub postgresql_locks_waiting: IntGauge,
    pub postgresql_bgwriter_buffers_alloc: Counter,
    /// Label `replica`: its place in the list, from 0.
    pub rag_replica_lag: GaugeVec,
    /// Label `replica`.
    pub rag_replica_healthy: IntGaugeVec,
    pub rag_replica_moved: Counter,
    /// Label `provider`.
    pub vector_embedding_generation_time: HistogramVec,
    pub vector_search_results_count: Histogram,
    pub vector_search_similarity_avg: Histogram,
    pub vector_cache_hit_rate_ratio: Gauge,
    pub rag_retrieval_latency: Histogram,
    /// Label `leg`: `vector` or `lexical`.
    pub rag_search_leg_failures: IntCounterVec,
    pub rag_rerank_failures: IntCounter,
    pub rag_expansion_failures: IntCounter,
    pub rag_total_latency: Histogram,
    pub rag_llm_generation_time: Histogram,
    /// Label `direction`: `prompt` or `completion`.
    pub rag_llm_tokens_used: IntCounterVec,
    /// Labels `route` and `status`.
    pub http_requests: IntCounterVec,
    pub http_requests_in_flight: IntGauge,
    /// Label `outcome`: `completed`, `failed` or `unchanged`.
    pub ingest_documents: CounterVec,
    pub ingest_chunks: IntCounter,
    pub documents_stale: IntGauge,
    /// Label `kind`.
    pub redacted: IntCounterVec,
    /// Label `kind`: `requests` or `tokens`.
    pub rate_limited: IntCounterVec,
    pub rate_limit_fallbacks: IntCounter,
    /// Label `outcome`: `grounded`, `unknown`, `failed` or `abandoned`.
    pub rag_answers: IntCounterVec,
    /// Label `reason`: `unknown` or `unsupported`.
    pub rag_citations_dropped: IntCounterVec,
    pub rag_condense_failures: IntCounter,
    pub rag_rewrite_failures: IntCounter,
    /// Label `workspace_id`; see [`Metrics::count_cost`].
    rag_llm_cost_usd: CounterVec,
    /// The workspaces that have a label of their own.
    priced: Arc<Mutex<BTreeSet<i32>>>,
    /// Label `provider`: who gave no answer.
    pub rag_generation_failures: IntCounterVec,
    pub spans_sent: IntCounter,
    /// Label `reason`: `queue_full`, `unsent` or `rejected`.
    pub spans_dropped: IntCounterVec,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// A name that the registry already holds.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let float_counter = |name: &str, help: &str| register(registry, Counter::new(name, help)?);
        let counters =
            |name: &str, help: &str, labels: &[&str]| register(registry, IntCounterVec::new(Opts::new(name, help), labels)?);
        let gauge = |name: &str, help: &str| register(registry, Gauge::new(name, help)?);
        let int_gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            register(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        let histograms = |name: &str, help: &str, label: &str| {
            register(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), &[label])?)
        };
        Ok(Self {
            valkey_connection_success: counter("valkey_connection_success_total", "Connections to Valkey that were made.")?,
            valkey_connection_error: counter(
                "valkey_connection_error_total",
                "Connections or commands that Valkey did not answer.",
            )?,
            valkey_hits: counters("valkey_hits_total", "Values found in the cache.", &["namespace"])?,
            valkey_misses: counters("valkey_misses_total", "Values not found in the cache.", &["namespace"])?,
            valkey_memory_used_bytes: gauge("valkey_memory_used_bytes", "Memory that Valkey uses, from INFO.")?,
            valkey_evicted_keys: float_counter("valkey_evicted_keys_total", "Keys that Valkey evicted, from INFO.")?,
            postgresql_vector_query_time: histograms("postgresql_vector_query_time_seconds", "Time of a vector search.", "plan")?,
            postgresql_index_scans: float_counter("postgresql_index_scans_total", "Scans of vector indexes.")?,
            postgresql_connections_active: int_gauge("postgresql_connections_active", "Connections that run a statement.")?,
            postgresql_locks_waiting: int_gauge("postgresql_locks_waiting", "Locks that somebody waits for.")?,
            postgresql_bgwriter_buffers_alloc: float_counter("postgresql_bgwriter_buffers_alloc_total", "Buffers allocated.")?,
            rag_replica_lag: register(
                registry,
                GaugeVec::new(
                    Opts::new("rag_replica_lag_seconds", "How far a read replica is behind the primary, a minute at most."),
                    &["replica"],
                )?,
            )?,
            rag_replica_healthy: register(
                registry,
                IntGaugeVec::new(Opts::new("rag_replica_healthy", "Whether searches go to a read replica."), &["replica"])?,
            )?,
            rag_replica_moved: float_counter(
                "rag_replica_moved_total",
                "Readings that a read replica could not answer and that went on elsewhere.",
            )?,
            vector_embedding_generation_time: histograms(
                "vector_embedding_generation_time_seconds",
                "Time of an embedding request.",
                "provider",
            )?,
            vector_search_results_count: histogram("vector_search_results_count", "Results of a search.", COUNTS)?,
            vector_search_similarity_avg: histogram(
                "vector_search_similarity_avg",
                "Mean cosine of the results of a search.",
                SIMILARITIES,
            )?,
            vector_cache_hit_rate_ratio: gauge(
                "vector_cache_hit_rate_ratio",
                "Hits of search results by lookups since the start.",
            )?,
            rag_retrieval_latency: histogram(
                "rag_retrieval_latency_seconds",
                "Time to retrieve the context of a question.",
                SECONDS,
            )?,
            rag_search_leg_failures: counters("rag_search_leg_failures_total", "Legs of hybrid searches that failed.", &["leg"])?,
            rag_rerank_failures: counter("rag_rerank_failures_total", "Searches that were left in the order of the search.")?,
            rag_expansion_failures: counter(
                "rag_expansion_failures_total",
                "Searches that were made for the question alone because its expansion failed.",
            )?,
            rag_total_latency: histogram("rag_total_latency_seconds", "Time from question to answer.", SECONDS)?,
            rag_llm_generation_time: histogram("rag_llm_generation_time_seconds", "Time to generate an answer.", SECONDS)?,
            rag_llm_tokens_used: counters(
                "rag_llm_tokens_used_total",
                "Tokens read and written by the generator.",
                &["direction"],
            )?,
            http_requests_in_flight: int_gauge(
                "ragline_http_requests_in_flight",
                "Requests under way, which autoscalers may scale by.",
            )?,
            http_requests: counters("ragline_http_requests_total", "Requests by route and status.", &["route", "status"])?,
            ingest_documents: register(
                registry,
                CounterVec::new(Opts::new("ragline_ingest_documents_total", "Documents that ended ingestion."), &["outcome"])?,
            )?,
            ingest_chunks: counter("ragline_ingest_chunks_total", "Chunks stored.")?,
            documents_stale: int_gauge("ragline_documents_stale", "Documents that were cut with other settings than these.")?,
            redacted: counters("ragline_redacted_total", "Values taken out of documents, questions and answers.", &["kind"])?,
            rate_limited: counters(
                "ragline_rate_limited_total",
                "Requests that were refused since a key or workspace had used up its share.",
                &["kind"],
            )?,
            rate_limit_fallbacks: counter(
                "ragline_rate_limit_fallbacks_total",
                "Times that a share was counted by this gateway alone since Valkey did not answer.",
            )?,
            rag_answers: counters("rag_answers_total", "Answers by how they ended.", &["outcome"])?,
            rag_citations_dropped: counters(
                "rag_citations_dropped_total",
                "Citations taken out of answers because no passage has their number or theirs does not say so.",
                &["reason"],
            )?,
            rag_condense_failures: counter(
                "rag_condense_failures_total",
                "Questions that follow a conversation and were condensed without the language model because it failed.",
            )?,
            rag_rewrite_failures: counter(
                "rag_rewrite_failures_total",
                "Searches that were made for the question as it was because the language model did not rewrite it.",
            )?,
            rag_llm_cost_usd: register(
                registry,
                CounterVec::new(
                    Opts::new("rag_llm_cost_usd_total", "What answers cost in US dollars by the price table."),
                    &["workspace_id"],
                )?,
            )?,
            priced: Arc::default(),
            rag_generation_failures: counters(
                "rag_generation_failures_total",
                "Times that a language model gave no answer and the next was asked, where one stands in for another.",
                &["provider"],
            )?,
            spans_sent: counter("ragline_spans_sent_total", "Spans that the collector of traces took.")?,
            spans_dropped: counters("ragline_spans_dropped_total", "Spans that no collector of traces has.", &["reason"])?,
        })
    }

    /// Counts what an answer cost. The first hundred workspaces that spend have a label of their own, all others share `other`: their
    /// number has no bound, and each label is a series for good. The log has the cost of every answer with its workspace.
    pub fn count_cost(&self, workspace: WorkspaceId, usd: f64) {
        if usd <= 0.0 {
            return;
        }
        let mut priced = self.priced.lock().unwrap_or_else(PoisonError::into_inner);
        let own = priced.contains(&workspace.0) || (priced.len() < MOST_PRICED && priced.insert(workspace.0));
        drop(priced);
        let label = if own { workspace.0.to_string() } else { "other".to_owned() };
        self.rag_llm_cost_usd.with_label_values(&[label.as_str()]).inc_by(usd);
    }

    /// What the workspace of this label has cost.
    #[cfg(test)]
    pub(crate) fn cost_of(&self, label: &str) -> f64 {
        self.rag_llm_cost_usd.with_label_values(&[label]).get()
    }

    /// Counts what a language model read and wrote.
    pub fn count_tokens(&self, usage: Usage) {
        self.rag_llm_tokens_used.with_label_values(&["prompt"]).inc_by(usage.prompt_tokens);
        self.rag_llm_tokens_used.with_label_values(&["completion"]).inc_by(usage.completion_tokens);
    }

    /// Counts what was taken out of a text.
    pub fn count_redacted(&self, counts: &Counts) {
        for kind in Kind::ALL {
            let count = counts.of(kind);
            if count > 0 {
                self.redacted.with_label_values(&[kind.label()]).inc_by(count);
            }
        }
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_costs_of_a_bounded_number_of_workspaces_are_told_apart() {
        let metrics = Metrics::register(&Registry::new()).unwrap();
        for workspace in (0..250).chain([3, 249]) {
            metrics.count_cost(WorkspaceId(workspace), 0.5);
        }
        metrics.count_cost(WorkspaceId(7), 0.0);
        assert_eq!(["3", "7", "other"].map(|label| metrics.cost_of(label)), [1.0, 0.5, 75.5]);
    }
}
