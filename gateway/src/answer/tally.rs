//! What is told of an answer once it ended, however it ended: metrics and one log line. Once, also when it is dropped untold.

use std::time::Instant;

use ragline_config::{Generation, SearchMode};
use tracing::Span;
use uuid::Uuid;

use super::{
    context::Context,
    cost::{self, Expense},
    event::QueryEvent,
    retrieve::{elapsed_ms, mean_similarity},
};
use crate::{
    metrics::Metrics,
    telemetry::propagation,
    traits::{generator::Usage, search::WorkspaceId},
};

/// How an answer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    /// It cites a passage.
    Grounded,
    /// "I don't know", or nothing that a passage bears out.
    Unknown,
    /// The generator failed.
    Failed,
    /// Whoever asked went away.
    Abandoned,
}

impl Ended {
    /// The value of the metric label `outcome` and of the log field.
    fn label(self) -> &'static str {
        match self {
            Self::Grounded => "grounded",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// An answer as it is told of.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) query_id: Uuid,
    pub(super) workspace: WorkspaceId,
    /// `None` unless logging.queryText is on.
    pub(super) query: Option<String>,
    /// Whether a line is logged.
    pub(super) logged: bool,
    pub(super) model: String,
    pub(super) confidence: f32,
    pub(super) cache_hit: bool,
    pub(super) mode: SearchMode,
    pub(super) num_results: usize,
    pub(super) avg_similarity: f64,
    pub(super) begun: Instant,
    pub(super) retrieval_time_ms: f64,
    /// When the generator was asked, if it was.
    pub(super) asked: Option<Instant>,
    /// What it was given, counted by the embedder's tokenizer; an answer that is given up has no other figure.
    pub(super) prompt_tokens: Option<u64>,
    /// What was read and written to condense the question.
    pub(super) condensing: Expense,
    /// And to search for more than it; counted by the search already.
    pub(super) expansion: Expense,
    /// For the prices.
    pub(super) generation: Generation,
    pub(super) told: bool,
    pub(super) metrics: Metrics,
    /// The request's.
    pub(super) span: Span,
}

/// What was told besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) llm_time_ms: f64,
    pub(super) total_time_ms: f64,
    /// With that of condensing and of the search.
    pub(super) usage: Usage,
    pub(super) cost_usd: Option<f64>,
}

impl Tally {
    /// Takes note of what was found.
    pub(super) fn found(&mut self, context: &Context) {
        let Context { matches, assessment, mode, cache_hit, expansion } = context;
        self.expansion.usage = *expansion;
        self.retrieval_time_ms = elapsed_ms(self.begun);
        self.num_results = matches.len();
        self.avg_similarity = mean_similarity(matches).unwrap_or_default();
        self.confidence = assessment.confidence;
        (self.mode, self.cache_hit) = (*mode, *cache_hit);
    }

    /// Counts markers that were taken out.
    pub(super) fn dropped(&self, unknown: usize, unsupported: usize) {
        let count = |reason, number| self.metrics.rag_citations_dropped.with_label_values(&[reason]).inc_by(number as u64);
        count("unknown", unknown);
        count("unsupported", unsupported);
    }

    /// Tells of the end.
    pub(super) fn tell(&mut self, ended: Ended, usage: Usage) -> Told {
        self.told = true;
        let (llm_time_ms, total_time_ms) = (self.asked.map_or(0.0, elapsed_ms), elapsed_ms(self.begun));
        let answer = Expense { model: self.model.clone(), usage };
        let cost_usd = cost::whole(&answer, &[self.condensing.clone(), self.expansion.clone()], &self.generation);
        let usage = cost::total([&answer, &self.condensing, &self.expansion]);
        if matches!(ended, Ended::Grounded | Ended::Unknown) {
            self.metrics.rag_total_latency.observe(total_time_ms / 1_000.0);
            self.metrics.rag_llm_generation_time.observe(llm_time_ms / 1_000.0);
        }
        self.metrics.rag_answers.with_label_values(&[ended.label()]).inc();
        for expense in [&answer, &self.condensing] {
            self.metrics.count_tokens(expense.usage);
            self.metrics.count_cost(self.workspace, expense.cost_usd(&self.generation).unwrap_or_default());
        }
        if self.logged {
            let event = QueryEvent {
                query_id: self.query_id,
                query: self.query.as_deref(),
                cache_hit: self.cache_hit,
                retrieval_time_ms: self.retrieval_time_ms,
                num_results: self.num_results,
                avg_similarity: self.avg_similarity,
                llm_time_ms,
                total_time_ms,
                tokens_used: usage.prompt_tokens + usage.completion_tokens,
                workspace_id: self.workspace.0,
                outcome: ended.label(),
                cost_usd,
                trace_id: propagation::trace_id(&self.span),
            };
            self.span.in_scope(|| event.log());
        }
        Told { llm_time_ms, total_time_ms, usage, cost_usd }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if !self.told {
            let usage = Usage { prompt_tokens: self.prompt_tokens.unwrap_or_default(), completion_tokens: 0 };
            self.tell(Ended::Abandoned, usage);
        }
    }
}
