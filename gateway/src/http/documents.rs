//! `/v1/documents`: upload, list, show, delete.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ErrorBody},
    ids::{DocumentId, JobId, PublicId},
    jobs,
    params::{Caller, PathId, QueryString},
    search::check_limit,
    state::ApiState,
    upload,
    views::{DocumentView, JobView},
};
use crate::traits::ingest::Rechunk;

/// Documents on a page that names no limit.
const PAGE: u32 = 20;
/// Documents on a page.
const MOST_ON_PAGE: u32 = 100;

/// The fields of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct UploadForm {
    /// One file or more. The file name, folders included, is the document's `source`.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
    /// A JSON object that every document of this upload carries.
    #[schema(value_type = Option<String>, example = r#"{"department": "legal"}"#)]
    metadata: Option<String>,
    /// Another name than the file's; for an upload of one file.
    source: Option<String>,
}

/// The answer to an upload.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct UploadView {
    pub job: JobView,
}

/// Which job an upload belongs to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Onto {
    /// A job that these files are added to, so that many uploads are followed as one; a job that had ended goes on.
    #[param(value_type = Option<String>)]
    job: Option<JobId>,
}

/// Takes files in. They are searchable once the job that is answered has completed.
#[utoipa::path(post, path = "/v1/documents", tag = "documents", operation_id = "upload_documents", params(Onto),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 202, body = UploadView, headers(("location" = String, description = "The job's path."))),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn upload(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    QueryString(Onto { job }): QueryString<Onto>,
    request: Request,
) -> Result<Response, ApiError> {
    let id = JobId(upload::receive(&state.parts, principal.workspace, job.map(|job| job.0), request).await?);
    let job = jobs::find(&state, principal.workspace, id).await?;
    let mut response = (StatusCode::ACCEPTED, Json(UploadView { job })).into_response();
    let location = HeaderValue::from_str(&format!("/v1/jobs/{id}")).expect("an id is ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Documents on the page, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The last id of the page before.
    #[param(value_type = Option<String>)]
    after: Option<DocumentId>,
    /// `true`: only documents that were cut with other settings than the pipeline's present ones.
    stale: Option<bool>,
}

/// A page of documents, newest first.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct DocumentList {
    #[schema(example = "list")]
    pub object: String,
    pub data: Vec<DocumentView>,
    pub first_id: Option<DocumentId>,
    pub last_id: Option<DocumentId>,
    pub has_more: bool,
}

/// Lists documents.
#[utoipa::path(get, path = "/v1/documents", tag = "documents", operation_id = "list_documents", params(Page),
    responses((status = 200, body = DocumentList), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    QueryString(page): QueryString<Page>,
) -> Result<Json<DocumentList>, ApiError> {
    check_limit(page.limit, MOST_ON_PAGE)?;
    let after = page.after.map(|id| id.0);
    let (limit, now) = (page.limit.unwrap_or(PAGE), &state.parts.chunking_fingerprint);
    let found = if page.stale == Some(true) {
        state.parts.documents.list_stale(principal.workspace, now, after, limit).await?
    } else {
        state.parts.documents.list(principal.workspace, after, limit).await?
    };
    let data: Vec<DocumentView> = found.documents.into_iter().map(|document| DocumentView::of(document, now)).collect();
    Ok(Json(DocumentList {
        object: "list".into(),
        first_id: data.first().map(|document| document.id),
        last_id: data.last().map(|document| document.id),
        data,
        has_more: found.has_more,
    }))
}

/// Shows a document.
#[utoipa::path(get, path = "/v1/documents/{id}", tag = "documents", operation_id = "show_document", params(("id" = DocumentId, Path)),
    responses((status = 200, body = DocumentView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<DocumentId>,
) -> Result<Json<DocumentView>, ApiError> {
    let document = state.parts.documents.document(principal.workspace, id.0).await?;
    document.map(|document| Json(DocumentView::of(document, &state.parts.chunking_fingerprint))).ok_or_else(DocumentId::unknown)
}

/// What was set in motion.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RechunkView {
    /// The job over at most 100,000 documents; null when none is stale and has its bytes.
    pub job: Option<JobView>,
    /// Stale documents that must be uploaded again, since their bytes are kept no more.
    pub without_bytes: u64,
}

/// Cuts stale documents anew from the bytes that were uploaded. Until its turn comes each stays as it is.
#[utoipa::path(post, path = "/v1/documents/rechunk", tag = "documents", operation_id = "rechunk_documents",
    responses((status = 202, body = RechunkView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn rechunk(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
) -> Result<(StatusCode, Json<RechunkView>), ApiError> {
    let Rechunk { job, without_bytes } =
        state.parts.documents.rechunk(principal.workspace, &state.parts.chunking_fingerprint).await?;
    let job = match job {
        Some(job) => Some(jobs::find(&state, principal.workspace, JobId(job)).await?),
        None => None,
    };
    Ok((StatusCode::ACCEPTED, Json(RechunkView { job, without_bytes })))
}

/// A document that is no more.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct DeletedDocument {
    pub id: DocumentId,
    #[schema(example = "document.deleted")]
    pub object: String,
    pub deleted: bool,
}

/// Deletes a document with its passages and bytes, at once.
#[utoipa::path(delete, path = "/v1/documents/{id}", tag = "documents", operation_id = "delete_document", params(("id" = DocumentId, Path)),
    responses((status = 200, body = DeletedDocument), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<DocumentId>,
) -> Result<Json<DeletedDocument>, ApiError> {
    if !state.parts.documents.delete(principal.workspace, id.0).await? {
        return Err(DocumentId::unknown());
    }
    Ok(Json(DeletedDocument { id, object: "document.deleted".into(), deleted: true }))
}
