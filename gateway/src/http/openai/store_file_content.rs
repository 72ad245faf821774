//! `GET /v1/vector_stores/{id}/files/{file_id}/content`: the text of a file as it is searched.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Table;
use crate::http::{
    error::{ApiError, ErrorBody},
    ids::{FileId, PublicId, VectorStoreId},
    params::{Caller, PathIds, QueryString},
    state::ApiState,
};

/// Chunks whose texts one page of a file's content shows.
const TEXTS: u32 = 1_000;

/// The route.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(content))
}

/// The text of a file as it is searched.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileContentView {
    #[schema(example = "vector_store.file_content.page")]
    object: &'static str,
    data: Vec<StoredTextView>,
    has_more: bool,
    /// The `page` of the next request.
    next_page: Option<String>,
}

/// A text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredTextView {
    #[schema(example = "text")]
    pub(super) r#type: &'static str,
    pub(super) text: String,
}

impl From<String> for StoredTextView {
    fn from(text: String) -> Self {
        Self { r#type: "text", text }
    }
}

/// Which part of a file's text.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContentQuery {
    /// The `next_page` of the page before.
    page: Option<u32>,
}

/// The text of a file of a vector store, chunk by chunk; neighbours overlap.
#[utoipa::path(get, path = "/v1/vector_stores/{id}/files/{file_id}/content", tag = "openai",
    operation_id = "show_vector_store_file_content", params(("id" = VectorStoreId, Path), ("file_id" = FileId, Path), ContentQuery),
    responses((status = 200, body = FileContentView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn content(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathIds(store, id): PathIds<VectorStoreId, FileId>,
    QueryString(query): QueryString<ContentQuery>,
) -> Result<Json<FileContentView>, ApiError> {
    let stores = &state.parts.vector_stores;
    if stores.store_file(principal.workspace, store.0, id.0).await?.is_none() {
        return Err(FileId::unknown());
    }
    let from = query.page.unwrap_or_default();
    let mut texts = stores.texts(principal.workspace, store.0, id.0, from, TEXTS + 1).await?;
    let has_more = texts.len() > TEXTS as usize;
    texts.truncate(TEXTS as usize);
    Ok(Json(FileContentView {
        object: "vector_store.file_content.page",
        data: texts.into_iter().map(Into::into).collect(),
        has_more,
        next_page: has_more.then(|| from.saturating_add(TEXTS).to_string()),
    }))
}
