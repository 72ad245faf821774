//! Follows a job until it has ended, and tells of each file once.

use std::{
    collections::BTreeMap,
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
/// Files of one look.
const PAGE: u32 = 1_000;
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
    Nothing,
    Waits(String),
    Ended,
}

/// Waits for the job. However many files it has, only those that have not ended are kept in mind.
pub(super) async fn follow(api: &Api, job: JobId, deadline: Instant, quiet: bool, output: &mut Output) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut said = BTreeMap::new();
    // All files up to this number have ended and were told of.
    let mut settled = 0;
    loop {
        let mut from = settled;
        let view = loop {
            let view = look(api, job, from, deadline).await?;
            for file in &view.files {
                tell(file, view.total, quiet, &mut said, &mut tally, output)?;
            }
            // Files are taken in the order they came: behind one that has not ended nearly all wait.
            match view.files.last() {
                Some(last) if has_ended(last.status) => from = last.number,
                Some(_) | None => break view,
            }
        };
        let open = said.iter().find(|(_, said)| **said != Said::Ended).map(|(number, _)| *number);
        settled = open.map_or(from, |open| from.min(open - 1));
        said = said.split_off(&(settled + 1));
        // One that was read before the job ended is read once more.
        if has_ended(view.status) && open.is_none() {
            return Ok(tally);
        }
        if Instant::now() >= deadline {
            bail!("time is up; {} of {} files of {job} have ended, and it goes on without this command", view.done, view.total);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn has_ended(status: StatusView) -> bool {
    match status {
        StatusView::Completed | StatusView::Failed | StatusView::Cancelled => true,
        StatusView::Queued | StatusView::Running => false,
    }
}

/// A page of the job's files, from the one after `after` on.
async fn look(api: &Api, job: JobId, after: u64, deadline: Instant) -> anyhow::Result<JobView> {
    let path = format!("v1/jobs/{job}?after={after}&limit={PAGE}");
    let mut misses = 0;
    loop {
        match api.send(api.get(&path)).await {
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
    file: &JobFileView,
    total: u32,
    quiet: bool,
    said: &mut BTreeMap<u64, Said>,
    tally: &mut Tally,
    output: &mut Output,
) -> std::io::Result<()> {
    if said.get(&file.number) == Some(&Said::Ended) {
        return Ok(());
    }
    let source = &file.source;
    let reason = file.reason.as_deref().unwrap_or("no reason was given");
    match file.status {
        StatusView::Queued | StatusView::Running => {
            let reason = file.reason.clone().unwrap_or_default();
            if reason.is_empty() {
                said.insert(file.number, Said::Nothing);
                return Ok(());
            }
            if said.get(&file.number) != Some(&Said::Waits(reason.clone())) {
                said.insert(file.number, Said::Waits(reason.clone()));
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
    said.insert(file.number, Said::Ended);
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
