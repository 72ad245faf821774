//! The table of routes. Every route is added by `routes!`, which describes it in `/openapi.json` too. All need a key but those of
//! [`open`]; what a key must be allowed for a route is decided in [`super::scopes`].

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, http::Method, http::Uri, middleware::from_fn_with_state};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers, documents,
    error::{ApiError, ErrorCode},
    gate, health, index, jobs, keys, mcp, observe, openai, openapi, rerank, scopes, search,
    state::ApiState,
    workspaces,
};

type Table = OpenApiRouter<Arc<ApiState>>;

/// What every process answers, whatever its roles.
fn health() -> Table {
    OpenApiRouter::with_openapi(openapi::Description::openapi())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// Routes that anybody may call; never refused for want of room.
fn open() -> Table {
    health().routes(routes!(openapi::show))
}

/// Routes that end within the request's deadline.
fn timed() -> Table {
    OpenApiRouter::new()
        .routes(routes!(documents::list))
        .routes(routes!(documents::rechunk))
        .routes(routes!(documents::show, documents::delete))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::cancel))
        .routes(routes!(search::search))
        .routes(routes!(answers::answer))
        .routes(routes!(index::show))
        .routes(routes!(workspaces::create, workspaces::list))
        .routes(routes!(workspaces::show, workspaces::delete))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::revoke))
        .routes(routes!(rerank::rerank))
        .routes(routes!(rerank::rerank_v2))
        .routes(routes!(mcp::message))
        .merge(openai::timed())
}

/// The upload takes as long as the caller's line needs; its deadline counts from one piece to the next.
fn streamed() -> Table {
    OpenApiRouter::new().routes(routes!(documents::upload)).merge(openai::streamed())
}

/// The whole API.
pub fn router(state: Arc<ApiState>) -> Router {
    let guarded = streamed()
        .route_layer(DefaultBodyLimit::disable())
        .route_layer(from_fn_with_state(Arc::clone(&state), gate::streamed))
        .merge(timed().route_layer(from_fn_with_state(Arc::clone(&state), gate::timed)));
    finished(open().merge(guarded), state)
}

/// The routes of a process that does not answer the API.
pub fn probes(state: Arc<ApiState>) -> Router {
    finished(health(), state)
}

fn finished(table: Table, state: Arc<ApiState>) -> Router {
    let (router, _) = table.split_for_parts();
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&state), observe::observe))
        .with_state(state)
}

/// The description of the whole API.
pub fn openapi() -> serde_json::Value {
    let mut description = open().merge(timed()).merge(streamed()).into_openapi();
    scopes::describe(&mut description);
    openapi::completed(&description)
}

/// Routes of OpenAI's that a path of ours with an id would answer for, and why they are not there.
const ABSENT: [(&str, &str); 1] = [(
    "/v1/responses/compact",
    "a conversation is fitted to the model by itself, and nothing here makes an item that stands for one; go on with previous_response_id",
)];

async fn unknown_route(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(ErrorCode::UnknownRoute, format!("there is no route {method} {path}; see /openapi.json"))
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    if let Some((path, why)) = ABSENT.iter().find(|(path, _)| *path == uri.path()) {
        return ApiError::new(ErrorCode::UnknownRoute, format!("there is no route {method} {path}: {why}"));
    }
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(ErrorCode::MethodNotAllowed, format!("{path} does not take {method}; see /openapi.json"))
}
