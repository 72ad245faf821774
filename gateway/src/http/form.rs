//! Forms with files: taken apart field by field, files streamed into the blob table. No file is ever whole in memory.

use std::{
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
use futures::StreamExt;

use super::{
    body::content_length,
    error::{ApiError, ErrorCode},
    state::Parts,
};
use crate::ingest::upload::{StoredBlob, UploadError, Uploads};

/// A source may have this many characters.
pub(super) const MOST_SOURCE_CHARS: usize = 1_024;

/// What a field says of its file.
pub(super) struct File {
    pub(super) source: String,
    pub(super) content_type: Option<String>,
}

/// A form that is being read.
pub(super) struct Form {
    multipart: Multipart,
    exceeded: Arc<AtomicBool>,
    limit: u64,
    pub(super) patience: Duration,
}

impl Form {
    /// Begins to read the request's form.
    ///
    /// # Errors
    /// Another content type, or an announced length above `limits.requestBytes`.
    pub(super) async fn open(parts: &Parts, request: Request) -> Result<Self, ApiError> {
        let limit = parts.limits.request_bytes;
        require_multipart(&request)?;
        if content_length(request.headers()).is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let exceeded = Arc::new(AtomicBool::new(false));
        let request = bounded(request, limit, Arc::clone(&exceeded));
        let multipart = Multipart::from_request(request, &()).await.map_err(|rejection| malformed(&rejection.body_text()))?;
        Ok(Self { multipart, exceeded, limit, patience: Duration::from(parts.limits.request_timeout_seconds) })
    }

    /// The next field.
    pub(super) async fn next(&mut self) -> Result<Option<Field<'_>>, ApiError> {
        within(self.patience, self.multipart.next_field()).await
    }

    /// What to answer with after the reading failed.
    pub(super) fn refuse(self, error: ApiError) -> ApiError {
        if self.exceeded.load(Ordering::Relaxed) { too_large(self.limit) } else { error }
    }
}

fn too_large(limit: u64) -> ApiError {
    let message = format!("the upload is larger than {limit} bytes; send fewer files, or raise limits.requestBytes");
    ApiError::new(ErrorCode::UploadTooLarge, message)
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

pub(super) fn file_of(field: &Field<'_>) -> Result<File, ApiError> {
    let Some(source) = field.file_name().filter(|name| !name.trim().is_empty()) else {
        return Err(ApiError::new(ErrorCode::MissingFile, "the field `file` carries no file name").of("file"));
    };
    check_source(source)?;
    // Clients that know no better name every file so.
    let content_type = field.content_type().filter(|kind| *kind != "application/octet-stream" && kind.len() <= 255);
    let is_plain = |kind: &&str| kind.bytes().all(|b| (b' '..=b'~').contains(&b));
    Ok(File { source: source.to_owned(), content_type: content_type.filter(is_plain).map(str::to_owned) })
}

pub(super) fn check_source(source: &str) -> Result<(), ApiError> {
    let fits = source.chars().nth(MOST_SOURCE_CHARS).is_none() && !source.trim().is_empty();
    if fits && !source.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("a document's name must have 1 to {MOST_SOURCE_CHARS} characters and no control characters");
    Err(ApiError::invalid("source", message))
}

pub(super) async fn store(
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
    keep(uploads, limit, field, patience, &refuse).await
}

/// The bytes of a field as a blob of at most `limit` bytes.
pub(super) async fn keep(
    uploads: &mut Uploads,
    limit: u64,
    field: &mut Field<'_>,
    patience: Duration,
    refuse: &(impl Fn(UploadError) -> ApiError + Sync),
) -> Result<StoredBlob, ApiError> {
    let mut blob = uploads.begin(limit).await.map_err(refuse)?;
    while let Some(piece) = within(patience, field.chunk()).await? {
        blob.write(piece).await.map_err(refuse)?;
    }
    blob.finish().await.map_err(refuse)
}

/// A short field, whole.
pub(super) async fn text(field: &mut Field<'_>, name: &str, most: usize, patience: Duration) -> Result<Vec<u8>, ApiError> {
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
