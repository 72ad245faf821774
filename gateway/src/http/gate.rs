//! What every request with a key passes before its route: there is room, the key has a holder who may do this, its share is not used up.
//! One layer and not five, since a router clones each layer with all that is below it, for every request.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    auth,
    error::ApiError,
    guard::{self, Permit},
    limits::Standings,
    scopes,
    state::ApiState,
};
use crate::telemetry::subject;

/// To a route that ends within the request's deadline.
pub(super) async fn timed(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    pass(&state, request, |request| guard::in_time(&state, request, next)).await
}

/// To a route that takes as long as the caller's line needs.
pub(super) async fn streamed(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    pass(&state, request, |request| next.run(request)).await
}

async fn pass<F: Future<Output = Response>>(state: &ApiState, request: Request, next: impl FnOnce(Request) -> F) -> Response {
    let permit = match Permit::take(state) {
        Ok(permit) => permit,
        Err(refusal) => return refusal.into_response(),
    };
    let response = admit(state, request, next).await.unwrap_or_else(ApiError::into_response);
    permit.keep_for(response, state.request_timeout())
}

/// The principal goes along as an extension.
async fn admit<F: Future<Output = Response>>(
    state: &ApiState,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Result<Response, ApiError> {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("", MatchedPath::as_str);
    let holder = auth::holder(state, request.headers()).await?;
    scopes::check(holder.scope, request.method(), route)?;
    let principal = Arc::new(holder.principal.clone());
    subject::workspace(principal.workspace);
    let standings = Standings::take(state, &principal, route).await;
    request.extensions_mut().insert(principal);
    let mut response = match standings.refusal(state) {
        Some(refusal) => refusal.into_response(),
        None => guard::unless_given_up(state, route, next(request)).await,
    };
    standings.tell(response.headers_mut());
    Ok(response)
}
