//! Sends files to `POST /v1/documents`, many in a request, each streamed from the disk, all of them as one job. When a request is refused for the sake of
//! one file, its files are sent one by one, so that only that one fails.

use std::time::Duration;

use anyhow::Context;
use futures::TryStreamExt;
use reqwest::{Body, multipart};
use serde_json::{Map, Value};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::{
    api::{Api, Refusal},
    files::LocalFile,
    progress::Progress,
};
use crate::http::{documents::UploadView, error::ErrorCode, ids::JobId};

/// Files and bytes of one request.
const MOST_FILES: usize = 50;
const MOST_BYTES: u64 = 128 << 20;
/// Tries of one request while the gateway is busy or its database away.
const TRIES: u32 = 8;
/// Longest wait between two tries.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// What became of files that were sent.
#[derive(Debug)]
pub(super) enum Sent {
    /// Files that are part of the job now.
    Taken,
    /// One file that the gateway does not take.
    Refused { source: String, reason: String },
}

/// Requests' worth of files.
pub(super) fn batches(files: &[LocalFile]) -> Vec<&[LocalFile]> {
    let mut batches = Vec::new();
    let mut rest = files;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |file: &&LocalFile| {
            bytes += file.size;
            bytes <= MOST_BYTES
        };
        let count = rest.iter().take(MOST_FILES).take_while(fits).count().max(1);
        let (batch, after) = rest.split_at(count);
        batches.push(batch);
        rest = after;
    }
    batches
}

/// Sends one request's worth. The first that is taken makes the job, later ones are added to it.
pub(super) async fn send(
    api: &Api,
    batch: &[LocalFile],
    metadata: &Map<String, Value>,
    job: &mut Option<JobId>,
    progress: &Progress,
) -> anyhow::Result<Vec<Sent>> {
    let begun_at = progress.place();
    let error = match attempt(api, batch, metadata, *job, progress).await {
        Ok(taken) => {
            *job = Some(taken);
            return Ok(vec![Sent::Taken]);
        }
        Err(error) => error,
    };
    let is_one_files_fault = error.downcast_ref::<Refusal>().and_then(|refusal| refusal.code).is_some_and(|code| {
        matches!(
            code,
            ErrorCode::FileTooLarge
                | ErrorCode::InvalidValue
                | ErrorCode::TooManyFiles
                | ErrorCode::UploadTooLarge
                | ErrorCode::MissingFile
        )
    });
    match batch {
        _ if !is_one_files_fault => Err(error),
        [file] => {
            progress.go_to(begun_at + file.size);
            Ok(vec![Sent::Refused { source: file.source.clone(), reason: error.to_string() }])
        }
        files => {
            progress.go_to(begun_at);
            let mut sent = Vec::with_capacity(files.len());
            for file in files {
                sent.extend(Box::pin(send(api, std::slice::from_ref(file), metadata, job, progress)).await?);
            }
            Ok(sent)
        }
    }
}

/// Sends until it is taken or refused; waits while the gateway has no room.
async fn attempt(
    api: &Api,
    files: &[LocalFile],
    metadata: &Map<String, Value>,
    job: Option<JobId>,
    progress: &Progress,
) -> anyhow::Result<JobId> {
    let begun_at = progress.place();
    let path = job.map_or_else(|| "v1/documents".to_owned(), |job| format!("v1/documents?job={job}"));
    let mut wait = Duration::from_secs(1);
    let mut tries = 1;
    loop {
        let request = api.post(&path).multipart(form(files, metadata, progress).await?);
        let error = match api.send::<UploadView>(request).await {
            Ok(answer) => return Ok(answer.job.id),
            Err(error) => error,
        };
        let Some(refusal) = error.downcast_ref::<Refusal>() else { return Err(error) };
        if !matches!(refusal.status.as_u16(), 429 | 503) || tries == TRIES {
            return Err(error);
        }
        tokio::time::sleep(refusal.retry_after.unwrap_or(wait).min(MOST_WAIT)).await;
        progress.go_to(begun_at);
        wait *= 2;
        tries += 1;
    }
}

async fn form(files: &[LocalFile], metadata: &Map<String, Value>, progress: &Progress) -> anyhow::Result<multipart::Form> {
    // Names go as they are, folders and all.
    let mut form = multipart::Form::new().percent_encode_noop();
    if !metadata.is_empty() {
        form = form.text("metadata", Value::Object(metadata.clone()).to_string());
    }
    for file in files {
        let unreadable = || format!("{} cannot be read", file.path.display());
        let opened = File::open(&file.path).await.with_context(unreadable)?;
        let size = opened.metadata().await.with_context(unreadable)?.len();
        let stream = ReaderStream::with_capacity(tokio::io::AsyncReadExt::take(opened, size), 64 << 10);
        let progress = progress.clone();
        let stream = stream.inspect_ok(move |piece| progress.advance(piece.len() as u64));
        form = form
            .part("file", multipart::Part::stream_with_length(Body::wrap_stream(stream), size).file_name(file.source.clone()));
    }
    Ok(form)
}
