//! `/v1/jobs`: how an upload gets on.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{
    error::{ApiError, ErrorBody},
    ids::{JobId, PublicId},
    params::{Caller, PathId},
    state::ApiState,
    views::JobView,
};
use crate::traits::search::WorkspaceId;

/// Shows a job with its files.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "documents", params(("id" = JobId, Path)),
    responses((status = 200, body = JobView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<JobId>,
) -> Result<Json<JobView>, ApiError> {
    find(&state, principal.workspace, id).await.map(Json)
}

/// Cancels the files of a job that have not begun; one under way ends first.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", tag = "documents", params(("id" = JobId, Path)),
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
