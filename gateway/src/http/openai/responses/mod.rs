//! `/v1/responses`: answers that can be come back to and gone on from, whole, while they are written, or in the background.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    draft::Draft,
    request::{Checked, ResponseBody},
    view::ResponseView,
    write::EventWriter,
};
use super::{Table, models, stream};
use crate::{
    answer::{AnswerEvent, AnswerEvents},
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody},
        guard::Deadline,
        params::Caller,
        state::ApiState,
    },
};

mod background;
mod count;
mod draft;
mod history;
mod kept;
mod request;
mod tools;
mod view;
mod write;

/// The routes.
pub(super) fn table() -> Table {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(count::count))
        .routes(routes!(kept::show, kept::delete))
        .routes(routes!(kept::cancel))
        .routes(routes!(kept::input_items))
}

/// Answers the last message of the user.
///
/// The answer is made of the passages that the tool `file_search` finds in its vector stores or, without the tool, of those of the whole
/// workspace; with the tool, the output also has what was looked for. Annotations say where each marker `[n]` stands and which file it
/// names. With `previous_response_id`, the conversation up to that response comes before the input, and the last question is understood
/// within it. Responses are kept for 30 days, at most 10,000 of a workspace, unless `store` is false. With `stream`, events as at
/// OpenAI; a failure while it is written comes as `response.failed`.
#[utoipa::path(post, path = "/v1/responses", tag = "openai", request_body = ResponseBody,
    responses((status = 200, content((ResponseView = "application/json"), (String = "text/event-stream"))),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    deadline: Deadline,
    JsonBody(body): JsonBody<ResponseBody>,
) -> Result<Response, ApiError> {
    let model = models::generator(&state, body.model.as_deref().unwrap_or(models::ALIAS))?.to_owned();
    let Checked { asked, mut draft, retrieving, streams } = body.checked(model)?;
    let keeping = draft.keeping(&state, principal.workspace);
    let request = history::question(&state, principal.workspace, asked, &draft).await?;
    draft.asks(&request.question);
    let request = retrieving.apply(&state, &principal, request).await?;
    if draft.view.background {
        return background::begin(state, principal, request, draft, keeping).await;
    }
    let parts = state.parts.answering.stream(&principal, request).await?;
    if streams {
        return Ok(stream::respond(&state, deadline, parts, EventWriter::new(draft, keeping)));
    }
    collect(&mut draft, parts).await?;
    keeping.keep(&draft).await?;
    Ok(Json(draft.view).into_response())
}

/// Takes the answer whole.
async fn collect(draft: &mut Draft, mut parts: AnswerEvents) -> Result<(), ApiError> {
    while let Some(part) = parts.next().await {
        match part? {
            AnswerEvent::Found { query_id: _, model, confidence: _, sources } => draft.found(model, &sources),
            AnswerEvent::Text { text: _, marks: _ } => {}
            AnswerEvent::End(outcome) => {
                draft.end(&outcome);
                return Ok(());
            }
        }
    }
    Err(ApiError::internal())
}
