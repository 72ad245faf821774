//! `POST /v1/vector_stores/{id}/search`.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Table, attributes::shown, file_reference, store_file_content::StoredTextView, store_files::expired, vector_stores::find,
};
use crate::{
    answer::SearchRequest,
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody},
        filter::{self, FilterView},
        ids::VectorStoreId,
        params::{Caller, PathId},
        search::{check_question, check_threshold},
        state::ApiState,
    },
    traits::{
        ingest::Metadata,
        search::{CollectionId, Match, Principal},
    },
};

/// Passages of a search that names no number, and of any.
const RESULTS: (u32, u32) = (10, 50);
/// Questions of one search.
const MOST_QUERIES: usize = 10;

/// The route.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(search))
}

/// A search of one vector store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"query": "How long is the notice period?", "max_num_results": 5}))]
pub(crate) struct StoreSearchBody {
    /// A question, or up to 10 that are searched each; the best of all are returned.
    query: Queries,
    /// Taken for the sake of clients: questions are searched as they are, and `search_query` says so.
    #[expect(dead_code, reason = "no question is rewritten here")]
    rewrite_query: Option<bool>,
    /// Passages wanted, 1 to 50; 10 when absent.
    #[schema(minimum = 1, maximum = 50)]
    max_num_results: Option<u32>,
    /// Only passages that pass.
    #[schema(value_type = Option<FilterView>)]
    filters: Option<Metadata>,
    ranking_options: Option<RankingOptions>,
}

/// One question or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Queries {
    One(String),
    Many(Vec<String>),
}

/// How passages are ranked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RankingOptions {
    /// `auto`, `none` or `default-2024-11-15`: all mean the pipeline's own ranking.
    #[expect(dead_code, reason = "every ranker means the same here")]
    ranker: Option<Ranker>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    score_threshold: Option<f32>,
}

/// A ranker by its name at OpenAI.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(crate) enum Ranker {
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "none")]
    None,
    #[serde(rename = "default-2024-11-15")]
    Default20241115,
}

/// What was found, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreSearchView {
    #[schema(example = "vector_store.search_results.page")]
    object: &'static str,
    /// What was searched for.
    search_query: Vec<String>,
    data: Vec<StoreResultView>,
    has_more: bool,
    next_page: Option<String>,
}

/// A passage of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreResultView {
    #[schema(example = "file-0198f2a4-7c02-7e44-b3c4-6e5d4c3b2a18")]
    file_id: String,
    filename: String,
    /// How likely it is that the passage is relevant, 0 to 1.
    score: f32,
    #[schema(value_type = Object)]
    attributes: Metadata,
    content: Vec<StoredTextView>,
}

impl From<Match> for StoreResultView {
    fn from(found: Match) -> Self {
        Self {
            file_id: file_reference(&found),
            score: found.score.unwrap_or_default().clamp(0.0, 1.0),
            filename: found.filename,
            attributes: shown(found.metadata),
            content: vec![found.text.into()],
        }
    }
}

/// Searches a vector store.
#[utoipa::path(post, path = "/v1/vector_stores/{id}/search", tag = "openai", operation_id = "search_vector_store",
    params(("id" = VectorStoreId, Path)), request_body = StoreSearchBody,
    responses((status = 200, body = StoreSearchView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn search(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<VectorStoreId>,
    JsonBody(body): JsonBody<StoreSearchBody>,
) -> Result<Json<StoreSearchView>, ApiError> {
    let (queries, request) = checked(body)?;
    let collection = collection(&state, &principal, id).await?;
    let mut best: HashMap<i64, Match> = HashMap::new();
    for query in &queries {
        let request = SearchRequest { query: query.clone(), collections: vec![collection], ..request.clone() };
        for found in state.parts.answering.search(&principal, request).await?.matches.into_vec() {
            let known = best.entry(found.chunk_id).or_insert_with(|| found.clone());
            if found.score > known.score {
                *known = found;
            }
        }
    }
    let mut matches: Vec<Match> = best.into_values().collect();
    matches.sort_by(|a, b| b.score.unwrap_or_default().total_cmp(&a.score.unwrap_or_default()).then(a.chunk_id.cmp(&b.chunk_id)));
    matches.truncate(request.limit.unwrap_or(RESULTS.0) as usize);
    Ok(Json(StoreSearchView {
        object: "vector_store.search_results.page",
        search_query: queries,
        data: matches.into_iter().map(Into::into).collect(),
        has_more: false,
        next_page: None,
    }))
}

/// What is searched for, and the search without it.
fn checked(body: StoreSearchBody) -> Result<(Vec<String>, SearchRequest), ApiError> {
    let StoreSearchBody { query, rewrite_query: _, max_num_results, filters, ranking_options } = body;
    let RankingOptions { ranker: _, score_threshold } = ranking_options.unwrap_or_default();
    let queries = match query {
        Queries::One(query) => vec![query],
        Queries::Many(queries) => queries,
    };
    if queries.is_empty() || queries.len() > MOST_QUERIES {
        return Err(ApiError::invalid("query", format!("query takes 1 to {MOST_QUERIES} questions")));
    }
    for query in &queries {
        check_question("query", query)?;
    }
    let (usual, most) = RESULTS;
    let limit = max_num_results.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        return Err(ApiError::invalid("max_num_results", format!("max_num_results is {limit}; it must be 1 to {most}")));
    }
    check_threshold(score_threshold).map_err(|error| error.of("ranking_options.score_threshold"))?;
    let filter = filter::parse("filters", filters)?;
    Ok((queries, SearchRequest { limit: Some(limit), filter, threshold: score_threshold, ..SearchRequest::default() }))
}

/// The collection of a store that can be searched.
async fn collection(state: &ApiState, principal: &Principal, id: VectorStoreId) -> Result<CollectionId, ApiError> {
    let found = state.parts.vector_stores.collections(principal.workspace, &[id.0]).await?;
    if let Some(collection) = found.into_iter().next().flatten() {
        return Ok(collection);
    }
    find(state, principal, id).await?;
    Err(expired())
}
