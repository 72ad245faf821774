//! `/v1/vector_stores/{id}/files`: files in a vector store.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use ragline_config::Chunking;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    Table,
    attributes::attributes,
    chunking::{ChunkingStrategy, ChunkingView},
    list::{ListView, Order, PAGE, slice},
    polled,
    vector_stores::find,
};
use crate::http::params::PathId;
use crate::{
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody, ErrorCode},
        ids::{FileId, PublicId, VectorStoreId},
        params::{Caller, PathIds, QueryString},
        state::ApiState,
    },
    traits::{
        ingest::{Fault, Metadata},
        search::Principal,
        vector_stores::{Attached, Attachment, FileQuery, FileState, VectorStoreFile},
    },
};

/// The routes.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, change, delete))
}

/// A file to be put in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"file_id": "file-0198f2a4-7c02-7e44-b3c4-6e5d4c3b2a18", "attributes": {"department": "legal"}}))]
pub(crate) struct NewStoreFileBody {
    pub(super) file_id: FileId,
    /// What searches can filter by: at most 16 texts, numbers or booleans.
    #[schema(value_type = Option<Object>)]
    pub(super) attributes: Option<Metadata>,
    pub(super) chunking_strategy: Option<ChunkingStrategy>,
}

impl NewStoreFileBody {
    pub(super) fn checked(self) -> Result<Attachment, ApiError> {
        let Self { file_id, attributes: pairs, chunking_strategy } = self;
        Ok(Attachment {
            file: file_id.0,
            attributes: attributes("attributes", pairs)?,
            chunking: chunking_strategy.map(ChunkingStrategy::checked).transpose()?.flatten(),
        })
    }
}

/// Other attributes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"attributes": {"department": "sales"}}))]
pub(crate) struct ChangeStoreFileBody {
    /// In place of those that there are.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Metadata>,
}

/// A file in a vector store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreFileView {
    id: FileId,
    #[schema(example = "vector_store.file")]
    object: &'static str,
    /// Bytes of what can be searched; 0 before.
    usage_bytes: u64,
    /// Seconds since 1970.
    created_at: i64,
    vector_store_id: VectorStoreId,
    /// `in_progress`, `completed`, `failed` or `cancelled`.
    #[schema(example = "completed")]
    status: &'static str,
    /// Why it failed.
    last_error: Option<LastError>,
    chunking_strategy: ChunkingView,
    #[schema(value_type = Object)]
    attributes: Metadata,
}

/// Why a file cannot be searched.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastError {
    /// `unsupported_file`: its format is none that is read here. `invalid_file`: it is broken, empty or too large. `server_error`: the
    /// file may be good; putting it in again may help.
    #[schema(example = "invalid_file")]
    code: &'static str,
    message: String,
}

impl StoreFileView {
    /// As it is shown; `usual` is how the pipeline cuts.
    pub(super) fn of(file: VectorStoreFile, usual: &Chunking) -> Self {
        let VectorStoreFile { file, store, filename: _, attributes, chunking, state, reason, fault, usage_bytes, created_at } =
            file;
        let last_error = (state == FileState::Failed)
            .then(|| LastError { code: code(fault), message: reason.unwrap_or_else(|| "no reason was given".into()) });
        Self {
            id: FileId(file),
            object: "vector_store.file",
            usage_bytes,
            created_at: created_at.timestamp(),
            vector_store_id: VectorStoreId(store),
            status: word(state),
            last_error,
            chunking_strategy: chunking.as_ref().unwrap_or(usual).into(),
            attributes,
        }
    }
}

/// What failed before faults were kept is said to be the file's, as it was then.
fn code(fault: Option<Fault>) -> &'static str {
    match fault {
        Some(Fault::Format) => "unsupported_file",
        Some(Fault::File) | None => "invalid_file",
        Some(Fault::Server) => "server_error",
    }
}

fn word(state: FileState) -> &'static str {
    match state {
        FileState::InProgress => "in_progress",
        FileState::Completed => "completed",
        FileState::Failed => "failed",
        FileState::Cancelled => "cancelled",
    }
}

/// How files stand that a list is to show.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateView {
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

impl From<StateView> for FileState {
    fn from(state: StateView) -> Self {
        match state {
            StateView::InProgress => Self::InProgress,
            StateView::Completed => Self::Completed,
            StateView::Failed => Self::Failed,
            StateView::Cancelled => Self::Cancelled,
        }
    }
}

/// Which files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StoreFileQuery {
    /// Files on the page, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `desc`, the newest first, or `asc`.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// The last id of the page before.
    after: Option<String>,
    /// The first id of the page after.
    before: Option<String>,
    /// Only files that stand so: `in_progress`, `completed`, `failed` or `cancelled`.
    #[param(inline)]
    filter: Option<StateView>,
}

impl StoreFileQuery {
    pub(super) fn query(self, batch: Option<Uuid>) -> Result<FileQuery, ApiError> {
        let Self { limit, order, after, before, filter } = self;
        let slice = slice(limit, PAGE, order, after, before, |id: FileId| id.0)?;
        Ok(FileQuery { batch, state: filter.map(Into::into), slice })
    }
}

