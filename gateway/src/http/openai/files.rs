//! `/v1/files`: files that are kept to be put into vector stores.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use futures::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Table,
    list::{ListView, Order, slice},
    upload,
};
use crate::{
    http::{
        error::{ApiError, ErrorBody},
        ids::{FileId, PublicId},
        params::{Caller, PathId, QueryString},
        state::ApiState,
    },
    traits::{files::StoredFile, ingest::BlobStore, search::WorkspaceId},
};

/// Files on a page that names no limit, and on any page.
const PAGE: (u32, u32) = (10_000, 10_000);

/// The routes that end within the deadline.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, delete)).routes(routes!(content))
}

/// The upload takes as long as the caller's line needs.
pub(super) fn streamed() -> Table {
    OpenApiRouter::new().routes(routes!(create))
}

/// The fields of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct FileForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `assistants` or `user_data`; files of both can be put into vector stores.
    #[schema(example = "assistants")]
    purpose: String,
    /// `created_at`.
    #[serde(rename = "expires_after[anchor]")]
    #[schema(rename = "expires_after[anchor]")]
    anchor: Option<String>,
    /// Seconds after which the file is gone, 3,600 to 2,592,000.
    #[serde(rename = "expires_after[seconds]")]
    #[schema(rename = "expires_after[seconds]", minimum = 3_600, maximum = 2_592_000)]
    seconds: Option<u32>,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileView {
    id: FileId,
    #[schema(example = "file")]
    object: &'static str,
    bytes: u64,
    /// Seconds since 1970.
    created_at: i64,
    /// Seconds since 1970; absent when it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    filename: String,
    #[schema(example = "assistants")]
    purpose: String,
    /// `processed`: it can be put into vector stores at once.
    #[schema(example = "processed")]
    status: &'static str,
}

impl From<StoredFile> for FileView {
    fn from(file: StoredFile) -> Self {
        let StoredFile { id, filename, content_type: _, purpose, blob: _, size_bytes, created_at, expires_at } = file;
        Self {
            id: FileId(id),
            object: "file",
            bytes: size_bytes,
            created_at: created_at.timestamp(),
            expires_at: expires_at.as_ref().map(DateTime::<Utc>::timestamp),
            filename,
            purpose,
            status: "processed",
        }
    }
}

/// A file that is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedFile {
    id: FileId,
    #[schema(example = "file")]
    object: &'static str,
    deleted: bool,
}

/// Which files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// Only files of this purpose.
    purpose: Option<String>,
    /// Files on the page, 1 to 10,000; 10,000 when absent.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u32>,
    /// `desc`, the newest first, or `asc`.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// The last id of the page before.
    after: Option<String>,
}

/// Keeps a file.
#[utoipa::path(post, path = "/v1/files", tag = "openai", operation_id = "create_file",
    request_body(content = FileForm, content_type = "multipart/form-data"),
    responses((status = 200, body = FileView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    request: Request,
) -> Result<Json<FileView>, ApiError> {
    let file = upload::receive(&state.parts, principal.workspace, request).await?;
    Ok(Json(file.into()))
}

/// Lists files.
#[utoipa::path(get, path = "/v1/files", tag = "openai", operation_id = "list_files", params(FileQuery),
    responses((status = 200, body = ListView<FileView>), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    QueryString(query): QueryString<FileQuery>,
) -> Result<Json<ListView<FileView>>, ApiError> {
    let FileQuery { purpose, limit, order, after } = query;
    let slice = slice(limit, PAGE, order, after, None, |id: FileId| id.0)?;
    let page = state.parts.files.files_of(principal.workspace, purpose.as_deref(), slice).await?;
    Ok(Json(ListView::of(page, Into::into, |file: &FileView| file.id.to_string())))
}

/// Shows a file.
#[utoipa::path(get, path = "/v1/files/{id}", tag = "openai", operation_id = "show_file", params(("id" = FileId, Path)),
    responses((status = 200, body = FileView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<FileId>,
) -> Result<Json<FileView>, ApiError> {
    Ok(Json(find(&state, principal.workspace, id).await?.into()))
}

/// Deletes a file, also in the vector stores that have it.
#[utoipa::path(delete, path = "/v1/files/{id}", tag = "openai", operation_id = "delete_file", params(("id" = FileId, Path)),
    responses((status = 200, body = DeletedFile), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<FileId>,
) -> Result<Json<DeletedFile>, ApiError> {
    if !state.parts.files.delete_file(principal.workspace, id.0).await? {
        return Err(FileId::unknown());
    }
    Ok(Json(DeletedFile { id, object: "file", deleted: true }))
}

/// The bytes of a file.
#[utoipa::path(get, path = "/v1/files/{id}/content", tag = "openai", operation_id = "show_file_content", params(("id" = FileId, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody)))]
pub(crate) async fn content(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<FileId>,
) -> Result<Response, ApiError> {
    let file = find(&state, principal.workspace, id).await?;
    let pieces = pieces(Arc::clone(&state.parts.blobs), principal.workspace, &file);
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    // Never a type that a browser would show: the bytes are somebody's upload.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size_bytes));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The bytes piece by piece, the next one read when the one before is on its way.
fn pieces(
    blobs: Arc<dyn BlobStore>,
    workspace: WorkspaceId,
    file: &StoredFile,
) -> impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> + use<> {
    let blob = file.blob;
    stream::try_unfold((blobs, 0_u32), move |(blobs, number)| async move {
        let piece = blobs.piece(workspace, blob, number).await.map_err(std::io::Error::other)?;
        Ok(piece.map(|piece| (piece, (blobs, number + 1))))
    })
}

async fn find(state: &ApiState, workspace: WorkspaceId, id: FileId) -> Result<StoredFile, ApiError> {
    state.parts.files.file(workspace, id.0).await?.ok_or_else(FileId::unknown)
}
