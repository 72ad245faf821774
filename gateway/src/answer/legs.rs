//! The legs of a search: by vector, by words, or both at once. In a hybrid search neither leg can fail the other, and no expansion can
//! fail a search; what is found without one of them is not remembered.

mod lexical;

use std::time::Instant;

use futures::future::join_all;
use ragline_config::SearchMode;
use tracing::warn;

use self::lexical::Words;
use super::{
    bill::Bill,
    cost::Expense,
    fuse::{CANDIDATES, Fused, by_vector_alone, by_words_alone, fuse, join},
    request::AnswerError,
    retrieve::{Query, Retriever},
};
use crate::{
    telemetry::stage,
    traits::{
        embedder::Vector,
        search::{Leg, Match, Nearest, NearestQuery, Passages, Principal, SearchPlan},
    },
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
    /// What other wordings cost.
    pub(super) bill: Bill,
}

/// One search.
pub(super) struct Legs<'a> {
    pub(super) retriever: &'a Retriever,
    pub(super) principal: &'a Principal,
    pub(super) query: &'a Query,
    /// Passages wanted: the query's limit, or what a reranker chooses from.
    pub(super) wanted: u32,
}

/// What one wording found, without texts.
struct Hits {
    fused: Vec<Fused>,
    mode: SearchMode,
    plan: SearchPlan,
    store_version: Option<i64>,
    /// Of the wording, where it was embedded.
    vector: Option<Vector>,
}

