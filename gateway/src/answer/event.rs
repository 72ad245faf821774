//! The log line of a question: the system description's fields and how the answer ended and what it cost. The question's text only when it was switched on.

use opentelemetry::TraceId;
use tracing::info;
use uuid::Uuid;

use crate::telemetry::QUERY_TARGET;

/// What is said of one answered question.
#[derive(Clone, Debug)]
pub(super) struct QueryEvent<'a> {
    pub(super) query_id: Uuid,
    /// `None` unless logging.queryText is on.
    pub(super) query: Option<&'a str>,
    pub(super) cache_hit: bool,
    pub(super) retrieval_time_ms: f64,
    pub(super) num_results: usize,
    pub(super) avg_similarity: f64,
    pub(super) llm_time_ms: f64,
    pub(super) total_time_ms: f64,
    pub(super) tokens_used: u64,
    pub(super) workspace_id: i32,
    /// `grounded`, `unknown`, `failed` or `abandoned`.
    pub(super) outcome: &'static str,
    /// In US dollars; `None` where the model has no price.
    pub(super) cost_usd: Option<f64>,
    /// `None` unless traces are on.
    pub(super) trace_id: Option<TraceId>,
}

impl QueryEvent<'_> {
    /// Writes the line.
    pub(super) fn log(&self) {
        let Self {
            query_id,
            query,
            cache_hit,
            retrieval_time_ms,
            num_results,
            avg_similarity,
            llm_time_ms,
            total_time_ms,
            tokens_used,
            workspace_id,
            outcome,
            cost_usd,
            trace_id,
        } = self;
        info!(
            target: QUERY_TARGET,
            %query_id,
            query,
            cache_hit,
            retrieval_time_ms,
            num_results,
            avg_similarity,
            llm_time_ms,
            total_time_ms,
            tokens_used,
            workspace_id,
            outcome,
            cost_usd,
            trace_id = trace_id.map(display),
            "RAG query completed"
        );
    }
}
