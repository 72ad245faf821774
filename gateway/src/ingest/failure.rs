//! Whose fault a failure is. A file's own fault fails it alone; anything else lets it wait, with the reason shown meanwhile.

use std::time::Duration;

use super::job::IngestError;
use crate::traits::{embedder::EmbedError, ingest::Fault, search::StoreError};

/// What is to be done with a file that could not be ingested.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It fails, with this reason for people.
    Fail { fault: Fault, reason: String },
    /// It goes back to the queue, at the earliest after `at_least`.
    Wait { reason: String, at_least: Duration },
    /// As [`Verdict::Wait`], but it fails after a few tries: nobody knows whose fault it is.
    Doubt(String),
    /// Somebody else has it, or it is gone.
    Leave,
}

pub(super) fn judge(error: &IngestError) -> Verdict {
    let fail = |fault| Verdict::Fail { fault, reason: error.to_string() };
    match error {
        IngestError::Cut(error) => fail(error.fault),
        IngestError::Empty
        | IngestError::TooLarge { .. }
        | IngestError::NoText
        | IngestError::Panicked
        | IngestError::Truncated { .. }
        | IngestError::Gone => fail(Fault::File),
        IngestError::TooSlow { .. } => fail(Fault::Server),
        IngestError::Crowded => Verdict::Wait { reason: error.to_string(), at_least: Duration::ZERO },
        IngestError::Embed(error) => judge_embedding(error),
        IngestError::Store(error) => judge_store(error),
    }
}

fn judge_embedding(error: &EmbedError) -> Verdict {
    let wait = |at_least| Verdict::Wait { reason: error.to_string(), at_least };
    match error {
        EmbedError::RateLimited { retry_after, .. } => wait(retry_after.unwrap_or_default()),
        // The provider's or the configuration's fault; the file goes on once it is mended.
        EmbedError::TimedOut { .. }
        | EmbedError::Unreachable { .. }
        | EmbedError::Unauthorized { .. }
        | EmbedError::Malformed { .. }
        | EmbedError::WrongDimensions { .. } => wait(Duration::ZERO),
        EmbedError::Refused { status: 400 | 413 | 422, .. } | EmbedError::Model(_) => Verdict::Doubt(error.to_string()),
        EmbedError::Refused { .. } => wait(Duration::ZERO),
    }
}

fn judge_store(error: &StoreError) -> Verdict {
    match error {
        StoreError::NotFound { .. } => Verdict::Leave,
        StoreError::Failed { .. } => Verdict::Doubt(error.to_string()),
        StoreError::Unreachable(_)
        | StoreError::PrimaryUnreachable(_)
        | StoreError::PoolExhausted
        | StoreError::DiskFull
        | StoreError::TimedOut
        | StoreError::Conflict { .. }
        | StoreError::Unauthorized(_)
        | StoreError::WrongSchema { .. }
        | StoreError::Unbound { .. }
        | StoreError::TooOld { .. }
        | StoreError::WrongModel { .. } => Verdict::Wait { reason: error.to_string(), at_least: Duration::ZERO },
    }
}
