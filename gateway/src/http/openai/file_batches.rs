//! `/v1/vector_stores/{id}/file_batches`: files that are put into a vector store together.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Table,
    attributes::attributes,
    chunking::ChunkingStrategy,
    list::ListView,
    polled,
    store_files::{NewStoreFileBody, StoreFileQuery, StoreFileView, attach, page},
    vector_stores::FileCountsView,
};
use crate::{
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody},
        ids::{FileBatchId, FileId, PublicId, VectorStoreId},
        params::{Caller, PathId, PathIds, QueryString},
        state::ApiState,
    },
    traits::{
        ingest::Metadata,
        search::Principal,
        vector_stores::{Attachment, FileBatch},
    },
};

/// Files of one batch.
const MOST_FILES: usize = 2_000;

/// The routes.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(show)).routes(routes!(cancel)).routes(routes!(files))
}

/// Files to be put in. Name them by `file_ids` or by `files`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"file_ids": ["file-0198f2a4-7c02-7e44-b3c4-6e5d4c3b2a18"]}))]
pub(crate) struct NewBatchBody {
    /// At most 2,000, all with the attributes and the strategy below.
    #[schema(max_items = 2_000)]
    file_ids: Option<Vec<FileId>>,
    /// At most 2,000, each with attributes and a strategy of its own.
    #[schema(max_items = 2_000)]
    files: Option<Vec<NewStoreFileBody>>,
    #[schema(value_type = Option<Object>)]
    attributes: Option<Metadata>,
    chunking_strategy: Option<ChunkingStrategy>,
}

/// Files that were put in together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileBatchView {
    id: FileBatchId,
    #[schema(example = "vector_store.files_batch")]
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    vector_store_id: VectorStoreId,
    /// `in_progress` until every file has ended, then `completed`, `cancelled` where that kept a file out, or `failed` where all were.
    #[schema(example = "completed")]
    status: &'static str,
    file_counts: FileCountsView,
}

impl From<FileBatch> for FileBatchView {
    fn from(batch: FileBatch) -> Self {
        let FileBatch { id, store, created_at, files } = batch;
        let status = match (files.in_progress, files.completed, files.failed, files.cancelled) {
            (1.., ..) => "in_progress",
            (0, .., 1..) => "cancelled",
            (0, 0, 1.., 0) => "failed",
            (0, _, _, 0) => "completed",
        };
        Self {
            id: FileBatchId(id),
            object: "vector_store.files_batch",
            created_at: created_at.timestamp(),
            vector_store_id: VectorStoreId(store),
            status,
            file_counts: files.into(),
        }
    }
}