/// A file that is in the vector store no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedStoreFile {
    id: FileId,
    #[schema(example = "vector_store.file.deleted")]
    object: &'static str,
    deleted: bool,
}

/// Puts a file in. It can be searched once its status is `completed`.
#[utoipa::path(post, path = "/v1/vector_stores/{id}/files", tag = "openai", operation_id = "create_vector_store_file",
    params(("id" = VectorStoreId, Path)), request_body = NewStoreFileBody,
    responses((status = 200, body = StoreFileView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(store): PathId<VectorStoreId>,
    JsonBody(body): JsonBody<NewStoreFileBody>,
) -> Result<Response, ApiError> {
    let attachment = body.checked()?;
    let id = FileId(attachment.file);
    attach(&state, &principal, store, vec![attachment], false).await?;
    one(&state, &principal, store, id).await
}

/// Lists the files of a vector store.
#[utoipa::path(get, path = "/v1/vector_stores/{id}/files", tag = "openai", operation_id = "list_vector_store_files",
    params(("id" = VectorStoreId, Path), StoreFileQuery),
    responses((status = 200, body = ListView<StoreFileView>), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(store): PathId<VectorStoreId>,
    QueryString(query): QueryString<StoreFileQuery>,
) -> Result<Json<ListView<StoreFileView>>, ApiError> {
    find(&state, &principal, store).await?;
    page(&state, &principal, store, query.query(None)?).await
}

/// Shows how a file of a vector store stands.
#[utoipa::path(get, path = "/v1/vector_stores/{id}/files/{file_id}", tag = "openai", operation_id = "show_vector_store_file",
    params(("id" = VectorStoreId, Path), ("file_id" = FileId, Path)),
    responses((status = 200, body = StoreFileView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileId>,
) -> Result<Response, ApiError> {
    one(&state, &principal, store, id).await
}

/// Gives a file of a vector store other attributes.
#[utoipa::path(post, path = "/v1/vector_stores/{id}/files/{file_id}", tag = "openai", operation_id = "change_vector_store_file",
    params(("id" = VectorStoreId, Path), ("file_id" = FileId, Path)), request_body = ChangeStoreFileBody,
    responses((status = 200, body = StoreFileView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileId>,
    JsonBody(body): JsonBody<ChangeStoreFileBody>,
) -> Result<Response, ApiError> {
    let pairs = attributes("attributes", body.attributes)?;
    if !state.parts.vector_stores.set_attributes(principal.workspace, store.0, id.0, pairs).await? {
        return Err(FileId::unknown());
    }
    one(&state, &principal, store, id).await
}

/// Takes a file out of a vector store. It stays a file.
#[utoipa::path(delete, path = "/v1/vector_stores/{id}/files/{file_id}", tag = "openai", operation_id = "delete_vector_store_file",
    params(("id" = VectorStoreId, Path), ("file_id" = FileId, Path)),
    responses((status = 200, body = DeletedStoreFile), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileId>,
) -> Result<Json<DeletedStoreFile>, ApiError> {
    if !state.parts.vector_stores.detach(principal.workspace, store.0, id.0).await? {
        return Err(FileId::unknown());
    }
    Ok(Json(DeletedStoreFile { id, object: "vector_store.file.deleted", deleted: true }))
}

/// Puts files in; the batch's id where they are one.
pub(super) async fn attach(
    state: &ApiState,
    principal: &Principal,
    store: VectorStoreId,
    files: Vec<Attachment>,
    as_batch: bool,
) -> Result<Option<Uuid>, ApiError> {
    match state.parts.vector_stores.attach(principal.workspace, store.0, files, as_batch).await? {
        Attached::Queued { batch } => Ok(batch),
        Attached::NoFile(id) => {
            let message = format!("there is no file {}; upload it by POST /v1/files first", FileId(id));
            Err(ApiError::new(ErrorCode::FileNotFound, message).of("file_id"))
        }
        Attached::NoStore => {
            find(state, principal, store).await?;
            Err(expired())
        }
    }
}

/// What is said of a store past its time.
pub(super) fn expired() -> ApiError {
    let message = "the vector store has expired, and what it held is gone; make a new one";
    ApiError::new(ErrorCode::VectorStoreExpired, message).of("vector_store_id")
}

/// A page of files.
pub(super) async fn page(
    state: &ApiState,
    principal: &Principal,
    store: VectorStoreId,
    query: FileQuery,
) -> Result<Json<ListView<StoreFileView>>, ApiError> {
    let page = state.parts.vector_stores.store_files(principal.workspace, store.0, query).await?;
    let show = |file| StoreFileView::of(file, &state.parts.chunking);
    Ok(Json(ListView::of(page, show, |file: &StoreFileView| file.id.to_string())))
}

async fn one(state: &ApiState, principal: &Principal, store: VectorStoreId, id: FileId) -> Result<Response, ApiError> {
    let found = state.parts.vector_stores.store_file(principal.workspace, store.0, id.0).await?.ok_or_else(FileId::unknown)?;
    let under_way = found.state == FileState::InProgress;
    Ok(polled(under_way, Json(StoreFileView::of(found, &state.parts.chunking))))
}
