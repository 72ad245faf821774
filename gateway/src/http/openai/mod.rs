//! Routes in OpenAI's shape, which OpenAI's own clients speak unmodified. Each file has a table of its routes.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::state::ApiState;

mod embeddings;

type Table = OpenApiRouter<Arc<ApiState>>;

/// Routes that end within the request's deadline.
pub(super) fn timed() -> Table {
    embeddings::table()
}
