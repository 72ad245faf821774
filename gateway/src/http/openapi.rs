//! The description of the API, generated from the handlers; [`complete`] adds what they have in common.

mod complete;
mod example;

use std::sync::OnceLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{error::ErrorCode, routes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ragline gateway",
        description = "Ingests documents, searches them and answers questions with citations.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("bearer" = [])),
    modifiers(&Extras),
    tags(
        (name = "documents", description = "Documents and the jobs that take them in."),
        (name = "search", description = "Search and answers."),
        (name = "openai", description = "Routes in OpenAI's shape."),
        (name = "mcp", description = "The Model Context Protocol, for agents."),
        (name = "workspaces", description = "Workspaces and keys, for the administrator."),
        (name = "health", description = "Probes, figures and this description. No key is needed."),
        (name = "internal", description = "For the operator.")
    )
)]
pub(super) struct Description;

struct Extras;

impl Modify for Extras {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| format!("`{}` ({})", code.word(), code.status().as_u16())).collect();
        let about = openapi.info.description.get_or_insert_default();
        about.push_str("\n\nEvery answer carries the header `x-request-id`. Error codes: ");
        about.push_str(&codes.join(", "));
        about.push('.');
    }
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "health", operation_id = "show_openapi", security(()), responses((status = 200, body = Object)))]
pub(super) async fn show() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| routes::openapi().to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The whole description, as JSON.
pub(super) fn completed(description: &utoipa::openapi::OpenApi) -> serde_json::Value {
    complete::complete(serde_json::to_value(description).expect("the description holds nothing that JSON lacks"))
}
