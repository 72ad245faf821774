//! `/v1/vector_stores`: collections of the key's workspace that are filled with files and searched apart from the rest.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Table,
    attributes::metadata,
    chunking::ChunkingStrategy,
    list::{ListView, PageQuery},
    store_files::attach,
};
use crate::{
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody},
        ids::{FileId, PublicId, VectorStoreId},
        params::{Caller, PathId, QueryString},
        state::ApiState,
    },
    traits::{
        ingest::Metadata,
        vector_stores::{Attachment, FileCounts, NewVectorStore, VectorStore, VectorStoreChange},
    },
};

/// Files that a store can be made with.
const MOST_FILES: usize = 500;
/// Characters of a name and of a description.
const MOST_NAME_CHARS: usize = 256;
const MOST_DESCRIPTION_CHARS: usize = 512;
/// Days that a store may be kept for after its last use.
const DAYS: std::ops::RangeInclusive<u32> = 1..=365;

/// The routes.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, change, delete))
}

/// When a store goes away by itself.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreExpiry {
    anchor: StoreAnchor,
    /// Days after the anchor, 1 to 365.
    #[schema(minimum = 1, maximum = 365)]
    days: u32,
}

/// What the days count from.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreAnchor {
    /// The last search, or the last change of the store or its files.
    LastActiveAt,
}

/// A vector store to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Contracts", "file_ids": ["file-0198f2a4-7c02-7e44-b3c4-6e5d4c3b2a18"]}))]
pub(crate) struct NewStoreBody {
    /// At most 256 characters.
    name: Option<String>,
    /// At most 512 characters.
    description: Option<String>,
    /// Files that are put in at once, at most 500.
    #[schema(max_items = 500)]
    file_ids: Option<Vec<FileId>>,
    expires_after: Option<StoreExpiry>,
    /// How these files are cut.
    chunking_strategy: Option<ChunkingStrategy>,
    /// At most 16 texts of 512 characters.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Metadata>,
}

/// What is to change of a vector store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Contracts of 2026"}))]
pub(crate) struct ChangeStoreBody {
    name: Option<String>,
    /// Null: it stays.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<StoreExpiry>)]
    expires_after: Option<Option<StoreExpiry>>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Metadata>,
}

/// Tells a null from nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Numbers of files by how they stand.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct FileCountsView {
    in_progress: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
    total: u64,
}

impl From<FileCounts> for FileCountsView {
    fn from(counts: FileCounts) -> Self {
        let FileCounts { in_progress, completed, failed, cancelled } = counts;
        Self { in_progress, completed, failed, cancelled, total: in_progress + completed + failed + cancelled }
    }
}

/// A vector store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VectorStoreView {
    id: VectorStoreId,
    #[schema(example = "vector_store")]
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    name: String,
    /// Bytes of the files that can be searched.
    usage_bytes: u64,
    file_counts: FileCountsView,
    /// `in_progress` while a file is on its way, `completed`, or `expired`.
    #[schema(example = "completed")]
    status: &'static str,
    /// Absent when it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_after: Option<StoreExpiry>,
    /// Seconds since 1970.
    expires_at: Option<i64>,
    /// Seconds since 1970; kept to the minute.
    last_active_at: i64,
    #[schema(value_type = Object)]
    metadata: Metadata,
}

impl From<VectorStore> for VectorStoreView {
    fn from(store: VectorStore) -> Self {
        let VectorStore {
            id,
            name,
            description: _,
            metadata,
            created_at,
            last_active_at,
            expires_after_days,
            expired,
            usage_bytes,
            files,
        } = store;
        let status = match (expired, files.in_progress) {
            (true, _) => "expired",
            (false, 0) => "completed",
            (false, _) => "in_progress",
        };
        let expires_at = |days: u32| (last_active_at + TimeDelta::days(i64::from(days))).timestamp();
        Self {
            id: VectorStoreId(id),
            object: "vector_store",
            created_at: created_at.timestamp(),
            name,
            usage_bytes,
            file_counts: files.into(),
            status,
            expires_after: expires_after_days.map(|days| StoreExpiry { anchor: StoreAnchor::LastActiveAt, days }),
            expires_at: expires_after_days.map(expires_at),
            last_active_at: last_active_at.timestamp(),
            metadata,
        }
    }
}

/// A vector store that is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedStore {
    id: VectorStoreId,
    #[schema(example = "vector_store.deleted")]
    object: &'static str,
    deleted: bool,
}

