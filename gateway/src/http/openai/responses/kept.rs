//! Responses that were kept: shown, taken apart, cancelled, deleted.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::ResponseView;
use crate::{
    http::{
        error::{ApiError, ErrorBody, ErrorCode},
        ids::{PublicId, ResponseId},
        openai::parameters::unsupported,
        params::{Caller, PathId},
        state::ApiState,
    },
    traits::{
        responses::{Role, Said, StoredResponse},
        search::WorkspaceId,
    },
};

/// Items on a page when nothing else is asked for, and at most.
const ITEMS: usize = 20;
const MOST_ITEMS: usize = 100;
/// Seconds after its deadline by which a response is ended by whoever writes it. Later nobody does.
const GRACE_SECONDS: i64 = 60;

/// A response that is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedResponseView {
    id: ResponseId,
    #[schema(example = "response")]
    object: &'static str,
    deleted: bool,
}

/// Messages that came with a response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputItemsView {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<InputItemView>,
    /// Empty on a page without items.
    first_id: String,
    last_id: String,
    has_more: bool,
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputItemView {
    #[schema(example = "msg_0198f2a4-9d34-7a66-8c25-3e4f5a6b7c8d")]
    id: String,
    #[serde(rename = "type")]
    #[schema(example = "message")]
    kind: String,
    #[schema(example = "user")]
    role: String,
    status: String,
    /// One part of type `input_text`, or `output_text` for what the assistant said.
    #[schema(value_type = Vec<Object>)]
    content: Vec<Value>,
}

/// Shows a response.
#[utoipa::path(get, path = "/v1/responses/{id}", tag = "openai",
    params(("id" = ResponseId, Path), ("include" = Option<String>, Query, description = "Accepted: what was included stays so.")),
    responses((status = 200, body = ResponseView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<ResponseId>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, ApiError> {
    for (name, value) in &query {
        match name.as_str() {
            "include" | "include[]" | "include_obfuscation" => {}
            "stream" if value == "false" => {}
            "stream" | "starting_after" => {
                return Err(unsupported(name, "a response is streamed while it is written, not later"));
            }
            _ => return Err(unknown_parameter(name)),
        }
    }
    Ok(Json(kept(&state, principal.workspace, id).await?.body))
}

/// Deletes a response. Those that went on from it stay, and forget what was before.
#[utoipa::path(delete, path = "/v1/responses/{id}", tag = "openai", params(("id" = ResponseId, Path)),
    responses((status = 200, body = DeletedResponseView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<ResponseId>,
) -> Result<Json<DeletedResponseView>, ApiError> {
    if !state.parts.responses.forget(principal.workspace, id.0).await? {
        return Err(ResponseId::unknown());
    }
    Ok(Json(DeletedResponseView { id, object: "response", deleted: true }))
}

/// Cancels a response that is written in the background. One that has ended stays as it is.
#[utoipa::path(post, path = "/v1/responses/{id}/cancel", tag = "openai", params(("id" = ResponseId, Path)),
    responses((status = 200, body = ResponseView), (status = 400, body = ErrorBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<ResponseId>,
) -> Result<Json<Value>, ApiError> {
    let mut response = kept(&state, principal.workspace, id).await?;
    if response.body["background"] != true {
        return Err(ApiError::invalid("id", "only a response that was made with background: true can be cancelled"));
    }
    if response.open {
        response.body["status"] = "cancelled".into();
        if !state.parts.responses.end(principal.workspace, id.0, "", &response.body).await? {
            response = kept(&state, principal.workspace, id).await?;
        }
    }
    Ok(Json(response.body))
}

/// Lists the messages that came with a response; not those of responses that it went on from.
#[utoipa::path(get, path = "/v1/responses/{id}/input_items", tag = "openai",
    params(("id" = ResponseId, Path),
        ("limit" = Option<u32>, Query, description = "1 to 100; 20 when absent.", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`desc`, which it is when absent, or `asc`."),
        ("after" = Option<String>, Query, description = "Items after the one of this id."),
        ("include" = Option<String>, Query, description = "Accepted and ignored.")),
    responses((status = 200, body = InputItemsView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn input_items(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    PathId(id): PathId<ResponseId>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<InputItemsView>, ApiError> {
    let (mut limit, mut ascending, mut after) = (ITEMS, false, None);
    for (name, value) in &query {
        match (name.as_str(), value.as_str()) {
            ("limit", value) => {
                let read = value.parse().ok().filter(|limit| (1..=MOST_ITEMS).contains(limit));
                limit = read.ok_or_else(|| ApiError::invalid("limit", format!("limit must be 1 to {MOST_ITEMS}")))?;
            }
            ("order", "asc") => ascending = true,
            ("order", "desc") => ascending = false,
            ("order", _) => return Err(ApiError::invalid("order", "order must be asc or desc")),
            ("after", value) => after = Some(value.to_owned()),
            ("include" | "include[]", _) => {}
            _ => return Err(unknown_parameter(name)),
        }
    }
    let mut said = kept(&state, principal.workspace, id).await?.input;
    if !ascending {
        said.reverse();
    }
    let mut items: Vec<InputItemView> = said.into_iter().map(Into::into).collect();
    if let Some(after) = after {
        let Some(place) = items.iter().position(|item| item.id == after) else {
            return Err(ApiError::invalid("after", "the response has no item with this id"));
        };
        items.drain(..=place);
    }
    let has_more = items.len() > limit;
    items.truncate(limit);
    let end = |item: Option<&InputItemView>| item.map(|item| item.id.clone()).unwrap_or_default();
    let (first_id, last_id) = (end(items.first()), end(items.last()));
    Ok(Json(InputItemsView { object: "list", data: items, first_id, last_id, has_more }))
}

fn unknown_parameter(name: &str) -> ApiError {
    let name: String = name.chars().take(100).collect();
    ApiError::new(ErrorCode::UnknownField, format!("there is no parameter {name}")).of(name)
}

async fn kept(state: &ApiState, workspace: WorkspaceId, id: ResponseId) -> Result<StoredResponse, ApiError> {
    let mut response = state.parts.responses.response(workspace, id.0).await?.ok_or_else(ResponseId::unknown)?;
    let limit = i64::try_from(state.parts.limits.request_timeout_seconds.0).unwrap_or(i64::MAX);
    let abandoned = |created: i64| chrono::Utc::now().timestamp().saturating_sub(created) > limit.saturating_add(GRACE_SECONDS);
    if response.open && response.body["created_at"].as_i64().is_some_and(abandoned) {
        response.open = false;
        response.body["status"] = "failed".into();
        response.body["error"] = json!({"code": "server_error", "message": "its end was never written down, since a gateway or the database failed; ask again"});
    }
    Ok(response)
}

impl From<Said> for InputItemView {
    fn from(said: Said) -> Self {
        let Said { id, role, text } = said;
        let (role, part) = match role {
            Role::System => ("system", input(text)),
            Role::Developer => ("developer", input(text)),
            Role::User => ("user", input(text)),
            Role::Assistant => ("assistant", json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})),
        };
        Self { id: item_id(id), kind: "message".into(), role: role.into(), status: "completed".into(), content: vec![part] }
    }
}

fn input(text: String) -> Value {
    json!({"type": "input_text", "text": text})
}

fn item_id(id: Uuid) -> String {
    format!("msg_{id}")
}
