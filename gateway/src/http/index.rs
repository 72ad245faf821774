//! `GET /internal/index`: how the vector indexes stand, for the operator. Bounded in time and shared between callers.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use moka::future::Cache;
use serde_json::Value;

use super::{
    error::{ApiError, ErrorBody, ErrorCode},
    state::ApiState,
};

/// The latest report.
pub(super) type Reports = Cache<(), Arc<Value>>;

/// A report is good for this long.
const REPORT_FOR: Duration = Duration::from_secs(2);
/// A report may take this long.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn reports() -> Reports {
    Cache::builder().max_capacity(1).time_to_live(REPORT_FOR).build()
}

/// Reports on the vector indexes of all workspaces. For the administrator's key.
#[utoipa::path(get, path = "/internal/index", tag = "internal", operation_id = "show_index",
    responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn show(State(state): State<Arc<ApiState>>) -> Result<Json<Value>, ApiError> {
    #[derive(Debug, thiserror::Error)]
    #[error("the report failed: {0}")]
    struct Failed(String);

    let report = async { state.parts.index.report().await.map(Arc::new) };
    match tokio::time::timeout(PATIENCE, state.reports.try_get_with((), report)).await {
        Ok(Ok(report)) => Ok(Json(Value::clone(&report))),
        Ok(Err(error)) => {
            let message = "the state of the indexes cannot be read; try again shortly";
            Err(ApiError::new(ErrorCode::IndexUnavailable, message).after(REPORT_FOR).because(Failed(format!("{error:?}"))))
        }
        Err(_) => {
            let message = format!("the state of the indexes could not be read within {} s", PATIENCE.as_secs());
            Err(ApiError::new(ErrorCode::IndexUnavailable, message).after(REPORT_FOR))
        }
    }
}
