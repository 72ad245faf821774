//! Why a test failed, for people.

use std::time::Duration;

use crate::{
    answer::AnswerError,
    ingest::{cut::CutError, upload::UploadError},
    traits::{embedder::EmbedError, search::StoreError},
};

/// Why a test failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Something is not as the name of the test promises.
    #[error("{0}")]
    Wrong(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Embed(#[from] EmbedError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Cut(#[from] CutError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("it took longer than {} s", after.as_secs())]
    TimedOut { after: Duration },
    #[error("it was interrupted")]
    Interrupted,
    #[error("it panicked; the log has the place")]
    Panicked,
}

impl Failure {
    /// The whole chain of causes in one line.
    pub(super) fn chain(&self) -> String {
        let causes = std::iter::successors(Some(self as &dyn std::error::Error), |error| error.source());
        let mut lines: Vec<String> = causes.map(ToString::to_string).collect();
        lines.dedup();
        lines.join(": ")
    }
}

/// Fails with the text when the condition does not hold.
pub(super) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Wrong(otherwise())) }
}
