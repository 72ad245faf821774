//! Keeps a lease alive while its file is worked on, and hands the progress along.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::job::Progress;
use crate::traits::{
    ingest::{Claim, JobStore},
    search::StoreError,
};

/// That the file belongs to somebody else.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("the lease was given to another worker")]
    Taken,
    #[error("the lease could not be renewed before it ran out")]
    RanOut(#[source] StoreError),
}

/// Renews until the lease is lost; never ends otherwise.
pub(super) async fn keep(jobs: &dyn JobStore, claim: &Claim, lease: Duration, progress: &Progress) -> Result<Infallible, Lost> {
    // Often enough that a person who watches sees the file move, and that two missed renewals do no harm.
    let pause = (lease / 4).min(Duration::from_secs(2));
    let mut good_until = Instant::now() + lease;
    loop {
        tokio::time::sleep(pause).await;
        let (done, total) = progress.now();
        // A database whose node is cut off never answers.
        let renewed = timeout_at(good_until, jobs.renew(claim, lease, done, total)).await;
        match renewed.unwrap_or(Err(StoreError::TimedOut)) {
            Ok(true) => good_until = Instant::now() + lease,
            Ok(false) => return Err(Lost::Taken),
            Err(error) if Instant::now() >= good_until => return Err(Lost::RanOut(error)),
            Err(error) => tracing::debug!(error.cause = %error, "a lease was not renewed; trying again"),
        }
    }
}
