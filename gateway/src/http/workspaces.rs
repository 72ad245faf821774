//! `/v1/workspaces`: make, list, show and delete workspaces. For the administrator's key; what is in a workspace is reached by its own
//! keys alone.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    body::JsonBody,
    error::{ApiError, ErrorBody, ErrorCode},
    ids::PublicId,
    params::{PathId, QueryString},
    search::check_limit,
    state::ApiState,
};
use crate::traits::workspaces::{FIRST_WORKSPACE, Workspace, WorkspaceName};

/// Entries on a page that names no limit.
pub(super) const PAGE: u32 = 20;
/// Entries on a page.
pub(super) const MOST_ON_PAGE: u32 = 100;

/// A workspace to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWorkspaceBody {
    /// 1 to 63 characters a-z, 0-9 and -, neither beginning nor ending with -.
    #[schema(example = "team-a", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    name: String,
}

/// A workspace: documents and keys that no other workspace sees.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct WorkspaceView {
    #[schema(example = "team-a")]
    pub name: String,
    #[schema(example = "workspace")]
    pub object: String,
    /// `active`, or `deleting`: its keys are gone and its documents are being removed.
    #[schema(example = "active")]
    pub status: String,
    pub created_at: DateTime<Utc>,
}

impl From<Workspace> for WorkspaceView {
    fn from(workspace: Workspace) -> Self {
        let Workspace { name, created_at, deleting } = workspace;
        let status = if deleting { "deleting" } else { "active" };
        Self { name, object: "workspace".into(), status: status.into(), created_at }
    }
}

/// A page of workspaces by name.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct WorkspaceList {
    #[schema(example = "list")]
    pub object: String,
    pub data: Vec<WorkspaceView>,
    /// Name of the first.
    pub first_id: Option<String>,
    /// Name of the last: the next page's `after`.
    pub last_id: Option<String>,
    pub has_more: bool,
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WorkspacePage {
    /// Workspaces on the page, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The last name of the page before.
    after: Option<String>,
}

/// Makes a workspace. It has no key yet.
#[utoipa::path(post, path = "/v1/workspaces", tag = "workspaces", operation_id = "create_workspace", request_body = NewWorkspaceBody,
    responses((status = 201, body = WorkspaceView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn create(
    State(state): State<Arc<ApiState>>,
    JsonBody(body): JsonBody<NewWorkspaceBody>,
) -> Result<(StatusCode, Json<WorkspaceView>), ApiError> {
    let name = checked("name", &body.name)?;
    let made = state.parts.workspaces.create_workspace(&name).await?.ok_or_else(|| {
        let message = format!("there is a workspace {name}, or it is still being deleted");
        ApiError::new(ErrorCode::WorkspaceExists, message).of("name")
    })?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Lists the workspaces of the pipeline by name.
#[utoipa::path(get, path = "/v1/workspaces", tag = "workspaces", operation_id = "list_workspaces", params(WorkspacePage),
    responses((status = 200, body = WorkspaceList), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    QueryString(page): QueryString<WorkspacePage>,
) -> Result<Json<WorkspaceList>, ApiError> {
    check_limit(page.limit, MOST_ON_PAGE)?;
    let after = page.after.as_deref().map(|after| checked("after", after)).transpose()?;
    let found = state.parts.workspaces.workspaces(after.as_ref(), page.limit.unwrap_or(PAGE)).await?;
    let data: Vec<WorkspaceView> = found.items.into_iter().map(Into::into).collect();
    Ok(Json(WorkspaceList {
        object: "list".into(),
        first_id: data.first().map(|workspace| workspace.name.clone()),
        last_id: data.last().map(|workspace| workspace.name.clone()),
        data,
        has_more: found.has_more,
    }))
}

/// Shows a workspace; one that is being deleted is shown until it is gone.
#[utoipa::path(get, path = "/v1/workspaces/{name}", tag = "workspaces", operation_id = "show_workspace",
    params(("name" = String, Path, description = "Name of the workspace.", example = "team-a")),
    responses((status = 200, body = WorkspaceView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn show(
    State(state): State<Arc<ApiState>>,
    PathId(name): PathId<WorkspaceName>,
) -> Result<Json<WorkspaceView>, ApiError> {
    let found = state.parts.workspaces.find(&name).await?;
    found.map(|workspace| Json(workspace.into())).ok_or_else(WorkspaceName::unknown)
}

/// Deletes a workspace with all that it holds. Its keys end at once; its documents are removed in the background.
#[utoipa::path(delete, path = "/v1/workspaces/{name}", tag = "workspaces", operation_id = "delete_workspace",
    params(("name" = String, Path, description = "Name of the workspace.", example = "team-a")),
    responses((status = 202, body = WorkspaceView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<Arc<ApiState>>,
    PathId(name): PathId<WorkspaceName>,
) -> Result<(StatusCode, Json<WorkspaceView>), ApiError> {
    if name.as_str() == FIRST_WORKSPACE {
        let message = format!("the workspace {FIRST_WORKSPACE} cannot be deleted: the first key lives there");
        return Err(ApiError::new(ErrorCode::WorkspaceNeeded, message).of("name"));
    }
    // Read first: it may be gone before it could be read again.
    let found = state.parts.workspaces.find(&name).await?.ok_or_else(WorkspaceName::unknown)?;
    if !state.parts.workspaces.delete_workspace(&name).await? {
        return Err(WorkspaceName::unknown());
    }
    Ok((StatusCode::ACCEPTED, Json(Workspace { deleting: true, ..found }.into())))
}

fn checked(param: &str, name: &str) -> Result<WorkspaceName, ApiError> {
    name.parse().map_err(|error| ApiError::invalid(param, format!("{param}: {error}")))
}
