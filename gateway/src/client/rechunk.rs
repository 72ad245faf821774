//! `rechunk`: has stale documents cut anew, and follows the job.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use super::{
    RechunkArgs,
    api::Api,
    output::Output,
    watch::{self, Tally},
};
use crate::http::documents::RechunkView;

pub(super) async fn run(api: &Api, arguments: &RechunkArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let RechunkView { job, without_bytes } = api.send(api.post("v1/documents/rechunk")).await?;
    if without_bytes > 0 {
        output.line(&format!("{without_bytes} stale documents have no bytes any more; upload them again"))?;
    }
    let Some(job) = job else {
        output.line("no stale document can be cut anew")?;
        return Ok(if without_bytes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    if arguments.no_wait {
        output.line(&format!("accepted  {}: {} documents", job.id, job.total))?;
        return Ok(ExitCode::SUCCESS);
    }
    let deadline = begun + Duration::from_secs(arguments.timeout);
    let Tally { stored, failed, chunks } = watch::follow(api, job.id, deadline, arguments.quiet, output).await?;
    let seconds = begun.elapsed().as_secs_f64();
    output.line(&format!("{stored} documents cut anew into {chunks} chunks, {failed} failed, in {seconds:.1} s"))?;
    Ok(if failed == 0 && without_bytes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
