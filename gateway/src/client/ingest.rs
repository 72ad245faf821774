//! `ingest PATH…`: find the files, send them, follow them.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::{
    IngestArgs,
    api::Api,
    files,
    output::Output,
    upload::{self, Sent},
    watch::{self, Tally},
};

pub(super) async fn run(api: &Api, arguments: &IngestArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let metadata = metadata(&arguments.metadata)?;
    let files = files::find(&arguments.paths)?;
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(arguments.timeout);
    let megabytes = files.iter().map(|file| file.size).sum::<u64>() as f64 / f64::from(1 << 20);
    output.line(&format!("sending {} files, {megabytes:.1} MiB", files.len()))?;
    let mut job = None;
    let mut refused = 0;
    for batch in upload::batches(&files) {
        for sent in upload::send(api, batch, &metadata, &mut job).await? {
            match sent {
                Sent::Taken => {}
                Sent::Refused { source, reason } => {
                    refused += 1;
                    output.line(&format!("REFUSED  {source}: {reason}"))?;
                }
            }
        }
    }
    if arguments.no_wait {
        if let Some(job) = job {
            output.line(&format!("accepted  {job}"))?;
        }
        return Ok(code(refused));
    }
    let Tally { stored, failed, chunks } = match job {
        Some(job) => watch::follow(api, job, deadline, arguments.quiet, output).await?,
        None => Tally::default(),
    };
    let (failed, seconds) = (failed + refused, begun.elapsed().as_secs_f64());
    output.line(&format!("{stored} files stored as {chunks} chunks, {failed} failed, in {seconds:.1} s"))?;
    Ok(code(failed))
}

fn code(failed: usize) -> ExitCode {
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Metadata out of `key=value` pairs.
fn metadata(pairs: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut metadata = Map::new();
    for pair in pairs {
        let (key, value) = pair.split_once('=').with_context(|| format!("--metadata {pair:?} is no KEY=VALUE"))?;
        if key.is_empty() {
            bail!("--metadata {pair:?} has no key");
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        metadata.insert(key.to_owned(), value);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_reads_as_json_is_json() {
        let pairs = ["year=2024".into(), "team=legal".into(), "tags=[\"a\"]".into(), "note=a=b".into()];
        let expected = json!({"year": 2024, "team": "legal", "tags": ["a"], "note": "a=b"});
        assert_eq!(Value::Object(metadata(&pairs).unwrap()), expected);
        assert!(metadata(&["plain".into()]).is_err());
    }
}
