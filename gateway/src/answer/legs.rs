//! The legs of a search: by vector, by words, or both at once. In a hybrid search neither leg can fail the other; what is found
//! without one is not remembered.

use std::time::Instant;

use ragline_config::SearchMode;
use tracing::{Instrument, warn};

use super::{
    fuse::{CANDIDATES, Fused, by_vector_alone, by_words_alone, fuse},
    request::AnswerError,
    retrieve::{Query, Retriever},
};
use crate::traits::{
    embedder::Vector,
    search::{Leg, LexicalQuery, Match, Nearest, NearestQuery, Passages, Principal, SearchPlan},
};

/// Tries to find everything in one version of the store.
const TRIES: u32 = 2;

/// What the legs found, best first.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) matches: Vec<Match>,
    /// The mode that was asked for, unless a leg failed.
    pub(super) mode: SearchMode,
    pub(super) plan: SearchPlan,
    /// The version that every snapshot saw; `None`: they differ, or a leg is missing, and the result is good for once only.
    pub(super) store_version: Option<i64>,
}

/// One search.
pub(super) struct Legs<'a> {
    pub(super) retriever: &'a Retriever,
    pub(super) principal: &'a Principal,
    pub(super) query: &'a Query,
    /// Passages wanted: the query's limit, or what a reranker chooses from.
    pub(super) wanted: u32,
}

impl Legs<'_> {
    /// Searches; a second time when a document came in between the snapshots.
    ///
    /// # Errors
    /// The mode's only leg, both legs, or the texts: in a hybrid search the reason of the leg by vector.
    pub(super) async fn run(&self) -> Result<Found, AnswerError> {
        let mut found = self.once().await?;
        for _ in 1..TRIES {
            if found.store_version.is_some() || found.mode != self.query.mode {
                break;
            }
            found = self.once().await?;
        }
        Ok(found)
    }

    async fn once(&self) -> Result<Found, AnswerError> {
        match self.query.mode {
            SearchMode::Vector => self.nearest().await,
            SearchMode::Lexical => {
                let leg = self.by_words(self.wanted).await?;
                self.lexical_only(leg, true).await
            }
            SearchMode::Hybrid => self.hybrid().await,
        }
    }

    async fn nearest(&self) -> Result<Found, AnswerError> {
        let query = self.nearest_query(self.retriever.embed(&self.query.text).await?, self.wanted);
        let begin = Instant::now();
        let searching = self.retriever.searcher.nearest(&query).instrument(tracing::debug_span!("search", stage = "search"));
        let Nearest { matches, store_version, plan } = searching.await.map_err(AnswerError::Search)?;
        self.observe(plan, begin);
        Ok(Found { matches, mode: SearchMode::Vector, plan, store_version: Some(store_version) })
    }

    async fn hybrid(&self) -> Result<Found, AnswerError> {
        match tokio::join!(self.by_vector(), self.by_words(CANDIDATES)) {
            (Ok((vector, near)), Ok(words)) => {
                let fused = fuse(&near.hits, &words.hits, &self.retriever.search.fusion);
                let agreed = (near.store_version == words.store_version).then_some(near.store_version);
                let found = self.hydrate(Some(&vector), &fused, near.plan).await?;
                let store_version = found.store_version.filter(|version| agreed == Some(*version));
                Ok(Found { store_version, ..found })
            }
            (Ok((vector, near)), Err(error)) => {
                self.lost("lexical", &error);
                let fused = by_vector_alone(&near.hits);
                let found = self.hydrate(Some(&vector), &fused, near.plan).await?;
                Ok(Found { mode: SearchMode::Vector, store_version: None, ..found })
            }
            (Err(error), Ok(words)) => {
                self.lost("vector", &error);
                self.lexical_only(words, false).await
            }
            (Err(error), Err(other)) => {
                self.lost("vector", &error);
                self.lost("lexical", &other);
                Err(error)
            }
        }
    }

    async fn lexical_only(&self, leg: Leg, whole: bool) -> Result<Found, AnswerError> {
        let fused = by_words_alone(&leg.hits);
        let found = self.hydrate(None, &fused, leg.plan).await?;
        let store_version = found.store_version.filter(|version| whole && leg.store_version == *version);
        Ok(Found { mode: SearchMode::Lexical, store_version, ..found })
    }

    async fn by_vector(&self) -> Result<(Vector, Leg), AnswerError> {
        let vector = self.retriever.embed(&self.query.text).await?;
        let query = self.nearest_query(vector, CANDIDATES);
        let begin = Instant::now();
        let searching = self.retriever.searcher.nearest_hits(&query);
        let leg = searching.instrument(tracing::debug_span!("search", stage = "search", leg = "vector")).await;
        let leg = leg.map_err(AnswerError::Search)?;
        self.observe(leg.plan, begin);
        Ok((query.vector, leg))
    }

    async fn by_words(&self, limit: u32) -> Result<Leg, AnswerError> {
        let query = LexicalQuery {
            workspace: self.principal.workspace,
            text: self.query.text.clone(),
            limit,
            filter: self.query.filter.clone(),
        };
        let begin = Instant::now();
        let searching = self.retriever.searcher.matching(&query);
        let leg = searching.instrument(tracing::debug_span!("search", stage = "search", leg = "lexical")).await;
        let leg = leg.map_err(AnswerError::Search)?;
        self.observe(leg.plan, begin);
        Ok(leg)
    }

    fn nearest_query(&self, vector: Vector, limit: u32) -> NearestQuery {
        NearestQuery { workspace: self.principal.workspace, vector, limit, filter: self.query.filter.clone() }
    }

    /// Reads the texts of the winners. One that was deleted meanwhile is left out.
    async fn hydrate(&self, vector: Option<&[f32]>, fused: &[Fused], plan: SearchPlan) -> Result<Found, AnswerError> {
        let winners = &fused[..fused.len().min(self.wanted as usize)];
        let ids: Vec<i64> = winners.iter().map(|fused| fused.chunk_id).collect();
        let reading = self.retriever.searcher.passages(self.principal.workspace, vector, &ids);
        let span = tracing::debug_span!("hydrate", stage = "search", count = ids.len());
        let Passages { mut matches, store_version } = reading.instrument(span).await.map_err(AnswerError::Search)?;
        for found in &mut matches {
            found.lexical = winners.iter().find(|fused| fused.chunk_id == found.chunk_id).and_then(|fused| fused.lexical);
        }
        Ok(Found { matches, mode: SearchMode::Hybrid, plan, store_version: Some(store_version) })
    }

    /// A leg that failed while the other went on is handled here, so it is logged here.
    fn lost(&self, leg: &'static str, error: &AnswerError) {
        self.retriever.metrics.rag_search_leg_failures.with_label_values(&[leg]).inc();
        warn!(leg, error = error as &dyn std::error::Error, "the {leg} leg of a hybrid search failed");
    }

    fn observe(&self, plan: SearchPlan, begin: Instant) {
        let seconds = begin.elapsed().as_secs_f64();
        self.retriever.metrics.postgresql_vector_query_time.with_label_values(&[plan.label()]).observe(seconds);
    }
}