impl Legs<'_> {
    /// Searches; a second time when a document came in between the snapshots.
    ///
    /// # Errors
    /// The mode's only leg, both legs, or the texts: in a hybrid search the reason of the leg by vector.
    pub(super) async fn run(&self) -> Result<Found, AnswerError> {
        let (wordings, bill) = self.wordings().await;
        let known = wordings.is_some();
        let wordings = wordings.unwrap_or_default();
        let mut found = self.once(&wordings).await?;
        for _ in 1..TRIES {
            if found.store_version.is_some() || found.mode != self.query.mode {
                break;
            }
            found = self.once(&wordings).await?;
        }
        found.store_version = found.store_version.filter(|_| known);
        Ok(Found { bill, ..found })
    }

    /// Other wordings of the question; `None`: there should be some, and the model that makes them failed. They are counted here, since
    /// whoever waits for them may go away.
    async fn wordings(&self) -> (Option<Vec<String>>, Bill) {
        let span = tracing::debug_span!("expand", stage = "expand");
        let rephraser = &self.retriever.rephraser;
        match stage::run(span, rephraser.rephrase(&self.query.text)).await {
            Ok((wordings, usage)) => {
                self.retriever.spend(self.principal, &Expense { model: rephraser.model_name().to_owned(), usage });
                (Some(wordings), Bill::of(usage))
            }
            Err(error) => {
                self.unexpanded(&error);
                (None, Bill::default())
            }
        }
    }

    async fn once(&self, wordings: &[String]) -> Result<Found, AnswerError> {
        if self.query.mode == SearchMode::Vector && wordings.is_empty() {
            return self.nearest().await;
        }
        let others = join_all(wordings.iter().map(|wording| self.hits(wording)));
        let (own, others) = tokio::join!(self.hits(&self.query.text), others);
        let mut own = own?;
        let mut lists = Vec::with_capacity(others.len());
        for other in others {
            match other {
                Ok(other) => {
                    own.store_version = own.store_version.filter(|version| other.store_version == Some(*version));
                    lists.push(other.fused);
                }
                Err(error) => {
                    own.store_version = None;
                    self.unexpanded(&error);
                }
            }
        }
        if !lists.is_empty() {
            own.fused = join(&own.fused, &lists);
        }
        self.hydrate(&own).await
    }

    async fn nearest(&self) -> Result<Found, AnswerError> {
        let query = self.nearest_query(self.retriever.embed(&self.query.text).await?, self.wanted);
        let begin = Instant::now();
        let span = tracing::debug_span!("search", stage = "search", leg = "vector");
        let searching = stage::run(span, self.retriever.searcher.nearest(&query));
        let Nearest { matches, store_version, plan } = searching.await.map_err(AnswerError::Search)?;
        self.observe(plan, begin);
        Ok(Found { matches, mode: SearchMode::Vector, plan, store_version: Some(store_version), bill: Bill::default() })
    }

    /// What one wording finds in the query's mode.
    async fn hits(&self, text: &str) -> Result<Hits, AnswerError> {
        match self.query.mode {
            SearchMode::Vector => self.by_vector(text).await.map(vector_only),
            SearchMode::Lexical => self.by_words(text, self.wanted).await.map(words_only),
            SearchMode::Hybrid => self.hybrid(text).await,
        }
    }

    async fn hybrid(&self, text: &str) -> Result<Hits, AnswerError> {
        match tokio::join!(self.by_vector(text), self.by_words(text, CANDIDATES)) {
            (Ok((vector, near)), Ok(words)) => {
                let mut fused = tracing::debug_span!("fuse", stage = "fuse")
                    .in_scope(|| fuse(&near.hits, &words.hits, &self.retriever.fusion(self.query)));
                words.tell(&mut fused);
                let store_version = words.store_version.filter(|version| near.store_version == *version);
                Ok(Hits { fused, mode: SearchMode::Hybrid, plan: near.plan, store_version, vector: Some(vector) })
            }
            (Ok(near), Err(error)) => {
                self.lost("lexical", &error);
                Ok(Hits { store_version: None, ..vector_only(near) })
            }
            (Err(error), Ok(words)) => {
                self.lost("vector", &error);
                Ok(Hits { store_version: None, ..words_only(words) })
            }
            (Err(error), Err(other)) => {
                self.lost("vector", &error);
                self.lost("lexical", &other);
                Err(error)
            }
        }
    }

    async fn by_vector(&self, text: &str) -> Result<(Vector, Leg), AnswerError> {
        let vector = self.retriever.embed(text).await?;
        let query = self.nearest_query(vector, CANDIDATES);
        let begin = Instant::now();
        let searching = self.retriever.searcher.nearest_hits(&query);
        let leg = stage::run(tracing::debug_span!("search", stage = "search", leg = "vector"), searching).await;
        let leg = leg.map_err(AnswerError::Search)?;
        self.observe(leg.plan, begin);
        Ok((query.vector, leg))
    }

    fn nearest_query(&self, vector: Vector, limit: u32) -> NearestQuery {
        NearestQuery { workspace: self.principal.workspace, vector, limit, filter: self.query.filter.clone() }
    }

    /// Reads the texts of the winners. One that was deleted meanwhile is left out.
    async fn hydrate(&self, hits: &Hits) -> Result<Found, AnswerError> {
        let Hits { fused, mode, plan, store_version: agreed, vector } = hits;
        let winners = &fused[..fused.len().min(self.wanted as usize)];
        let ids: Vec<i64> = winners.iter().map(|fused| fused.chunk_id).collect();
        let reading = self.retriever.searcher.passages(self.principal.workspace, vector.as_deref(), &ids);
        let span = tracing::debug_span!("hydrate", stage = "search", count = ids.len());
        let Passages { mut matches, store_version } = stage::run(span, reading).await.map_err(AnswerError::Search)?;
        for found in &mut matches {
            found.lexical = winners.iter().find(|fused| fused.chunk_id == found.chunk_id).and_then(|fused| fused.lexical);
        }
        let store_version = agreed.filter(|version| *version == store_version);
        Ok(Found { matches, mode: *mode, plan: *plan, store_version, bill: Bill::default() })
    }

    /// A leg that failed while the other went on is handled here, so it is logged here.
    fn lost(&self, leg: &'static str, error: &AnswerError) {
        self.retriever.metrics.rag_search_leg_failures.with_label_values(&[leg]).inc();
        warn!(leg, error = error as &dyn std::error::Error, "the {leg} leg of a hybrid search failed");
    }

    fn unexpanded(&self, error: &(dyn std::error::Error + 'static)) {
        self.retriever.metrics.rag_expansion_failures.inc();
        warn!(error, "the expansion of a search failed; it is made without");
    }

    fn observe(&self, plan: SearchPlan, begin: Instant) {
        let seconds = begin.elapsed().as_secs_f64();
        self.retriever.metrics.postgresql_vector_query_time.with_label_values(&[plan.label()]).observe(seconds);
    }
}

fn words_only(words: Words) -> Hits {
    let mut fused = by_words_alone(&words.hits);
    words.tell(&mut fused);
    Hits { fused, mode: SearchMode::Lexical, plan: words.plan, store_version: words.store_version, vector: None }
}

fn vector_only((vector, leg): (Vector, Leg)) -> Hits {
    let Leg { hits, store_version, plan } = leg;
    let fused = by_vector_alone(&hits);
    Hits { fused, mode: SearchMode::Vector, plan, store_version: Some(store_version), vector: Some(vector) }
}
