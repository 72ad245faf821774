//! An evaluation that shows how far it is.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ragline_config::SearchMode;

use super::progress::Progress;
use crate::eval::{EvalError, Found, IndexRecall, Target, Told, dataset::Question};

/// A gateway whose evaluation somebody watches.
pub(super) struct Watched<'a> {
    target: &'a mut dyn Target,
    progress: &'a Progress,
    /// Questions of one mode, and those asked in it so far.
    questions: u64,
    asked: AtomicU64,
}

impl<'a> Watched<'a> {
    pub(super) fn new(target: &'a mut dyn Target, progress: &'a Progress, questions: u64) -> Self {
        Self { target, progress, questions, asked: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Target for Watched<'_> {
    async fn open(&mut self) -> Result<(), EvalError> {
        self.progress.turning("making a workspace");
        self.target.open().await
    }

    async fn take_in(&mut self, documents: &[String], more: Told<'_>) -> Result<(), EvalError> {
        self.progress.counted("taking in", documents.len() as u64);
        let progress = self.progress.clone();
        let watched = move |count: usize| {
            progress.advance(count as u64);
            more(count);
        };
        self.target.take_in(documents, &watched).await
    }

    async fn search(&self, mode: SearchMode, question: &str) -> Result<Found, EvalError> {
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.questions.max(1)) {
            let stage = match mode {
                SearchMode::Vector => "asking, by vectors",
                SearchMode::Lexical => "asking, by words",
                SearchMode::Hybrid => "asking, by both",
            };
            self.progress.counted(stage, self.questions);
        }
        let found = self.target.search(mode, question).await;
        match found {
            Ok(_) => self.progress.advance(1),
            // It ends the mode, and the next one begins anew.
            Err(_) => self.asked.store(0, Ordering::Relaxed),
        }
        found
    }

    async fn index_recall(&mut self, questions: &[Question]) -> Result<Option<IndexRecall>, EvalError> {
        self.progress.turning("looking into the index");
        self.target.index_recall(questions).await
    }

    async fn remove(&mut self) -> Result<(), EvalError> {
        self.progress.turning("removing the workspace");
        self.target.remove().await
    }
}
