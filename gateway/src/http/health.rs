//! The routes that need no key: is the process alive, can it serve, what are its figures.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use prometheus::TextEncoder;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody, ErrorCode},
    state::{ApiState, Parts},
};
use crate::traits::search::ReplicaCount;

/// A verdict is good for this long, so that anybody may ask without burdening the database.
const VERDICT_FOR: Duration = Duration::from_secs(1);
/// A store that has not answered after this is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// The latest verdict.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Result<(), ApiError>)>>);

/// That all is well.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct HealthView {
    #[schema(example = "ok")]
    status: String,
    /// The read replicas, where there are any. They inform: a gateway without one that is healthy searches on the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replicas: Option<ReplicasView>,
}

/// Read replicas of the database.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct ReplicasView {
    configured: usize,
    /// Those that searches go to now.
    healthy: usize,
}

/// Whether the process runs. Looks at nothing else, so a restart is not asked for what a restart cannot mend.
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "live", security(()), responses((status = 200, body = HealthView)))]
pub(super) async fn live() -> Json<HealthView> {
    Json(HealthView { status: "ok".into(), replicas: None })
}

/// Whether requests can be served: the database answers and is the one that this program knows. Where only read replicas answer,
/// searches are served.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "ready", security(()),
    responses((status = 200, body = HealthView), (status = 503, body = ErrorBody)))]
pub(super) async fn ready(State(state): State<Arc<ApiState>>) -> Response {
    if state.parts.shutdown.is_cancelled() {
        return quietly(ApiError::new(ErrorCode::ShuttingDown, "the gateway is shutting down"));
    }
    match state.readiness.verdict(&state.parts).await {
        Ok(()) => {
            let ReplicaCount { configured, healthy } = state.parts.directory.replicas();
            let replicas = (configured > 0).then_some(ReplicasView { configured, healthy });
            Json(HealthView { status: "ready".into(), replicas }).into_response()
        }
        Err(error) => quietly(error),
    }
}

/// The figures in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "show_metrics", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(state): State<Arc<ApiState>>) -> Result<Response, ApiError> {
    let text = TextEncoder::new()
        .encode_to_string(&state.parts.registry.gather())
        .map_err(|error| ApiError::internal().because(error))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

impl Readiness {
    async fn verdict(&self, parts: &Parts) -> Result<(), ApiError> {
        let mut latest = self.0.lock().await;
        if let Some((at, verdict)) = latest.as_ref()
            && at.elapsed() < VERDICT_FOR
        {
            return verdict.clone();
        }
        let verdict = match tokio::time::timeout(PATIENCE, parts.directory.ready()).await {
            Ok(answer) => answer.map_err(ApiError::from),
            Err(_) => Err(ApiError::new(ErrorCode::DatabaseUnavailable, "the database does not answer")),
        };
        let was_ready = latest.as_ref().is_none_or(|(_, verdict)| verdict.is_ok());
        match &verdict {
            Err(error) if was_ready => {
                tracing::error!(error.cause = error.cause.as_ref().map(tracing::field::display), "not ready: {}", error.message);
            }
            Ok(()) if !was_ready => tracing::info!("ready again"),
            Ok(()) | Err(_) => {}
        }
        *latest = Some((Instant::now(), verdict.clone()));
        verdict
    }
}

/// The answer without a log line: probes ask every few seconds, and the change is logged already.
fn quietly(error: ApiError) -> Response {
    let mut response = error.into_response();
    response.extensions_mut().remove::<ApiError>();
    response
}
