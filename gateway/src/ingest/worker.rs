//! The loop that claims files and ingests them. Survives everything that its surroundings do: what is not a file's fault is tried
//! again later, and a shutdown gives the file back.

use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use super::{
    failure::{Verdict, judge},
    job::{self, Ended, IngestError, Parts, Progress},
    lease,
};
use crate::{
    telemetry::{
        propagation::Trace,
        stage::{self, ErrorType},
    },
    traits::{
        ingest::{Claim, Fault},
        search::StoreError,
    },
};

/// The longest wait for new work before the queue is looked at anyhow.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// One question to the queue may take this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first and the longest pause while the queue does not answer.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// Tries to write a file's end down before its lease is left to run out.
const SETTLE_TRIES: u32 = 20;
/// The same while the gateway shuts down.
const LAST_TRIES: u32 = 2;
/// Releases of a file for a failure that may be its own.
const DOUBTS: u32 = 2;

/// Ingests files until the shutdown.
pub async fn run(parts: Parts, shutdown: CancellationToken) {
    let workers = (0..parts.settings.workers.max(1)).map(|_| work(&parts, &shutdown));
    join_all(workers).await;
}

async fn work(parts: &Parts, shutdown: &CancellationToken) {
    let mut pause = PAUSES.0;
    while !shutdown.is_cancelled() {
        match claim(parts).await {
            Ok(Some(claim)) => {
                pause = PAUSES.0;
                let span = span(&claim);
                handle(parts, &claim, shutdown).instrument(span).await;
            }
            Ok(None) => {
                pause = PAUSES.0;
                unless(shutdown, parts.jobs.wait_for_work(LOOK_AGAIN)).await;
            }
            Err(error) => {
                if pause == PAUSES.0 {
                    tracing::warn!(error.cause = %error, "the queue of files does not answer; trying again until it does");
                }
                unless(shutdown, tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// The span of a file, the first of its trace.
fn span(claim: &Claim) -> Span {
    let span = tracing::info_span!("ingest", stage = "ingest", job.id = %claim.job_id, trace_id = Empty);
    if let Some(trace) = Trace::begin(&span, None) {
        trace.subject.set_workspace(claim.workspace);
    }
    span
}

async fn claim(parts: &Parts) -> Result<Option<Claim>, StoreError> {
    let asked = parts.jobs.claim(parts.settings.lease, parts.settings.max_attempts);
    tokio::select! {
        biased;
        claimed = tokio::time::timeout(PATIENCE, asked) => claimed.unwrap_or(Err(StoreError::TimedOut)),
        error = parts.jobs.given_up() => Err(error),
    }
}

async fn unless(shutdown: &CancellationToken, wait: impl Future<Output = ()>) {
    tokio::select! {
        () = wait => {}
        () = shutdown.cancelled() => {}
    }
}

/// Ingests one file and writes down how it ended.
async fn handle(parts: &Parts, claim: &Claim, shutdown: &CancellationToken) {
    let progress = Progress::default();
    let begun = std::time::Instant::now();
    let result = tokio::select! {
        result = job::ingest(parts, claim, &progress) => result,
        Err(lost) = lease::keep(parts.jobs.as_ref(), claim, parts.settings.lease, &progress) => {
            tracing::warn!(job.id = %claim.job_id, error.cause = %lost, "a file is left to another worker");
            return;
        }
        // What it waits for would never come, and its lease would be renewed for ever once the database is back.
        error = parts.jobs.given_up() => Err(IngestError::Store(error)),
        () = shutdown.cancelled() => {
            let release = Settlement::Release { delay: Duration::ZERO, reason: "the gateway restarts".into() };
            settle(parts, claim, &release, LAST_TRIES).await;
            return;
        }
    };
    match result {
        Ok(Ended::Published(published)) => {
            parts.metrics.ingest_documents.with_label_values(&["completed"]).inc();
            parts.metrics.ingest_chunks.inc_by(u64::from(published.chunks));
            tracing::info!(
                job.id = %claim.job_id, document.id = %published.document_id, chunks = published.chunks, chunks.reused = published.reused,
                duration_ms = begun.elapsed().as_secs_f64() * 1_000.0, "a document of {} chunks was stored", published.chunks,
            );
        }
        Ok(Ended::Unchanged(document)) => {
            parts.metrics.ingest_documents.with_label_values(&["unchanged"]).inc();
            tracing::info!(job.id = %claim.job_id, document.id = %document, "a document was stored already");
        }
        Err(error) => {
            stage::fail(&Span::current(), error.error_type());
            if let Some(settlement) = settlement(parts, claim, &error) {
                report(parts, claim, &error, &settlement);
                settle(parts, claim, &settlement, SETTLE_TRIES).await;
            }
        }
    }
}

/// What is written down about a file that was not ingested.
#[derive(Debug)]
enum Settlement {
    Fail { fault: Fault, reason: String },
    Release { delay: Duration, reason: String },
}

fn settlement(parts: &Parts, claim: &Claim, error: &IngestError) -> Option<Settlement> {
    let settings = &parts.settings;
    let wait = |reason: String, at_least: Duration| {
        let delay = settings.delay(claim.released).max(at_least.min(settings.most_delay));
        let (tries, seconds) = (claim.released + 1, delay.as_secs());
        let reason = format!("{reason}; trying again in {seconds} s (try {tries} of {} failed)", settings.max_releases + 1);
        Settlement::Release { delay, reason }
    };
    let give_up = |reason: &str| {
        let reason = format!("{reason}; given up after {} tries", claim.released + 1);
        Settlement::Fail { fault: Fault::Server, reason }
    };
    match judge(error) {
        Verdict::Fail { fault, reason } => Some(Settlement::Fail { fault, reason }),
        Verdict::Wait { reason, at_least } if claim.released < settings.max_releases => Some(wait(reason, at_least)),
        Verdict::Doubt(reason) if claim.released < DOUBTS.min(settings.max_releases) => Some(wait(reason, Duration::ZERO)),
        Verdict::Wait { reason, .. } | Verdict::Doubt(reason) => Some(give_up(&reason)),
        Verdict::Leave => None,
    }
}

fn report(parts: &Parts, claim: &Claim, error: &IngestError, settlement: &Settlement) {
    let cause = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let cause = cause.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match settlement {
        Settlement::Fail { .. } => {
            parts.metrics.ingest_documents.with_label_values(&["failed"]).inc();
            tracing::warn!(job.id = %claim.job_id, error.cause = %cause, "a file could not be ingested");
        }
        Settlement::Release { delay, .. } => {
            tracing::warn!(
                job.id = %claim.job_id, error.cause = %cause, delay_seconds = delay.as_secs(), released = claim.released,
                "a file waits and is tried again",
            );
        }
    }
}

/// Writes a file's end down, also through a short outage of the database. After a long one its lease has run out, and it is given
/// out again.
async fn settle(parts: &Parts, claim: &Claim, settlement: &Settlement, tries: u32) {
    let mut pause = PAUSES.0;
    for _ in 0..tries {
        let writing = async {
            match settlement {
                Settlement::Fail { fault, reason } => parts.jobs.fail(claim, *fault, reason).await,
                Settlement::Release { delay, reason } => parts.jobs.release(claim, *delay, reason).await,
            }
        };
        match tokio::time::timeout(PATIENCE, writing).await.unwrap_or(Err(StoreError::TimedOut)) {
            // Not there, or changed meanwhile: somebody else has the file.
            Ok(()) | Err(StoreError::NotFound { .. } | StoreError::Conflict { .. }) => return,
            Err(error) if error.is_transient() => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            Err(error) => {
                tracing::error!(job.id = %claim.job_id, error.cause = %error, "the end of a file could not be written down");
                return;
            }
        }
    }
    tracing::error!(job.id = %claim.job_id, "the end of a file could not be written down; its lease will run out");
}