/// Puts files in together.
#[utoipa::path(post, path = "/v1/vector_stores/{id}/file_batches", tag = "openai", operation_id = "create_file_batch",
    params(("id" = VectorStoreId, Path)), request_body = NewBatchBody,
    responses((status = 200, body = FileBatchView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(store): PathId<VectorStoreId>,
    JsonBody(body): JsonBody<NewBatchBody>,
) -> Result<Response, ApiError> {
    let batch = attach(&state, &principal, store, checked(body)?, true).await?.ok_or_else(ApiError::internal)?;
    one(&state, &principal, store, FileBatchId(batch)).await
}

/// Shows how a batch stands.
#[utoipa::path(get, path = "/v1/vector_stores/{id}/file_batches/{batch_id}", tag = "openai", operation_id = "show_file_batch",
    params(("id" = VectorStoreId, Path), ("batch_id" = FileBatchId, Path)),
    responses((status = 200, body = FileBatchView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileBatchId>,
) -> Result<Response, ApiError> {
    one(&state, &principal, store, id).await
}

/// Cancels what of a batch nobody works on yet.
#[utoipa::path(post, path = "/v1/vector_stores/{id}/file_batches/{batch_id}/cancel", tag = "openai", operation_id = "cancel_file_batch",
    params(("id" = VectorStoreId, Path), ("batch_id" = FileBatchId, Path)),
    responses((status = 200, body = FileBatchView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileBatchId>,
) -> Result<Response, ApiError> {
    if !state.parts.vector_stores.cancel_batch(principal.workspace, store.0, id.0).await? {
        return Err(FileBatchId::unknown());
    }
    one(&state, &principal, store, id).await
}

/// Lists the files of a batch.
#[utoipa::path(get, path = "/v1/vector_stores/{id}/file_batches/{batch_id}/files", tag = "openai", operation_id = "list_file_batch_files",
    params(("id" = VectorStoreId, Path), ("batch_id" = FileBatchId, Path), StoreFileQuery),
    responses((status = 200, body = ListView<StoreFileView>), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn files(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileBatchId>,
    QueryString(query): QueryString<StoreFileQuery>,
) -> Result<Json<ListView<StoreFileView>>, ApiError> {
    batch(&state, &principal, store, id).await?;
    page(&state, &principal, store, query.query(Some(id.0))?).await
}

fn checked(body: NewBatchBody) -> Result<Vec<Attachment>, ApiError> {
    let NewBatchBody { file_ids, files, attributes: pairs, chunking_strategy } = body;
    let found = match (file_ids, files) {
        (Some(ids), None) => {
            let pairs = attributes("attributes", pairs)?;
            let chunking = chunking_strategy.map(ChunkingStrategy::checked).transpose()?.flatten();
            let attachment = |id: FileId| Attachment { file: id.0, attributes: pairs.clone(), chunking: chunking.clone() };
            ids.into_iter().map(attachment).collect()
        }
        (None, Some(files)) if pairs.is_none() && chunking_strategy.is_none() => {
            files.into_iter().map(NewStoreFileBody::checked).collect::<Result<Vec<_>, _>>()?
        }
        (None, Some(_)) => {
            let message = "with files, each file has its own attributes and chunking_strategy; leave those of the batch out";
            return Err(ApiError::invalid("files", message));
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(ApiError::invalid("file_ids", "name the files by file_ids or by files, one of them"));
        }
    };
    if found.is_empty() || found.len() > MOST_FILES {
        return Err(ApiError::invalid("file_ids", format!("a batch has 1 to {MOST_FILES} files")));
    }
    Ok(found)
}

async fn batch(state: &ApiState, principal: &Principal, store: VectorStoreId, id: FileBatchId) -> Result<FileBatch, ApiError> {
    state.parts.vector_stores.batch(principal.workspace, store.0, id.0).await?.ok_or_else(FileBatchId::unknown)
}

async fn one(state: &ApiState, principal: &Principal, store: VectorStoreId, id: FileBatchId) -> Result<Response, ApiError> {
    let found = batch(state, principal, store, id).await?;
    let under_way = found.files.in_progress > 0;
    Ok(polled(under_way, Json(FileBatchView::from(found))))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::traits::vector_stores::FileCounts;

    #[test]
    fn the_status_is_that_of_all_files_together() {
        let status = |[in_progress, completed, failed, cancelled]: [u64; 4]| {
            let files = FileCounts { in_progress, completed, failed, cancelled };
            let batch = FileBatch { id: Uuid::nil(), store: Uuid::nil(), created_at: DateTime::UNIX_EPOCH, files };
            FileBatchView::from(batch).status
        };
        for (counts, expected) in [
            ([1, 1, 1, 1], "in_progress"),
            ([0, 2, 0, 0], "completed"),
            ([0, 1, 1, 0], "completed"),
            ([0, 0, 2, 0], "failed"),
            ([0, 0, 0, 2], "cancelled"),
            ([0, 1, 1, 1], "cancelled"),
            // Its files were deleted meanwhile.
            ([0, 0, 0, 0], "completed"),
        ] {
            assert_eq!(status(counts), expected, "{counts:?}");
        }
    }
}
