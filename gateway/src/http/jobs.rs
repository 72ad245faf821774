//! `/v1/jobs`: how an upload gets on.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::{ApiError, ErrorBody},
    ids::{JobId, PublicId},
    params::{Caller, PathId, QueryString},
    search::check_limit,
    state::ApiState,
    views::JobView,
};
use crate::traits::search::WorkspaceId;

/// Files on a page.
const MOST_ON_PAGE: u32 = 1_000;

/// Which files of a job are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Shows files in the order they came, from the one after this number on; 0 begins.
    after: Option<u64>,
    /// Files on such a page, 1 to 1,000; 1,000 when absent.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

/// Shows a job with its files.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "documents", operation_id = "show_job", params(("id" = JobId, Path), Page),
    responses((status = 200, body = JobView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<JobId>,
    QueryString(Page { after, limit }): QueryString<Page>,
) -> Result<Json<JobView>, ApiError> {
    check_limit(limit, MOST_ON_PAGE)?;
    let limit = limit.unwrap_or(MOST_ON_PAGE);
    let mut job = find(&state, principal.workspace, id).await?;
    if let Some(after) = after {
        let files = state.parts.jobs.files(principal.workspace, id.0, after, limit).await?;
        job.files = files.into_iter().map(Into::into).collect();
    }
    job.files.truncate(limit as usize);
    Ok(Json(job))
}

/// Cancels the files of a job that have not begun; one under way ends first.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", tag = "documents", operation_id = "cancel_job", params(("id" = JobId, Path)),
    responses((status = 200, body = JobView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<JobId>,
) -> Result<Json<JobView>, ApiError> {
    state.parts.jobs.cancel(principal.workspace, id.0).await?;
    find(&state, principal.workspace, id).await.map(Json)
}

pub(super) async fn find(state: &ApiState, workspace: WorkspaceId, id: JobId) -> Result<JobView, ApiError> {
    let job = state.parts.jobs.job(workspace, id.0).await?;
    job.map(Into::into).ok_or_else(JobId::unknown)
}
