//! Bounds on requests as such: how many at once and how long. A full house is told at once; nothing queues. An answer whose body is
//! written bit by bit counts until its body ends.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus::IntGauge;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

use super::{
    error::{ApiError, ErrorCode},
    held::Held,
    scopes,
    state::ApiState,
};

/// Counts the requests under way, also one that is dropped because its caller went away.
pub(super) struct UnderWay(IntGauge);

impl UnderWay {
    pub(super) fn begin(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// When the request must have been answered, its body included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(pub(super) Instant);

impl FromRequestParts<Arc<ApiState>> for Deadline {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<ApiState>) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(ApiError::internal)
    }
}

/// Lets a request in while there is room. A body that is still to be written keeps its place, but no longer than a request may take:
/// a caller who stops reading must not keep others out.
pub(super) async fn permit(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let Ok(permit) = Arc::clone(&state.permits).try_acquire_owned() else {
        let message = "as many requests as limits.concurrentRequests allows are under way; try again shortly";
        return ApiError::new(ErrorCode::TooManyRequests, message).after(Duration::from_secs(1)).into_response();
    };
    let under_way = UnderWay::begin(&state.parts.metrics.http_requests_in_flight);
    let response = next.run(request).await;
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let limit = Duration::from(state.parts.limits.request_timeout_seconds);
    let (ended, end) = oneshot::channel::<()>();
    tokio::spawn(async move {
        // Resolves with an error once the body is dropped, which is all that is waited for.
        let _ = timeout(limit, end).await;
        drop((permit, under_way));
    });
    response.map(|body| Body::new(Held::new(body, ended)))
}

/// Ends a request that takes too long. Dropping it cancels what it waits for. What is written after the head ends itself by the
/// [`Deadline`].
pub(super) async fn deadline(State(state): State<Arc<ApiState>>, mut request: Request, next: Next) -> Response {
    let limit = Duration::from(state.parts.limits.request_timeout_seconds);
    let until = Instant::now() + limit;
    request.extensions_mut().insert(Deadline(until));
    match timeout_at(until, next.run(request)).await {
        Ok(response) => response,
        Err(_) => timed_out(limit).into_response(),
    }
}

/// Ends a request that waits for a database which has gone silent, as when its node is cut off: the connection stands, and nothing would
/// end it. Routes that search bound what they wait for themselves, since replicas or a model may go on with them.
pub(super) async fn unless_given_up(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if scopes::searches(route) {
        return next.run(request).await;
    }
    tokio::select! {
        biased;
        response = next.run(request) => response,
        error = state.parts.directory.given_up() => ApiError::from(error).into_response(),
    }
}

/// What the caller of a request that took too long is told.
pub(super) fn timed_out(limit: Duration) -> ApiError {
    let message = format!("the request took longer than {} s (limits.requestTimeoutSeconds)", limit.as_secs());
    ApiError::new(ErrorCode::RequestTimedOut, message)
}
