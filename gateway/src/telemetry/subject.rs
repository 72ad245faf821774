//! Whom and what a trace is about: the workspace and the question. Known only after the request has begun, and then told of every span
//! below it, wherever it is opened.

use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::propagation::is_on;
use crate::traits::search::WorkspaceId;

/// What a trip is about. Travels in the context of its spans; the first that is told counts.
#[derive(Debug, Default)]
pub struct Subject {
    workspace: OnceLock<WorkspaceId>,
    query: OnceLock<Uuid>,
}

impl Subject {
    /// Tells whose trip it is.
    pub fn set_workspace(&self, workspace: WorkspaceId) {
        self.workspace.get_or_init(|| workspace);
    }

    /// What is known of it by now, as attributes.
    pub(super) fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        let query = self.query.get().map(|query| KeyValue::new("query_id", query.to_string()));
        let workspace = self.workspace.get().map(|workspace| KeyValue::new("workspace_id", i64::from(workspace.0)));
        query.into_iter().chain(workspace)
    }
}

/// The workspace of the request under way.
pub fn workspace(workspace: WorkspaceId) {
    with_current(|subject| subject.set_workspace(workspace));
}

/// The question of the request under way; its first, where it asks several. An id is made only where it is wanted.
pub fn query(id: impl FnOnce() -> Uuid) {
    with_current(|subject| {
        subject.query.get_or_init(id);
    });
}

fn with_current(note: impl FnOnce(&Subject)) {
    if is_on()
        && let Some(subject) = Span::current().context().get::<Arc<Subject>>()
    {
        note(subject);
    }
}
