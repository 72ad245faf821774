//! What a key must be allowed for each route: the one place where it is decided. A route that nobody thought of takes the more.

use axum::http::Method;
use utoipa::openapi::{OpenApi, SecurityRequirement, path::Operation};

use super::error::{ApiError, ErrorCode};
use crate::traits::workspaces::Scope;

/// Routes that search or ask a model, and change nothing.
const SEARCHING: [&str; 10] = [
    "/v1/search",
    "/v1/answers",
    "/v1/embeddings",
    "/v1/vector_stores/{id}/search",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/rerank",
    "/v2/rerank",
    "/mcp",
];
/// It ends what may be begun with a key that reads.
const CANCEL: &str = "/v1/responses/{id}/cancel";
/// Routes that begin so are the administrator's.
const MANAGING: [&str; 3] = ["/v1/workspaces", "/v1/keys", "/internal/"];

/// The least scope that the route takes.
pub(super) fn required(method: &Method, route: &str) -> Scope {
    if MANAGING.iter().any(|beginning| route.starts_with(beginning)) {
        return Scope::Admin;
    }
    let reads = method == Method::GET || method == Method::HEAD || searches(route) || route == CANCEL;
    if reads { Scope::Read } else { Scope::Write }
}

/// Whether the route searches or asks a model. All others do nothing but read and write in the database.
pub(super) fn searches(route: &str) -> bool {
    SEARCHING.contains(&route)
}

/// Refuses a key that may not do what the route does.
pub(super) fn check(held: Scope, method: &Method, route: &str) -> Result<(), ApiError> {
    let required = required(method, route);
    if held >= required {
        return Ok(());
    }
    Err(match required {
        Scope::Admin => ApiError::new(ErrorCode::AdminRequired, "this route needs an administrator's API key"),
        Scope::Write | Scope::Read => {
            ApiError::new(ErrorCode::WriteRequired, "this API key may only read; this route needs one of scope `write`")
        }
    })
}

/// Writes the scope to each operation but those that need no key.
pub(super) fn describe(openapi: &mut OpenApi) {
    for (path, item) in &mut openapi.paths.paths {
        let methods: [(Method, &mut Option<Operation>); 6] = [
            (Method::GET, &mut item.get),
            (Method::HEAD, &mut item.head),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation.as_mut().filter(|operation| operation.security.is_none()) {
                let scope = required(&method, path).word();
                operation.security = Some(vec![SecurityRequirement::new("bearer", [scope])]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_nobody_thought_of_takes_the_more() {
        assert_eq!(required(&Method::PATCH, "/v1/new"), Scope::Write);
        assert_eq!(required(&Method::POST, "/v1/search/new"), Scope::Write);
        assert_eq!(required(&Method::GET, "/v1/workspaces/{name}/new"), Scope::Admin);
        assert_eq!(required(&Method::GET, "/v1/new"), Scope::Read);
    }

    #[test]
    fn a_scope_too_small_is_refused_by_its_own_code() {
        let code = |held, method: Method, route| check(held, &method, route).err().map(|error| error.code);
        assert_eq!(code(Scope::Read, Method::DELETE, "/v1/documents/{id}"), Some(ErrorCode::WriteRequired));
        assert_eq!(code(Scope::Write, Method::DELETE, "/v1/documents/{id}"), None);
        assert_eq!(code(Scope::Write, Method::DELETE, "/v1/keys/{id}"), Some(ErrorCode::AdminRequired));
        assert_eq!(code(Scope::Admin, Method::DELETE, "/v1/keys/{id}"), None);
        assert_eq!(code(Scope::Read, Method::POST, "/v1/search"), None);
    }
}
