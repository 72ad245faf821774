//! What an evaluation needs of a gateway, and how the documents are named there.

use std::time::Duration;

use async_trait::async_trait;
use ragline_config::SearchMode;

use super::{dataset::Question, report::IndexRecall};

/// Chunks that each question asks for; the most that a search gives.
pub(crate) const DEPTH: u32 = 100;

/// Is told of a number of documents.
pub type Told<'a> = &'a (dyn Fn(usize) + Send + Sync);

/// A gateway that a collection is evaluated on.
#[async_trait]
pub trait Target: Send + Sync {
    /// Makes a workspace of its own. What a killed evaluation left behind a day ago is removed on the way.
    async fn open(&mut self) -> Result<(), EvalError>;

    /// Takes documents in as [`source`] names them, and waits until they can be searched. Blank ones are left out. Says how many
    /// more were taken in, now and then.
    async fn take_in(&mut self, documents: &[String], more: Told<'_>) -> Result<(), EvalError>;

    /// The documents of the best chunks, best first.
    async fn search(&self, mode: SearchMode, question: &str) -> Result<Found, EvalError>;

    /// Gives the workspace the vector index that the policy wants, and compares what it finds with what comparing every row finds.
    /// `None` where that cannot be looked into.
    async fn index_recall(&mut self, questions: &[Question]) -> Result<Option<IndexRecall>, EvalError>;

    /// Removes the workspace and everything in it. Called whatever happened before.
    async fn remove(&mut self) -> Result<(), EvalError>;
}

/// What one search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Best first, each document once: its best chunk.
    pub hits: Vec<Hit>,
    /// Whether words took part in finding them.
    pub by_words: bool,
}

/// A document that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hit {
    /// Of the document in the collection.
    pub place: usize,
    pub score: f32,
    /// Cosine and BM25 of the chunk, where the search knows them.
    pub similarity: Option<f32>,
    pub lexical: Option<f32>,
}

/// Why an evaluation ended early, or a mode has no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error("the {act} failed")]
    Failed {
        act: &'static str,
        #[source]
        source: anyhow::Error,
    },
    #[error("document {place} of the collection was not taken in: {reason}")]
    NotTakenIn { place: usize, reason: String },
    #[error("it was interrupted")]
    Interrupted,
    #[error("it panicked")]
    Panicked,
    #[error("the workspace {name} was not removed; a later evaluation removes it")]
    NotRemoved {
        name: String,
        #[source]
        source: anyhow::Error,
    },
    #[error("the removal took longer than {} s", after.as_secs())]
    SlowRemoval { after: Duration },
}

impl EvalError {
    pub(crate) fn failed(act: &'static str) -> impl Fn(anyhow::Error) -> Self {
        move |source| Self::Failed { act, source }
    }

    /// The whole chain of causes in one line.
    pub(crate) fn chain(&self) -> String {
        let causes = std::iter::successors(Some(self as &dyn std::error::Error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

/// The name of a document in the workspace.
pub(crate) fn source(place: usize) -> String {
    format!("{place}.txt")
}

/// The place of the document that a source names; `None` for a foreign source, of which there can be none.
pub(crate) fn place(source: &str) -> Option<usize> {
    source.strip_suffix(".txt")?.parse().ok()
}

/// The hits without those of a document that came before.
pub(crate) fn distinct(hits: impl Iterator<Item = Hit>) -> Vec<Hit> {
    let mut distinct: Vec<Hit> = Vec::new();
    for hit in hits {
        if distinct.iter().all(|known| known.place != hit.place) {
            distinct.push(hit);
        }
    }
    distinct
}

/// The mode as requests name it.
pub(crate) fn word(mode: SearchMode) -> &'static str {
    match mode {
        SearchMode::Vector => "vector",
        SearchMode::Lexical => "lexical",
        SearchMode::Hybrid => "hybrid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_stands_where_its_best_chunk_does() {
        let chunks = [(3, 0.9), (0, 0.5), (3, 0.4)].map(|(place, score)| Hit { place, score, ..Hit::default() });
        assert_eq!(distinct(chunks.into_iter()), chunks[..2]);
        assert_eq!((place(&source(12)), place("x")), (Some(12), None));
    }
}
