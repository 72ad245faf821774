//! Follows a job until it has ended, and tells of each file once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::bail;

use super::{
    api::Api,
    tell::{Fate, FileTold, Tally, Teller},
};
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

/// What was said about a file last.
#[derive(Eq, PartialEq)]
enum Said {
    Nothing,
    Waits(String),
    Ended,
}

/// Waits for the job. However many files it has, only those that have not ended are kept in mind.
pub(super) async fn follow(api: &Api, job: JobId, deadline: Instant, teller: &mut Teller<'_>) -> anyhow::Result<Tally> {
    let progress = teller.output().progress().clone();
    let mut is_begun = false;
    let mut tally = Tally::default();
    let mut said = BTreeMap::new();
    // All files up to this number have ended and were told of.
    let mut settled = 0;
    loop {
        let mut from = settled;
        let view = loop {
            let view = look(api, job, from, deadline).await?;
            if !std::mem::replace(&mut is_begun, true) {
                progress.counted("storing", u64::from(view.total));
            }
            progress.go_to(u64::from(view.done));
            for file in &view.files {
                tell(file, view.total, &mut said, &mut tally, teller)?;
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
    said: &mut BTreeMap<u64, Said>,
    tally: &mut Tally,
    teller: &mut Teller<'_>,
) -> anyhow::Result<()> {
    if said.get(&file.number) == Some(&Said::Ended) {
        return Ok(());
    }
    let source = file.source.as_str();
    let reason = file.reason.as_deref().filter(|reason| !reason.is_empty());
    let status = match file.status {
        StatusView::Queued | StatusView::Running => {
            let now = reason.map_or(Said::Nothing, |reason| Said::Waits(reason.to_owned()));
            let is_news = reason.is_some() && said.get(&file.number) != Some(&now);
            said.insert(file.number, now);
            if is_news {
                teller.file(&FileTold { source, status: Fate::Waiting, chunks: 0, reason }, None)?;
            }
            return Ok(());
        }
        StatusView::Completed => Fate::Completed,
        StatusView::Failed => Fate::Failed,
        StatusView::Cancelled => Fate::Cancelled,
    };
    let (chunks, reason) = if status == Fate::Completed {
        tally.stored += 1;
        tally.chunks += u64::from(file.chunks_done);
        (file.chunks_done, None)
    } else {
        tally.failed += 1;
        (0, reason.or((status == Fate::Failed).then_some("no reason was given")))
    };
    said.insert(file.number, Said::Ended);
    teller.file(&FileTold { source, status, chunks, reason }, Some((tally.stored + tally.failed, total)))
}
