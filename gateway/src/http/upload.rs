//! Takes a multipart upload apart and streams its files into the blob table. No file is ever whole in memory; whatever was begun is
//! removed when the upload does not become a job.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request, multipart::Field},
    http::header,
};
use bytes::Bytes;
use futures::StreamExt;
use uuid::Uuid;

use super::{
    body::content_length,
    error::{ApiError, ErrorCode},
    state::Parts,
};
use crate::{
    ingest::{
        metadata::{self, MOST_BYTES as MOST_METADATA_BYTES},
        upload::{StoredBlob, UploadError, Uploads},
    },
    traits::{
        ingest::{Metadata, NewItem},
        search::WorkspaceId,
    },
};

/// A source may have this many characters.
const MOST_SOURCE_CHARS: usize = 1_024;
/// What remains of a refused upload is read up to here, so that the caller gets to read why.
const MOST_DRAINED_BYTES: u64 = 128 << 20;
/// And not longer than this.
const DRAIN_FOR: Duration = Duration::from_secs(10);

/// What the fields of an upload add up to.
#[derive(Default)]
struct Form {
    files: Vec<(File, StoredBlob)>,
    metadata: Option<Metadata>,
    source: Option<String>,
}

struct File {
    source: String,
    content_type: Option<String>,
}

/// Receives an upload and makes it a job, or a part of the given one.
pub(super) async fn receive(
    parts: &Parts,
    workspace: WorkspaceId,
    onto: Option<Uuid>,
    request: Request,
) -> Result<Uuid, ApiError> {
    let limits = &parts.limits;
    let too_large = || {
        let message =
            format!("the upload is larger than {} bytes; send fewer files, or raise limits.requestBytes", limits.request_bytes);
        ApiError::new(ErrorCode::UploadTooLarge, message)
    };
    require_multipart(&request)?;
    if content_length(request.headers()).is_some_and(|length| length > limits.request_bytes) {
        return Err(too_large());
    }
    let exceeded = Arc::new(AtomicBool::new(false));
    let request = bounded(request, limits.request_bytes, Arc::clone(&exceeded));
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|rejection| malformed(&rejection.body_text()))?;
    let mut uploads = Uploads::new(Arc::clone(&parts.blobs), workspace);
    let form = match read_form(parts, &mut uploads, &mut multipart).await {
        Ok(form) => form,
        Err(_) if exceeded.load(Ordering::Relaxed) => return Err(too_large()),
        Err(error) => {
            drain(multipart).await;
            return Err(error);
        }
    };
    let items = items(form)?;
    let job = match onto {
        Some(job) => parts.jobs.extend(workspace, job, items).await.map(|()| job)?,
        None => parts.jobs.create(workspace, items).await?,
    };
    uploads.keep();
    Ok(job)
}

fn require_multipart(request: &Request) -> Result<(), ApiError> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        return Ok(());
    }
    let message = "send files as multipart/form-data, as `curl -F file=@NAME` does";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, message))
}

/// The request with a body that fails past the limit.
fn bounded(request: Request, limit: u64, exceeded: Arc<AtomicBool>) -> Request {
    let (head, body) = request.into_parts();
    let mut seen = 0_u64;
    let stream = body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(std::io::Error::other)?;
        seen += piece.len() as u64;
        if seen > limit {
            exceeded.store(true, Ordering::Relaxed);
            return Err(std::io::Error::other("the upload is too large"));
        }
        Ok(piece)
    });
    Request::from_parts(head, Body::from_stream(stream))
}

async fn read_form(parts: &Parts, uploads: &mut Uploads, multipart: &mut Multipart) -> Result<Form, ApiError> {
    let patience = Duration::from(parts.limits.request_timeout_seconds);
    let most_files = parts.limits.files_per_request as usize;
    let mut form = Form::default();
    while let Some(mut field) = within(patience, multipart.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" | "files" | "file[]" => {
                if form.files.len() >= most_files {
                    let message = format!(
                        "one upload takes at most {most_files} files; send the rest in another, or raise limits.filesPerRequest"
                    );
                    return Err(ApiError::new(ErrorCode::TooManyFiles, message).of("file"));
                }
                let file = file_of(&field)?;
                let blob = store(parts, uploads, &file.source, &mut field, patience).await?;
                form.files.push((file, blob));
            }
            "metadata" => {
                let bytes = text(&mut field, "metadata", MOST_METADATA_BYTES, patience).await?;
                let parsed = metadata::parse(&bytes)
                    .map_err(|error| ApiError::new(ErrorCode::InvalidMetadata, format!("metadata: {error}")).of("metadata"))?;
                form.metadata = Some(parsed);
            }
            "source" => {
                let bytes = text(&mut field, "source", MOST_SOURCE_CHARS * 4, patience).await?;
                let source = String::from_utf8(bytes).map_err(|_| ApiError::invalid("source", "source is no UTF-8 text"))?;
                check_source(&source)?;
                form.source = Some(source);
            }
            _ => {
                let message = format!("unknown field {name:?}; an upload has `file`, `metadata` and `source`");
                return Err(ApiError::new(ErrorCode::UnknownField, message).of(name));
            }
        }
    }
    Ok(form)
}

