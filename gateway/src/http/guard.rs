//! Bounds on requests as such: how many at once and how long. A full house is told at once; nothing queues.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use prometheus::IntGauge;

use super::{
    error::{ApiError, ErrorCode},
    state::ApiState,
};

/// Counts the requests under way, also one that is dropped because its caller went away.
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

/// Lets a request in while there is room.
pub(super) async fn permit(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = Arc::clone(&state.permits).try_acquire_owned() else {
        let message = "as many requests as limits.concurrentRequests allows are under way; try again shortly";
        return ApiError::new(ErrorCode::TooManyRequests, message).after(Duration::from_secs(1)).into_response();
    };
    let _under_way = UnderWay::begin(&state.parts.metrics.http_requests_in_flight);
    next.run(request).await
}

/// Ends a request that takes too long. Dropping it cancels what it waits for.
pub(super) async fn deadline(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let limit = Duration::from(state.parts.limits.request_timeout_seconds);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("the request took longer than {} s (limits.requestTimeoutSeconds)", limit.as_secs());
            ApiError::new(ErrorCode::RequestTimedOut, message).into_response()
        }
    }
}
