//! Reranking: a model reads question and passages together and orders them anew. Fails softly: the search's order stays.

use tracing::warn;

use crate::{
    metrics::Metrics,
    telemetry::stage,
    traits::{reranker::Reranker, search::Match},
};

/// Orders the matches, those that are equally relevant as they were. `false`: it failed, and nothing has changed.
pub(super) async fn order(reranker: &dyn Reranker, question: &str, matches: &mut Vec<Match>, metrics: &Metrics) -> bool {
    let Some(candidates) = reranker.candidates() else { return true };
    // What the model does not see keeps its place behind what it saw.
    let seen = matches.len().min(candidates as usize);
    if seen < 2 {
        return true;
    }
    let texts: Vec<&str> = matches[..seen].iter().map(|found| found.text.as_str()).collect();
    let span = tracing::debug_span!("rerank", stage = "rerank", count = seen);
    let relevance = match stage::run(span, reranker.rerank(question, &texts)).await {
        Ok(relevance) => relevance,
        Err(error) => {
            metrics.rag_rerank_failures.inc();
            warn!(error = &error as &dyn std::error::Error, "the reranker failed; the order of the search stays");
            return false;
        }
    };
    let behind = matches.split_off(seen);
    let mut ordered: Vec<(f32, Match)> = relevance.into_iter().zip(matches.drain(..)).collect();
    ordered.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    matches.extend(ordered.into_iter().map(|(_, found)| found).chain(behind));
    true
}
