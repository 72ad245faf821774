//! `/v1/uploads`: a file that comes in parts, which may be sent at once and again, and becomes a file like any other.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Table,
    files::FileView,
    upload::{check_expiry, check_purpose},
};
use crate::{
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody, ErrorCode},
        form::check_source,
        ids::{PartId, PublicId, UploadId},
        params::{Caller, PathId},
        state::ApiState,
    },
    traits::uploads::{MOST_PARTS, MOST_TIMES, NewUpload, Taken, Upload, UploadPart, UploadStatus},
};

mod complete;
mod part;

/// Bytes of the name of a type.
const MOST_TYPE_BYTES: usize = 255;

/// The routes that end within the deadline.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(complete::complete)).routes(routes!(cancel))
}

/// A part takes as long as the caller's line needs.
pub(super) fn streamed() -> Table {
    OpenApiRouter::new().routes(routes!(add_part))
}

/// A file that is to come in parts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"filename": "handbook.pdf", "bytes": 104857600, "mime_type": "application/pdf", "purpose": "assistants"}))]
pub(crate) struct NewUploadBody {
    /// Bytes of the whole file, at most `limits.fileBytes`.
    #[schema(minimum = 1)]
    bytes: u64,
    /// 1 to 1,024 characters.
    filename: String,
    mime_type: String,
    /// `assistants` or `user_data`.
    purpose: String,
    expires_after: Option<FileExpiryBody>,
}

/// When a file is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileExpiryBody {
    /// `created_at`: when the upload was completed.
    anchor: String,
    #[schema(minimum = 3_600, maximum = 2_592_000)]
    seconds: u32,
}

/// A file that comes, or has come, in parts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartedUploadView {
    id: UploadId,
    #[schema(example = "upload")]
    object: &'static str,
    /// Of the whole file.
    bytes: u64,
    /// Seconds since 1970.
    created_at: i64,
    /// Seconds since 1970: an hour later, after which no part is taken and those that came are gone.
    expires_at: i64,
    #[schema(example = "handbook.pdf")]
    filename: String,
    #[schema(example = "assistants")]
    purpose: String,
    /// `pending`, `completed`, `cancelled` or `expired`.
    #[schema(example = "completed")]
    status: &'static str,
    /// What a completed one became; absent once it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileView>,
}

/// A part that has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadPartView {
    id: PartId,
    #[schema(example = "upload.part")]
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    upload_id: UploadId,
}

/// The form of a part.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct PartForm {
    /// Up to 64 MiB of the file.
    #[schema(value_type = String, format = Binary)]
    data: Vec<u8>,
}

impl From<Upload> for PartedUploadView {
    fn from(upload: Upload) -> Self {
        let Upload { id, filename, purpose, size_bytes, status, created_at, expires_at, file } = upload;
        Self {
            id: UploadId(id),
            object: "upload",
            bytes: size_bytes,
            created_at: created_at.timestamp(),
            expires_at: expires_at.timestamp(),
            filename,
            purpose,
            status: word(status),
            file: file.map(Into::into),
        }
    }
}

fn word(status: UploadStatus) -> &'static str {
    match status {
        UploadStatus::Pending => "pending",
        UploadStatus::Completed => "completed",
        UploadStatus::Cancelled => "cancelled",
        UploadStatus::Expired => "expired",
    }
}

/// Begins a file that comes in parts. It takes them for an hour.
#[utoipa::path(post, path = "/v1/uploads", tag = "openai", operation_id = "create_upload", request_body = NewUploadBody,
    responses((status = 200, body = PartedUploadView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<NewUploadBody>,
) -> Result<Json<PartedUploadView>, ApiError> {
    let upload = checked(body, state.parts.limits.file_bytes)?;
    Ok(Json(state.parts.uploads.create_upload(principal.workspace, upload).await?.into()))
}

/// Adds a part. Parts may be sent at once, in any order, and again: `complete` says which count.
#[utoipa::path(post, path = "/v1/uploads/{id}/parts", tag = "openai", operation_id = "create_upload_part", params(("id" = UploadId, Path)),
    request_body(content = PartForm, content_type = "multipart/form-data"),
    responses((status = 200, body = UploadPartView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn add_part(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<UploadId>,
    request: Request,
) -> Result<Json<UploadPartView>, ApiError> {
    let upload = state.parts.uploads.upload(principal.workspace, id.0).await?.ok_or_else(UploadId::unknown)?;
    if upload.status != UploadStatus::Pending {
        return Err(closed(upload.status));
    }
    let UploadPart { id: part, created_at, .. } = part::receive(&state.parts, principal.workspace, &upload, request).await?;
    Ok(Json(UploadPartView { id: PartId(part), object: "upload.part", created_at: created_at.timestamp(), upload_id: id }))
}

/// Gives an upload up: its parts are gone.
#[utoipa::path(post, path = "/v1/uploads/{id}/cancel", tag = "openai", operation_id = "cancel_upload", params(("id" = UploadId, Path)),
    responses((status = 200, body = PartedUploadView), (status = 400, body = ErrorBody), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody)))]
pub(crate) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<UploadId>,
) -> Result<Json<PartedUploadView>, ApiError> {
    let cancelled = state.parts.uploads.cancel_upload(principal.workspace, id.0).await?;
    Ok(Json(done(cancelled)?.into()))
}

fn checked(body: NewUploadBody, most_bytes: u64) -> Result<NewUpload, ApiError> {
    let NewUploadBody { bytes, filename, mime_type, purpose, expires_after } = body;
    if bytes == 0 {
        return Err(ApiError::invalid("bytes", "bytes is 0; an upload must have one at least"));
    }
    if bytes > most_bytes {
        let message = format!("the file would be larger than {most_bytes} bytes; split it, or raise limits.fileBytes");
        return Err(ApiError::new(ErrorCode::FileTooLarge, message).of("bytes"));
    }
    check_source(&filename).map_err(|error| error.of("filename"))?;
    if mime_type.len() > MOST_TYPE_BYTES || !mime_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(ApiError::invalid(
            "mime_type",
            format!("mime_type must have at most {MOST_TYPE_BYTES} printable characters"),
        ));
    }
    check_purpose(&purpose)?;
    let (anchor, seconds) = expires_after.map(|expiry| (expiry.anchor, expiry.seconds)).unzip();
    check_expiry(anchor.as_deref(), seconds)?;
    // As for files that come whole: a type that says nothing is found out.
    let content_type = Some(mime_type).filter(|kind| !kind.is_empty() && kind != "application/octet-stream");
    Ok(NewUpload { filename, content_type, purpose, size_bytes: bytes, expires_after: seconds })
}

fn closed(status: UploadStatus) -> ApiError {
    let message = format!("the upload is {}; begin another", word(status));
    ApiError::new(ErrorCode::UploadClosed, message).of("id")
}

/// What was done, or why it was not.
fn done<T>(taken: Taken<T>) -> Result<T, ApiError> {
    match taken {
        Taken::Done(done) => Ok(done),
        Taken::NoUpload => Err(UploadId::unknown()),
        Taken::Closed(status) => Err(closed(status)),
        Taken::Full => {
            let message =
                format!("an upload has at most {MOST_PARTS} parts and {MOST_TIMES} times its bytes; complete or cancel it");
            Err(ApiError::invalid("data", message))
        }
        Taken::NoPart => Err(ApiError::invalid("part_ids", "part_ids names a part that the upload does not have")),
    }
}
