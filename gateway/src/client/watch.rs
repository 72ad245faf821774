//! Follows jobs until they have ended, and tells of each file once.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::bail;

use super::{api::Api, output::Output};
use crate::http::{
    ids::JobId,
    views::{JobFileView, JobView, StatusView},
};

/// Between two looks at a job.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks that may fail in a row before the command gives up: the gateway may restart meanwhile.
const MOST_MISSES: u32 = 60;

/// Numbers of files.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    pub(super) stored: usize,
    pub(super) failed: usize,
    pub(super) chunks: u64,
}

/// What was said about a file last.
#[derive(Eq, PartialEq)]
enum Said {
    Waits(String),
    Ended,
}

/// Waits for the jobs, one after the other.
pub(super) async fn follow(
    api: &Api,
    jobs: &[JobId],
    total: usize,
    deadline: Instant,
    quiet: bool,
    output: &mut Output,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for &job in jobs {
        let mut said = HashMap::new();
        loop {
            let view = look(api, job, deadline).await?;
            for (number, file) in view.files.iter().enumerate() {
                tell(number, file, total, quiet, &mut said, &mut tally, output)?;
            }
            if matches!(view.status, StatusView::Completed | StatusView::Failed | StatusView::Cancelled) {
                break;
            }
            if Instant::now() >= deadline {
                bail!(
                    "time is up; {} of {} files of {job} have ended, and it goes on without this command",
                    view.done,
                    view.total
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(tally)
}

async fn look(api: &Api, job: JobId, deadline: Instant) -> anyhow::Result<JobView> {
    let mut misses = 0;
    loop {
        match api.send(api.get(&format!("v1/jobs/{job}"))).await {
            Ok(view) => return Ok(view),
            Err(error) => {
                let refused = error.downcast_ref::<super::api::Refusal>().is_some_and(|refusal| refusal.status.is_client_error());
                misses += 1;
                if refused || misses > MOST_MISSES || Instant::now() >= deadline {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn tell(
    number: usize,
    file: &JobFileView,
    total: usize,
    quiet: bool,
    said: &mut HashMap<usize, Said>,
    tally: &mut Tally,
    output: &mut Output,
) -> std::io::Result<()> {
    if said.get(&number) == Some(&Said::Ended) {
        return Ok(());
    }
    let source = &file.source;
    let reason = file.reason.as_deref().unwrap_or("no reason was given");
    match file.status {
        StatusView::Queued | StatusView::Running => {
            let Some(reason) = &file.reason else { return Ok(()) };
            if said.get(&number) != Some(&Said::Waits(reason.clone())) {
                said.insert(number, Said::Waits(reason.clone()));
                output.line(&format!("waiting  {source}: {reason}"))?;
            }
            return Ok(());
        }
        StatusView::Completed => {
            tally.stored += 1;
            tally.chunks += u64::from(file.chunks_done);
        }
        StatusView::Failed | StatusView::Cancelled => tally.failed += 1,
    }
    said.insert(number, Said::Ended);
    let ended = tally.stored + tally.failed;
    match file.status {
        StatusView::Completed if quiet => Ok(()),
        StatusView::Completed => output.line(&format!("[{ended}/{total}] stored  {source} ({} chunks)", file.chunks_done)),
        StatusView::Cancelled => output.line(&format!("[{ended}/{total}] CANCELLED  {source}")),
        StatusView::Queued | StatusView::Running | StatusView::Failed => {
            output.line(&format!("[{ended}/{total}] FAILED  {source}: {reason}"))
        }
    }
}
