//! How a response comes to be, and how it is kept.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    tools::FileSearchBody,
    view::{
        FailureView, IncompleteView, ItemView, MessageView, ResponseView, ResultView, SearchCallView, TextPartView, citations,
        usage,
    },
};
use crate::{
    answer::{AnswerOutcome, Citation},
    http::{
        error::{ApiError, ErrorCode},
        ids::ResponseId,
        openai::sources::RaglineView,
        state::ApiState,
    },
    traits::{
        generator::Finish,
        responses::{ResponseStore, Said, StoredResponse},
        search::{StoreError, WorkspaceId},
    },
};

/// The store may take this long for one response: whoever waits for one that has gone silent holds the place of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A response that comes to be.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) view: ResponseView,
    pub(super) store: bool,
    pub(super) input: Vec<Said>,
    /// Where the tool was asked for.
    search: Option<SearchCallView>,
    with_results: bool,
    pub(super) message_id: String,
    answer: String,
}

/// Where a response is kept.
#[derive(Clone, Debug)]
pub(super) struct Keeping {
    store: Arc<dyn ResponseStore>,
    workspace: WorkspaceId,
}

impl Draft {
    pub(super) fn new(model: String, input: Vec<Said>, tool: Option<FileSearchBody>, with_results: bool) -> Self {
        let search = tool.is_some().then(SearchCallView::new);
        let view = ResponseView::new(model, tool);
        let message_id = format!("msg_{}", Uuid::now_v7());
        Self { view, store: true, input, search, with_results, message_id, answer: String::new() }
    }

    /// Where this one is kept.
    pub(super) fn keeping(&self, state: &ApiState, workspace: WorkspaceId) -> Keeping {
        Keeping { store: Arc::clone(&state.parts.responses), workspace }
    }

    /// The question that is looked for.
    pub(super) fn asks(&mut self, question: &str) {
        if let Some(search) = &mut self.search {
            search.queries = vec![question.to_owned()];
        }
    }

    pub(super) fn search(&self) -> Option<&SearchCallView> {
        self.search.as_ref()
    }

    /// What was found.
    pub(super) fn found(&mut self, model: String, sources: &[Citation]) {
        self.view.model = model;
        let Some(search) = &mut self.search else { return };
        search.status = "completed";
        search.results = self.with_results.then(|| sources.iter().map(ResultView::of).collect());
        self.view.output = vec![ItemView::Search(search.clone())];
    }

    /// The message before its text.
    pub(super) fn message(&self) -> MessageView {
        MessageView::of(self.message_id.clone(), "in_progress", Vec::new())
    }

    /// The whole answer.
    pub(super) fn end(&mut self, outcome: &AnswerOutcome) {
        let annotations = citations(&outcome.marks, &outcome.citations);
        let status = match outcome.finish {
            Finish::Stop => "completed",
            Finish::Length => "incomplete",
        };
        let part = TextPartView::of(outcome.answer.clone(), annotations);
        self.view.output.push(ItemView::Message(MessageView::of(self.message_id.clone(), status, vec![part])));
        self.answer.clone_from(&outcome.answer);
        self.view.status = status;
        self.view.incomplete_details = (status == "incomplete").then_some(IncompleteView { reason: "max_output_tokens" });
        self.view.completed_at = (status == "completed").then(|| chrono::Utc::now().timestamp());
        self.view.model.clone_from(&outcome.model);
        self.view.usage = Some(usage(outcome.usage));
        self.view.ragline = Some(RaglineView::of(outcome));
    }

    /// The last item of the output: the message.
    pub(super) fn written(&self) -> Value {
        self.view.output.last().map_or(Value::Null, |item| json!(item))
    }

    /// There is no answer.
    pub(super) fn fail(&mut self, error: &ApiError) {
        let limited = matches!(error.code, ErrorCode::ProviderRateLimited | ErrorCode::TooManyRequests);
        let code = if limited { "rate_limit_exceeded" } else { "server_error" };
        self.view.status = "failed";
        self.view.error = Some(FailureView { code, message: error.message.clone() });
    }

    /// The kind of the event that tells of the end.
    pub(super) fn ending(&self) -> &'static str {
        match self.view.status {
            "incomplete" => "response.incomplete",
            "failed" => "response.failed",
            _ => "response.completed",
        }
    }
}

impl Keeping {
    /// Keeps what the caller wants to come back to.
    pub(super) async fn keep(&self, draft: &Draft) -> Result<(), StoreError> {
        if !draft.store {
            return Ok(());
        }
        let response = StoredResponse {
            id: draft.view.id.0,
            previous: draft.view.previous_response_id.map(|id| id.0),
            open: draft.view.status == "in_progress",
            input: draft.input.clone(),
            answer: draft.answer.clone(),
            body: rendered(&draft.view)?,
        };
        within(self.store.keep(self.workspace, &response)).await
    }

    /// Whether somebody still waits for it: it was neither cancelled nor deleted.
    pub(super) async fn is_open(&self, id: ResponseId) -> Result<bool, StoreError> {
        Ok(within(self.store.response(self.workspace, id.0)).await?.is_some_and(|kept| kept.open))
    }

    /// Ends one that was kept while it was written. `false`: it was cancelled or deleted.
    pub(super) async fn end(&self, draft: &Draft) -> Result<bool, StoreError> {
        within(self.store.end(self.workspace, draft.view.id.0, &draft.answer, &rendered(&draft.view)?)).await
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(PATIENCE, asked).await.unwrap_or(Err(StoreError::TimedOut))
}

/// The same JSON that the caller got: numbers as they are written, not as they are computed with.
fn rendered(view: &ResponseView) -> Result<Value, StoreError> {
    let failed = |source: serde_json::Error| StoreError::Failed { action: "rendering a response", source: source.into() };
    let text = serde_json::to_string(view).map_err(failed)?;
    serde_json::from_str(&text).map_err(failed)
}
