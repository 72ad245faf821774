//! The leg by words, and the second one that feedback makes of the first.

use std::{collections::BTreeMap, time::Instant};

use ragline_config::{Expansion, ExpansionMethod};

use super::Legs;
use crate::{
    answer::{expand, fuse::Fused, request::AnswerError},
    telemetry::stage,
    traits::search::{Hit, Leg, LexicalQuery, Passages, SearchPlan},
};

/// What the search by words found.
pub(super) struct Words {
    pub(super) hits: Vec<Hit>,
    /// BM25 of the question's own words, where the hits are by more than these; scores rest on it.
    bm25: Option<BTreeMap<i64, f32>>,
    /// `None`: snapshots differ, or an expansion failed.
    pub(super) store_version: Option<i64>,
    pub(super) plan: SearchPlan,
}

impl Words {
    fn of(leg: Leg) -> Self {
        Self { hits: leg.hits, bm25: None, store_version: Some(leg.store_version), plan: leg.plan }
    }

    /// Sets the BM25 to that of the question's own words.
    pub(super) fn tell(&self, fused: &mut [Fused]) {
        let Some(bm25) = &self.bm25 else { return };
        for fused in fused {
            fused.lexical = bm25.get(&fused.chunk_id).copied();
        }
    }
}

impl Legs<'_> {
    /// By words; twice where feedback is on, the second time with words of what the first found.
    pub(super) async fn by_words(&self, text: &str, limit: u32) -> Result<Words, AnswerError> {
        let first = self.matching(text, limit).await?;
        let feedback = &self.retriever.search.expansion;
        if feedback.method != ExpansionMethod::Feedback {
            return Ok(Words::of(first));
        }
        match self.by_more_words(text, &first, limit, feedback).await {
            Ok(Some(words)) => Ok(words),
            Ok(None) => Ok(Words::of(first)),
            Err(error) => {
                self.unexpanded(&error);
                Ok(Words { store_version: None, ..Words::of(first) })
            }
        }
    }

    async fn by_more_words(
        &self,
        text: &str,
        first: &Leg,
        limit: u32,
        feedback: &Expansion,
    ) -> Result<Option<Words>, AnswerError> {
        let best: Vec<i64> = first.hits.iter().take(feedback.passages as usize).map(|hit| hit.chunk_id).collect();
        let reading = self.retriever.searcher.passages(self.principal.workspace, None, &best);
        let Passages { matches, store_version } = reading.await.map_err(AnswerError::Search)?;
        let texts: Vec<&str> = matches.iter().map(|found| found.text.as_str()).collect();
        let Some(expanded) = expand::expanded(text, &texts, feedback.terms as usize) else { return Ok(None) };
        let second = self.matching(&expanded, limit).await?;
        let agreed = first.store_version == store_version && store_version == second.store_version;
        let bm25 = first.hits.iter().map(|hit| (hit.chunk_id, hit.value)).collect();
        Ok(Some(Words { hits: second.hits, bm25: Some(bm25), store_version: agreed.then_some(store_version), plan: second.plan }))
    }

    async fn matching(&self, text: &str, limit: u32) -> Result<Leg, AnswerError> {
        let query =
            LexicalQuery { workspace: self.principal.workspace, text: text.to_owned(), limit, filter: self.query.filter.clone() };
        let begin = Instant::now();
        let searching = self.retriever.searcher.matching(&query);
        let leg = stage::run(tracing::debug_span!("search", stage = "search", leg = "lexical"), searching).await;
        let leg = leg.map_err(AnswerError::Search)?;
        self.observe(leg.plan, begin);
        Ok(leg)
    }
}