fn file_of(field: &Field<'_>) -> Result<File, ApiError> {
    let Some(source) = field.file_name().filter(|name| !name.trim().is_empty()) else {
        return Err(ApiError::new(ErrorCode::MissingFile, "the field `file` carries no file name").of("file"));
    };
    check_source(source)?;
    // Clients that know no better name every file so.
    let content_type = field.content_type().filter(|kind| *kind != "application/octet-stream" && kind.len() <= 255);
    let is_plain = |kind: &&str| kind.bytes().all(|b| (b' '..=b'~').contains(&b));
    Ok(File { source: source.to_owned(), content_type: content_type.filter(is_plain).map(str::to_owned) })
}

fn check_source(source: &str) -> Result<(), ApiError> {
    let fits = source.chars().nth(MOST_SOURCE_CHARS).is_none() && !source.trim().is_empty();
    if fits && !source.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("a document's name must have 1 to {MOST_SOURCE_CHARS} characters and no control characters");
    Err(ApiError::invalid("source", message))
}

async fn store(
    parts: &Parts,
    uploads: &mut Uploads,
    source: &str,
    field: &mut Field<'_>,
    patience: Duration,
) -> Result<StoredBlob, ApiError> {
    let limit = parts.limits.file_bytes;
    let refuse = |error: UploadError| match error {
        UploadError::TooLarge => {
            let message = format!("{source} is larger than {limit} bytes; split it, or raise limits.fileBytes");
            ApiError::new(ErrorCode::FileTooLarge, message).of("file")
        }
        UploadError::Store(error) => error.into(),
    };
    let mut blob = uploads.begin(limit).await.map_err(refuse)?;
    while let Some(piece) = within(patience, field.chunk()).await? {
        blob.write(piece).await.map_err(refuse)?;
    }
    blob.finish().await.map_err(refuse)
}

/// A short field, whole.
async fn text(field: &mut Field<'_>, name: &str, most: usize, patience: Duration) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = within(patience, field.chunk()).await? {
        if bytes.len() + piece.len() > most {
            return Err(ApiError::invalid(name, format!("{name} is larger than {most} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Waits for the caller's next bytes, with patience for each.
async fn within<T, E: Into<axum::extract::multipart::MultipartError>>(
    patience: Duration,
    next: impl Future<Output = Result<Option<T>, E>>,
) -> Result<Option<T>, ApiError> {
    match tokio::time::timeout(patience, next).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => {
            let error = error.into();
            Err(malformed(&error.body_text()).because(error))
        }
        Err(_) => {
            let message = format!("nothing came for {} s (limits.requestTimeoutSeconds)", patience.as_secs());
            Err(ApiError::new(ErrorCode::UploadTimedOut, message))
        }
    }
}

fn malformed(what: &str) -> ApiError {
    ApiError::new(ErrorCode::MalformedUpload, format!("the upload cannot be read: {what}"))
}

/// Turns the form into the items of a job.
fn items(form: Form) -> Result<Vec<NewItem>, ApiError> {
    let Form { mut files, metadata, source } = form;
    if files.is_empty() {
        return Err(ApiError::new(ErrorCode::MissingFile, "the upload carries no field `file`").of("file"));
    }
    if let Some(source) = source {
        let [(file, _)] = files.as_mut_slice() else {
            return Err(ApiError::invalid("source", "source names one document; leave it out when sending several files"));
        };
        file.source = source;
    }
    let mut seen = HashSet::new();
    if let Some((twice, _)) = files.iter().find(|(file, _)| !seen.insert(file.source.clone())) {
        let message = format!("two files of the upload are named {:?}, and the second would replace the first", twice.source);
        return Err(ApiError::invalid("file", message));
    }
    let metadata = metadata.unwrap_or_default();
    let item = |(File { source, content_type }, blob): (File, StoredBlob)| NewItem {
        source,
        content_type,
        metadata: metadata.clone(),
        blob: blob.id,
        size_bytes: blob.size_bytes,
        content_hash: blob.content_hash,
    };
    Ok(files.into_iter().map(item).collect())
}

/// Reads what is still coming, within bounds, so that the caller is not cut off before it reads the refusal.
async fn drain(mut multipart: Multipart) {
    let read = async {
        let mut seen = 0_u64;
        while let Ok(Some(mut field)) = multipart.next_field().await {
            while let Ok(Some(piece)) = field.chunk().await {
                seen += Bytes::len(&piece) as u64;
                if seen > MOST_DRAINED_BYTES {
                    return;
                }
            }
        }
    };
    // Whether it was read to its end makes no difference to the answer.
    let _ = tokio::time::timeout(DRAIN_FOR, read).await;
}
