//! `rechunk`: has stale documents cut anew, and follows the job.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use super::{
    RechunkArgs,
    api::Api,
    output::Output,
    tell::{End, Tally, Teller},
    watch,
};
use crate::http::documents::RechunkView;

pub(super) async fn run(api: &Api, arguments: &RechunkArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let RechunkView { job, without_bytes } = api.send(api.post("v1/documents/rechunk")).await?;
    let mut teller = Teller::new(output, arguments.quiet, arguments.json);
    if without_bytes > 0 {
        teller.remark(&format!("{without_bytes} stale documents have no bytes any more; upload them again"))?;
    }
    let accepted = arguments.no_wait && job.is_some();
    let deadline = begun + Duration::from_secs(arguments.timeout);
    let tally = match &job {
        Some(job) if !accepted => watch::follow(api, job.id, deadline, &mut teller).await?,
        Some(_) | None => Tally::default(),
    };
    let Tally { stored, failed, chunks } = tally;
    let seconds = begun.elapsed().as_secs_f64();
    let words = match &job {
        None => "no stale document can be cut anew".to_owned(),
        Some(job) if accepted => format!("accepted  {}: {} documents", job.id, job.total),
        Some(_) => format!("{stored} documents cut anew into {chunks} chunks, {failed} failed, in {seconds:.1} s"),
    };
    let job = job.map(|job| job.id);
    teller.end(&End { job, accepted, tally, seconds, without_bytes: Some(without_bytes) }, &words)?;
    // A job that was handed over is all that was asked for.
    Ok(if accepted || (failed == 0 && without_bytes == 0) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
