//! Runs the cutting of a file on a thread of its own, with a deadline, and survives its panics. A thread that does not come back
//! cannot be ended; its permit stays with it, so that only so many can be lost.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tracing::Span;

use super::{
    cut::{Cut, Cutter},
    job::IngestError,
};
use crate::traits::ingest::Claim;

/// Cuts the claimed file.
pub(super) async fn cut(
    cutter: &Arc<dyn Cutter>,
    threads: &Arc<Semaphore>,
    claim: &Claim,
    bytes: Vec<u8>,
    deadline: Duration,
) -> Result<Cut, IngestError> {
    let Ok(permit) = Arc::clone(threads).try_acquire_owned() else { return Err(IngestError::Crowded) };
    let cutter = Arc::clone(cutter);
    let filename = claim.filename.as_ref().unwrap_or(&claim.source).clone();
    let content_type = claim.content_type.clone();
    let span = Span::current();
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let cut = || span.in_scope(|| cutter.cut(bytes, &filename, content_type.as_deref()));
        std::panic::catch_unwind(AssertUnwindSafe(cut))
    });
    match tokio::time::timeout(deadline, work).await {
        Ok(Ok(Ok(cut))) => cut.map_err(IngestError::Cut),
        Ok(Ok(Err(_)) | Err(_)) => Err(IngestError::Panicked),
        Err(_) => Err(IngestError::TooSlow { seconds: deadline.as_secs() }),
    }
}
