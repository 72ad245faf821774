//! The outermost layer: a request id on every answer, one log line for each error, one count for each request. A panic in a
//! handler ends here as an answer like any other, and the rest of a refused body is read.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tracing::{
    Instrument, Span,
    field::{Empty, display},
};

use super::{
    error::{ApiError, Cause},
    ids, remains,
    state::ApiState,
};
use crate::telemetry::{propagation::Trace, stage, traces::UNTRACED};

/// The header of the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A caller's id may be this long.
const MOST_ID_BYTES: usize = 128;
/// Routes that are asked every few seconds, and by nobody who would look for the trace.
const UNTRACED_ROUTES: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// The metric label of a request that no route matches.
const NO_ROUTE: &str = "none";

/// Names the request, runs it, and tells of its end.
pub(super) async fn observe(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = span(&id, &method, &route);
    let trace = Trace::begin(&span, Some(request.headers()));
    let begun = Instant::now();
    let answering = remains::read(request, |request| caught(next.run(request)));
    let mut response = answering.instrument(span).await;
    let status = response.status();
    let milliseconds = begun.elapsed().as_secs_f64() * 1_000.0;
    state.parts.metrics.http_requests.with_label_values(&[route.as_str(), status.as_str()]).inc();
    let error = response.extensions().get::<ApiError>();
    match error {
        Some(error) => log_error(error, &id, method.as_str(), &route, trace.as_ref()),
        None => tracing::debug!(
            request.id = %id, http.response.status_code = status.as_u16(), duration_ms = milliseconds,
            "{method} {route} was answered {status}",
        ),
    }
    if let Some(trace) = trace {
        let code = error.filter(|_| status.is_server_error()).map(|error| error.code.word());
        trace.end(status.as_u16(), code);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The span of a request. Those for probes and figures are not traced.
fn span(id: &str, method: &Method, route: &str) -> Span {
    if UNTRACED_ROUTES.contains(&route) {
        return tracing::info_span!(target: UNTRACED, "request", request.id = %id, http.request.method = %method, http.route = %route);
    }
    tracing::info_span!("request", request.id = %id, http.request.method = %method, http.route = %route, trace_id = Empty)
}

/// Turns the panic of a handler into an answer. What is read of its body afterwards stands behind a lock that may be poisoned.
async fn caught(answering: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(panicked)
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    #[derive(Debug, thiserror::Error)]
    #[error("a handler panicked: {0}")]
    struct Panicked(String);

    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    ApiError::internal().because(Panicked(said.unwrap_or_else(|| "it said nothing".into()))).into_response()
}

/// Tells of an answer that broke off after its head was sent: its status says nothing of it. Within the request's span.
pub(super) fn log_broken(error: &ApiError) {
    let code = error.code.word();
    let cause = error.cause.as_ref().map(chain);
    let cause = cause.as_deref();
    if error.code.status().is_server_error() {
        stage::fail(&Span::current(), code.clone());
        tracing::error!(error.code = %code, error.cause = cause, "an answer broke off with {code} while it was written");
    } else {
        tracing::info!(error.code = %code, error.cause = cause, "an answer was refused with {code} while it was written");
    }
}

/// The caller's own id where it has one that can be logged as it is, else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let usable = |id: &&str| {
        (1..=MOST_ID_BYTES).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    given.filter(usable).map_or_else(|| format!("req_{}", ids::quick_id()), str::to_owned)
}

fn log_error(error: &ApiError, id: &str, method: &str, route: &str, trace: Option<&Trace>) {
    let trace_id = trace.map(|trace| display(trace.id));
    let status = error.code.status();
    let code = error.code.word();
    let cause = error.cause.as_ref().map(chain);
    let cause = cause.as_deref();
    if status.is_server_error() {
        tracing::error!(
            request.id = %id, trace_id, http.response.status_code = status.as_u16(), error.code = %code, error.cause = cause,
            "{method} {route} failed with {code}",
        );
    } else {
        tracing::info!(
            request.id = %id, trace_id, http.response.status_code = status.as_u16(), error.code = %code,
            error.param = error.param.as_deref(), error.cause = cause,
            "{method} {route} was refused with {code}",
        );
    }
}

/// The cause and its causes, as one line.
fn chain(cause: &Cause) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
