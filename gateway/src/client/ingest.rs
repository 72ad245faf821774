//! `ingest PATH…`: find the files, send them, follow them.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::Map;

use super::{
    IngestArgs,
    api::Api,
    files,
    output::{Output, counted},
    tell::{End, Fate, FileTold, Tally, Teller},
    upload::{self, Sent},
    watch,
};

pub(super) async fn run(api: &Api, arguments: &IngestArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let metadata = Map::from_iter(arguments.metadata.iter().cloned());
    let files = files::find(&arguments.paths)?;
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(arguments.timeout);
    let size_bytes = files.iter().map(|file| file.size).sum::<u64>();
    let megabytes = size_bytes as f64 / f64::from(1 << 20);
    let progress = output.progress().clone();
    let mut teller = Teller::new(output, arguments.quiet, arguments.json);
    teller.remark(&format!("sending {}, {megabytes:.1} MiB", counted(files.len() as u64, "file")))?;
    progress.weighed("sending", size_bytes);
    let mut job = None;
    let mut refused = 0;
    for batch in upload::batches(&files) {
        for sent in upload::send(api, batch, &metadata, &mut job, &progress).await? {
            match sent {
                Sent::Taken => {}
                Sent::Refused { source, reason } => {
                    refused += 1;
                    let file = FileTold { source: &source, status: Fate::Refused, chunks: 0, reason: Some(&reason) };
                    teller.file(&file, None)?;
                }
            }
        }
    }
    let accepted = arguments.no_wait;
    let mut tally = match job {
        Some(job) if !accepted => watch::follow(api, job, deadline, &mut teller).await?,
        Some(_) | None => Tally::default(),
    };
    tally.failed += refused;
    let Tally { stored, failed, chunks } = tally;
    let seconds = begun.elapsed().as_secs_f64();
    let words = match job {
        Some(job) if accepted => format!("accepted  {job}"),
        Some(_) | None => {
            let (stored, chunks) = (counted(stored as u64, "file"), counted(chunks, "chunk"));
            format!("{stored} stored as {chunks}, {failed} failed, in {seconds:.1} s")
        }
    };
    teller.end(&End { job, accepted, tally, seconds, without_bytes: None }, &words)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
