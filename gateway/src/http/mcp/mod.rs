//! `POST /mcp`: the Model Context Protocol over streamable HTTP, by its own SDK, behind the same key, permits and deadline as every
//! route. Stateless, and answered in JSON: a Service has no session affinity, so a session would be known to one replica alone; and the
//! protocol has none any more since 2026-07-28. `GET` and `DELETE`, which are for sessions, are answered 405, as the protocol asks.

mod call;
mod tools;

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts as Head},
    response::Response,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use self::tools::Tools;
use super::{
    body::JsonBody,
    error::{ApiError, ErrorBody, ErrorCode},
    state::ApiState,
};

/// Bytes of a refusal of the SDK that are looked at.
const MOST_REFUSAL_BYTES: usize = 64 << 10;
/// Characters of one that are passed on.
const MOST_REFUSAL_CHARS: usize = 300;

/// A message of JSON-RPC 2.0: a request, or without `id` a notification.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "search", "arguments": {"query": "How long is the notice period?"}}
}))]
#[expect(dead_code, reason = "only described; the SDK reads it")]
pub(super) struct McpMessage {
    #[schema(example = "2.0", pattern = "^2\\.0$")]
    jsonrpc: String,
    /// A number or a string, which the answer repeats.
    #[schema(value_type = Option<McpId>)]
    id: Option<Value>,
    /// `initialize`, `server/discover`, `ping`, `tools/list`, `tools/call`, or a notification.
    #[schema(example = "tools/list")]
    method: String,
    #[schema(value_type = Option<Object>)]
    params: Option<Value>,
}

/// A number or a string.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(super) enum McpId {
    Number(i64),
    Text(String),
}

/// The answer of JSON-RPC 2.0. A tool that failed is a `result` with `isError`; `error` is for requests that are none.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "jsonrpc": "2.0",
    "id": 1,
    "result": {"content": [{"type": "text", "text": "{\"results\":[]}"}], "structuredContent": {"results": []}, "isError": false}
}))]
#[expect(dead_code, reason = "only described; the SDK writes it")]
pub(super) struct McpAnswer {
    #[schema(example = "2.0")]
    jsonrpc: String,
    #[schema(value_type = Option<McpId>)]
    id: Option<Value>,
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// What is answered to a message that is refused: the gateway's error, or one of the protocol.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(super) enum McpRefusal {
    Gateway(ErrorBody),
    Protocol(McpAnswer),
}

/// Takes a message of the Model Context Protocol. Tools: `search`, `fetch`, `ask`.
#[utoipa::path(post, path = "/mcp", tag = "mcp", operation_id = "mcp", request_body = McpMessage,
    responses((status = 200, description = "The answer to a request.", body = McpAnswer),
        (status = 202, description = "A notification was taken."),
        (status = 400, description = "No message of the protocol, or of a version that is not spoken.", body = McpRefusal),
        (status = 404, description = "The protocol's newer versions answer so where there is no such method.", body = McpRefusal),
        (status = 403, body = ErrorBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn message(
    State(state): State<Arc<ApiState>>,
    mut head: Head,
    JsonBody(message): JsonBody<Value>,
) -> Result<Response, ApiError> {
    check_origin(&head.headers)?;
    // What is answered is JSON in any case, so a client that forgot to say that it takes both kinds is served too.
    let both = HeaderValue::from_static("application/json, text/event-stream");
    head.headers.insert(header::ACCEPT, both);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The SDK asks for it even where it is not compared with anything.
    head.headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
    let bytes = serde_json::to_vec(&message).map_err(|error| ApiError::internal().because(error))?;
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // The key is what keeps strangers out; the gateway cannot know by which names it is reached.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(bytes.len());
    let service =
        StreamableHttpService::new(move || Ok(Tools::new(Arc::clone(&state))), Arc::<NeverSessionManager>::default(), config);
    answered(service.handle(Request::from_parts(head, Body::from(bytes))).await.map(Body::new)).await
}

/// A page in a browser may not speak for the person who looks at it. Programs send no `Origin`.
fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(header::ORIGIN) {
        let message = "/mcp is for programs; a request with an `Origin`, as a browser's page sends it, is refused";
        return Err(ApiError::new(ErrorCode::OriginRefused, message));
    }
    Ok(())
}

/// The SDK's answer; a refusal in bare text becomes one of ours.
async fn answered(response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    let is_json =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if status.is_success() || (is_json && status.is_client_error()) {
        return Ok(response);
    }
    let said = to_bytes(response.into_body(), MOST_REFUSAL_BYTES).await.unwrap_or_default();
    let said: String = String::from_utf8_lossy(&said).chars().take(MOST_REFUSAL_CHARS).collect();
    Err(refusal(status, said))
}

fn refusal(status: StatusCode, said: String) -> ApiError {
    #[derive(Debug, thiserror::Error)]
    #[error("the protocol's library failed: {0}")]
    struct Failed(String);

    if status.is_server_error() {
        return ApiError::internal().because(Failed(said));
    }
    ApiError::new(ErrorCode::InvalidValue, format!("this is no message of the Model Context Protocol: {said}"))
}
