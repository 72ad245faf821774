//! Bounds on requests as such: how many at once and how long. A full house is told at once; nothing queues. An answer whose body is
//! written bit by bit counts until its body ends.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequestParts, Request},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus::IntGauge;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::{
    error::{ApiError, ErrorCode},
    held::Held,
    scopes,
    state::ApiState,
};

/// Counts the requests under way, also one that is dropped because its caller went away.
#[derive(Debug)]
struct UnderWay(IntGauge);

impl UnderWay {
    fn begin(gauge: &IntGauge) -> Self {
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

/// A place among the requests under way.
#[derive(Debug)]
pub(super) struct Permit {
    _permit: OwnedSemaphorePermit,
    _under_way: UnderWay,
}

impl Permit {
    /// Lets a request in while there is room.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn take(state: &ApiState) -> Result<Self, ApiError> {
        let Ok(permit) = Arc::clone(&state.permits).try_acquire_owned() else {
            let message = "as many requests as limits.concurrentRequests allows are under way; try again shortly";
            return Err(ApiError::new(ErrorCode::TooManyRequests, message).after(Duration::from_secs(1)));
        };
        Ok(Self { _permit: permit, _under_way: UnderWay::begin(&state.parts.metrics.http_requests_in_flight) })
    }

    /// A body that is still to be written keeps its place, but no longer than a request may take: a caller who stops reading must not
    /// keep others out.
    pub(super) fn keep_for(self, response: Response, limit: Duration) -> Response {
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        let (ended, end) = oneshot::channel::<()>();
        tokio::spawn(async move {
            // Resolves with an error once the body is dropped, which is all that is waited for.
            let _ = timeout(limit, end).await;
            drop(self);
        });
        response.map(|body| Body::new(Held::new(body, ended)))
    }
}

/// Ends a request that takes too long. Dropping it cancels what it waits for. What is written after the head ends itself by the
/// [`Deadline`].
pub(super) async fn in_time(state: &ApiState, mut request: Request, next: Next) -> Response {
    let limit = state.request_timeout();
    let until = Instant::now() + limit;
    request.extensions_mut().insert(Deadline(until));
    match timeout_at(until, next.run(request)).await {
        Ok(response) => response,
        Err(_) => timed_out(limit).into_response(),
    }
}

/// Ends a request that waits for a database which has gone silent, as when its node is cut off: the connection stands, and nothing would
/// end it. Routes that search bound what they wait for themselves, since replicas or a model may go on with them.
pub(super) async fn unless_given_up(state: &ApiState, route: &str, answering: impl Future<Output = Response>) -> Response {
    if scopes::searches(route) {
        return answering.await;
    }
    tokio::select! {
        biased;
        response = answering => response,
        error = state.parts.directory.given_up() => ApiError::from(error).into_response(),
    }
}

/// What the caller of a request that took too long is told.
pub(super) fn timed_out(limit: Duration) -> ApiError {
    let message = format!("the request took longer than {} s (limits.requestTimeoutSeconds)", limit.as_secs());
    ApiError::new(ErrorCode::RequestTimedOut, message)
}