/// Makes a vector store.
#[utoipa::path(post, path = "/v1/vector_stores", tag = "openai", operation_id = "create_vector_store", request_body = NewStoreBody,
    responses((status = 200, body = VectorStoreView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<NewStoreBody>,
) -> Result<Json<VectorStoreView>, ApiError> {
    let NewStoreBody { name, description, file_ids, expires_after, chunking_strategy, metadata: pairs } = body;
    let (name, file_ids) = (name.unwrap_or_default(), file_ids.unwrap_or_default());
    check_text("name", &name, MOST_NAME_CHARS)?;
    check_text("description", description.as_deref().unwrap_or_default(), MOST_DESCRIPTION_CHARS)?;
    if file_ids.len() > MOST_FILES {
        return Err(ApiError::invalid("file_ids", format!("file_ids takes at most {MOST_FILES} files; put more in as batches")));
    }
    let chunking = chunking_strategy.map(ChunkingStrategy::checked).transpose()?.flatten();
    let new = NewVectorStore { name, description, metadata: metadata(pairs)?, expires_after_days: days(expires_after)? };
    let stores = &state.parts.vector_stores;
    let made = stores.create_store(principal.workspace, new).await?;
    if file_ids.is_empty() {
        return Ok(Json(made.into()));
    }
    let attachment = |id: FileId| Attachment { file: id.0, attributes: Metadata::new(), chunking: chunking.clone() };
    let id = VectorStoreId(made.id);
    if let Err(error) = attach(&state, &principal, id, file_ids.into_iter().map(attachment).collect(), true).await {
        // Nobody has heard of the store.
        stores.delete_store(principal.workspace, made.id).await?;
        return Err(error);
    }
    Ok(Json(find(&state, &principal, id).await?.into()))
}

/// Lists vector stores.
#[utoipa::path(get, path = "/v1/vector_stores", tag = "openai", operation_id = "list_vector_stores", params(PageQuery),
    responses((status = 200, body = ListView<VectorStoreView>), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    QueryString(query): QueryString<PageQuery>,
) -> Result<Json<ListView<VectorStoreView>>, ApiError> {
    let slice = query.slice(|id: VectorStoreId| id.0)?;
    let page = state.parts.vector_stores.vector_stores(principal.workspace, slice).await?;
    Ok(Json(ListView::of(page, Into::into, |store: &VectorStoreView| store.id.to_string())))
}

/// Shows a vector store.
#[utoipa::path(get, path = "/v1/vector_stores/{id}", tag = "openai", operation_id = "show_vector_store",
    params(("id" = VectorStoreId, Path)),
    responses((status = 200, body = VectorStoreView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<VectorStoreId>,
) -> Result<Json<VectorStoreView>, ApiError> {
    Ok(Json(find(&state, &principal, id).await?.into()))
}

/// Changes a vector store.
#[utoipa::path(post, path = "/v1/vector_stores/{id}", tag = "openai", operation_id = "change_vector_store",
    params(("id" = VectorStoreId, Path)), request_body = ChangeStoreBody,
    responses((status = 200, body = VectorStoreView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<VectorStoreId>,
    JsonBody(body): JsonBody<ChangeStoreBody>,
) -> Result<Json<VectorStoreView>, ApiError> {
    let ChangeStoreBody { name, expires_after, metadata: pairs } = body;
    check_text("name", name.as_deref().unwrap_or_default(), MOST_NAME_CHARS)?;
    let change = VectorStoreChange {
        name,
        metadata: pairs.map(|pairs| metadata(Some(pairs))).transpose()?,
        expires_after_days: expires_after.map(days).transpose()?,
    };
    let changed = state.parts.vector_stores.change_store(principal.workspace, id.0, change).await?;
    changed.map(|store| Json(store.into())).ok_or_else(VectorStoreId::unknown)
}

/// Deletes a vector store. Its files stay, and are searched in it no more.
#[utoipa::path(delete, path = "/v1/vector_stores/{id}", tag = "openai", operation_id = "delete_vector_store",
    params(("id" = VectorStoreId, Path)),
    responses((status = 200, body = DeletedStore), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<VectorStoreId>,
) -> Result<Json<DeletedStore>, ApiError> {
    if !state.parts.vector_stores.delete_store(principal.workspace, id.0).await? {
        return Err(VectorStoreId::unknown());
    }
    Ok(Json(DeletedStore { id, object: "vector_store.deleted", deleted: true }))
}

/// The store, if the caller's workspace has it.
pub(super) async fn find(
    state: &ApiState,
    principal: &crate::traits::search::Principal,
    id: VectorStoreId,
) -> Result<VectorStore, ApiError> {
    state.parts.vector_stores.vector_store(principal.workspace, id.0).await?.ok_or_else(VectorStoreId::unknown)
}

fn days(expiry: Option<StoreExpiry>) -> Result<Option<u32>, ApiError> {
    let Some(StoreExpiry { anchor: StoreAnchor::LastActiveAt, days }) = expiry else { return Ok(None) };
    if DAYS.contains(&days) {
        return Ok(Some(days));
    }
    Err(ApiError::invalid("expires_after.days", format!("expires_after.days is {days}; it must be 1 to 365")))
}

fn check_text(param: &str, text: &str, most: usize) -> Result<(), ApiError> {
    if text.chars().nth(most).is_none() && !text.contains('\0') {
        return Ok(());
    }
    Err(ApiError::invalid(param, format!("{param} must have at most {most} characters, none of them NUL")))
}
