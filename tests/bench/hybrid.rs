//! Hybrid search beside its legs. The questions' vectors are at hand, so that the model's time hides nothing.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use prometheus::Registry;
use ragline_config::{Generation, Logging, Redaction, Search, SearchMode};
use ragline_gateway::{
    answer::{Answerer, Flights, Retriever, SearchRequest},
    backends::{
        cache::NoCache,
        off::{NoGenerator, NoRephraser, NoReranker},
    },
    metrics::Metrics,
    redact::Redactor,
    traits::{
        embedder::{EmbedError, Embedder, Tokenizer, Vector},
        search::{KeyPrint, Principal, SearchPlan},
    },
};

use crate::{
    clients::{self, Work},
    described,
    figure::Figure,
    load::Rate,
    rows::Rows,
    surroundings::Surroundings,
    vector::{RESULTS, described_clients, times},
};

const CLIENTS: [usize; 2] = [1, 8];

/// Knows the vectors of the questions, and asks the model for nothing.
#[derive(Debug)]
struct Known {
    vectors: HashMap<String, Vector>,
    dimensions: u32,
    model: Arc<dyn Embedder>,
}

#[async_trait]
impl Embedder for Known {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        self.vectors.get(text).cloned().ok_or_else(|| EmbedError::Model("an unknown question".into()))
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for text in texts {
            vectors.push(self.embed(text).await?);
        }
        Ok(vectors)
    }

    fn dimensions(&self) -> u32 {
        self.dimensions
    }

    fn model_name(&self) -> &str {
        "sentences"
    }

    fn provider(&self) -> &'static str {
        "builtin"
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.model.tokenizer()
    }

    fn window_tokens(&self) -> Option<usize> {
        None
    }

    async fn health(&self) -> Result<(), EmbedError> {
        Ok(())
    }
}

/// Asks each question in turn.
#[derive(Debug)]
struct Asking {
    answerer: Answerer,
    principal: Principal,
    questions: Vec<String>,
    mode: SearchMode,
}

impl Asking {
    fn request(&self, number: usize) -> SearchRequest {
        let query = self.questions[number % self.questions.len()].clone();
        SearchRequest { query, limit: Some(RESULTS), mode: Some(self.mode), ..SearchRequest::default() }
    }

    /// Whether the words of any question take part; a mode that is ignored would pass for a fast one.
    async fn is_by_words(&self) -> bool {
        for number in 0..self.questions.len() {
            let Ok(found) = self.answerer.search(&self.principal, &self.request(number)).await else { return false };
            if found.plan == SearchPlan::Lexical || found.matches.iter().any(|found| found.lexical.is_some()) {
                return true;
            }
        }
        false
    }
}

impl Work for Asking {
    async fn once(&self, number: usize) -> anyhow::Result<()> {
        self.answerer.search(&self.principal, &self.request(number)).await?;
        Ok(())
    }
}

pub(crate) async fn measure(around: &Surroundings, rows: &Rows, model: &Arc<dyn Embedder>) -> anyhow::Result<()> {
    let asking = |mode| asking(rows, model, mode);
    let (vector, lexical, hybrid) = (asking(SearchMode::Vector)?, asking(SearchMode::Lexical)?, asking(SearchMode::Hybrid)?);
    if !lexical.is_by_words().await || !hybrid.is_by_words().await {
        println!("  not available: search by words and hybrid search, {}", rows.name());
        return Ok(());
    }
    let group = format!("Hybrid search and its legs, {}", rows.name());
    for clients in CLIENTS {
        let what = described_clients(clients);
        let [by_vector, by_words, by_both] = [
            clients::rate(around, &vector, clients).await?,
            clients::rate(around, &lexical, clients).await?,
            clients::rate(around, &hybrid, clients).await?,
        ];
        for (name, rate) in [("vector leg", by_vector), ("lexical leg", by_words)] {
            let name = format!("{name}, {what}");
            Figure::new(&group, &name, rate.per_second, "requests/s").keep(&around.folder)?;
            times(around, &group, &name, rate, [None, None])?;
        }
        let name = format!("hybrid, {what}");
        Figure::new(&group, &name, by_both.per_second, "requests/s")
            .beside("its legs in turn", in_turn(by_vector, by_words))
            .keep(&around.folder)?;
        times(around, &group, &name, by_both, [None, (clients == 1).then_some(described::HYBRID_P95_MS)])?;
    }
    Ok(())
}

/// The rate of doing one after the other.
fn in_turn(one: Rate, other: Rate) -> f64 {
    1.0 / (1.0 / one.per_second + 1.0 / other.per_second)
}

fn asking(rows: &Rows, model: &Arc<dyn Embedder>, mode: SearchMode) -> anyhow::Result<Arc<Asking>> {
    let questions = rows.sentences.questions.clone();
    let vectors = questions.iter().cloned().zip(rows.sentences.question_vectors(rows.dimensions)).collect();
    let dimensions = u32::try_from(rows.dimensions)?;
    let embedder: Arc<dyn Embedder> = Arc::new(Known { vectors, dimensions, model: Arc::clone(model) });
    let retriever = Retriever {
        embedder,
        searcher: Arc::new(rows.store.clone()),
        rephraser: Arc::new(NoRephraser),
        reranker: Arc::new(NoReranker),
        cache: Arc::new(NoCache),
        search: Search::default(),
        flights: Flights::default(),
        least_similarity: None,
        metrics: Metrics::register(&Registry::new())?,
        realm: rows.schema.clone(),
        redactor: Redactor::new(&Redaction::default()),
        generation: Generation::default(),
    };
    let answerer = Answerer::new(retriever, Arc::new(NoGenerator), Logging::default());
    let principal =
        Principal { workspace: rows.workspace, workspace_name: "default".to_owned(), admin: false, key: KeyPrint::default() };
    Ok(Arc::new(Asking { answerer, principal, questions, mode }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_legs_in_turn_take_both_times() {
        let rate = |per_second| Rate { per_second, p50_ms: 0.0, p95_ms: 0.0 };
        assert!((in_turn(rate(100.0), rate(300.0)) - 75.0).abs() < 1e-9);
    }
}
