//! `POST /v1/search`: the passages that are nearest to a question.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use ragline_config::SearchMode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    body::JsonBody,
    error::{ApiError, ErrorBody, ErrorCode},
    filter::{self, FilterView},
    params::Caller,
    state::ApiState,
    views::PassageView,
};
use crate::{
    answer::{SearchOutcome, SearchRequest},
    traits::{
        ingest::Metadata,
        search::{Match, SearchPlan},
    },
};

/// A question may have this many characters.
pub(super) const MOST_QUESTION_CHARS: usize = 10_000;
/// Characters of an unknown mode that its refusal repeats.
const MOST_MODE_CHARS: usize = 40;
/// Passages that one search may ask for.
const MOST_RESULTS: u32 = 100;

/// What an answer has around its passages is shorter.
const AROUND_BYTES: usize = 256;

/// A search.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"query": "How long is the notice period?", "limit": 5, "filter": {"department": "legal"}}))]
pub(super) struct SearchBody {
    /// What to look for, at most 10,000 characters.
    query: String,
    /// Passages wanted, 1 to 100; the pipeline's `search.limit` when absent.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// How to search: `vector`, `lexical` or `hybrid`; the pipeline's `search.mode` when absent.
    #[schema(example = "hybrid")]
    mode: Option<String>,
    /// Only passages that pass.
    #[schema(value_type = Option<FilterView>)]
    filter: Option<Metadata>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    threshold: Option<f32>,
}

/// What was found, best first.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct SearchView {
    #[schema(example = "list")]
    pub object: String,
    pub data: Vec<PassageView>,
    /// The way that was searched: the one that was asked for, or `vector` or `lexical` while the other half of `hybrid` is down.
    #[schema(example = "hybrid")]
    pub mode: String,
    /// How the rows were found: `exact`, `ivfflat` or `hnsw`, and `lexical` for a search by words alone.
    #[schema(example = "exact")]
    pub plan: String,
    /// Whether the answer came from the cache.
    pub cache_hit: bool,
    pub took_ms: f64,
}

/// As [`SearchView`], around passages that may have been written before.
#[derive(Serialize)]
struct Sent<'a> {
    object: &'static str,
    data: &'a RawValue,
    mode: &'static str,
    plan: &'static str,
    cache_hit: bool,
    took_ms: f64,
}

/// Searches passages.
#[utoipa::path(post, path = "/v1/search", tag = "search", request_body = SearchBody,
    responses((status = 200, body = SearchView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn search(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<SearchBody>,
) -> Result<Response, ApiError> {
    let SearchOutcome { matches, cache_hit, mode, plan, took_ms, expansion: _ } =
        state.parts.answering.search(&principal, checked(body)?).await?;
    let views = |list: &[Match]| list.iter().cloned().map(PassageView::from).collect::<Vec<_>>();
    let data = matches.sent(views).map_err(|error| ApiError::internal().because(error))?;
    let sent = Sent { object: "list", data, mode: mode.label(), plan: SearchPlan::label(plan), cache_hit, took_ms };
    // The size is known, so that nothing is copied while the answer grows.
    let mut body = Vec::with_capacity(data.get().len() + AROUND_BYTES);
    serde_json::to_writer(&mut body, &sent).map_err(|error| ApiError::internal().because(error))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

pub(super) fn checked(body: SearchBody) -> Result<SearchRequest, ApiError> {
    let SearchBody { query, limit, mode, filter, threshold } = body;
    let mode = checked_mode(mode.as_deref())?;
    check_question("query", &query)?;
    check_limit(limit, MOST_RESULTS)?;
    check_threshold(threshold)?;
    Ok(SearchRequest { query, limit, mode, filter: filter::parse("filter", filter)?, threshold, ..SearchRequest::default() })
}

pub(super) fn checked_mode(mode: Option<&str>) -> Result<Option<SearchMode>, ApiError> {
    let Some(word) = mode else { return Ok(None) };
    let known = SearchMode::from_label(word);
    if known.is_none() {
        let modes = SearchMode::ALL.map(SearchMode::label).join(", ");
        // What was sent may be long; what is sent back is not.
        let word: String = word.chars().take(MOST_MODE_CHARS).collect();
        return Err(
            ApiError::new(ErrorCode::UnsupportedMode, format!("mode {word:?} is not offered; use one of {modes}")).of("mode")
        );
    }
    Ok(known)
}

pub(super) fn check_question(param: &str, text: &str) -> Result<(), ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid(param, format!("{param} is empty")));
    }
    if text.chars().nth(MOST_QUESTION_CHARS).is_some() {
        return Err(ApiError::invalid(param, format!("{param} is longer than {MOST_QUESTION_CHARS} characters")));
    }
    Ok(())
}

pub(super) fn check_limit(limit: Option<u32>, most: u32) -> Result<(), ApiError> {
    match limit {
        Some(limit) if !(1..=most).contains(&limit) => {
            Err(ApiError::invalid("limit", format!("limit is {limit}; it must be 1 to {most}")))
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn check_threshold(threshold: Option<f32>) -> Result<(), ApiError> {
    match threshold {
        Some(threshold) if !(0.0..=1.0).contains(&threshold) => {
            Err(ApiError::invalid("threshold", format!("threshold is {threshold}; it must be 0 to 1")))
        }
        Some(_) | None => Ok(()),
    }
}
