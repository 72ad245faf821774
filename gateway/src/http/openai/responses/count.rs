//! `POST /v1/responses/input_tokens`: what the model would be given for a request, in tokens.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    history,
    request::{Checked, ResponseBody},
};
use crate::http::{
    body::JsonBody,
    error::{ApiError, ErrorBody},
    openai::models,
    params::Caller,
    state::ApiState,
};

/// A number of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputTokenCountView {
    #[schema(example = 812)]
    input_tokens: u64,
    #[schema(example = "response.input_tokens")]
    object: &'static str,
}

/// Counts what the model would be given for a request.
///
/// That is our instructions and the caller's, as much of the conversation as it gets, the question and the passages, which are looked
/// for as the request would do it. No language model is asked. Tokens are those of the embedding model's tokenizer, so for a model with
/// another one it is an estimate.
#[utoipa::path(post, path = "/v1/responses/input_tokens", tag = "openai", operation_id = "count_input_tokens", request_body = ResponseBody,
    responses((status = 200, body = InputTokenCountView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn count(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<ResponseBody>,
) -> Result<Json<InputTokenCountView>, ApiError> {
    let model = models::generator(&state, body.model.as_deref().unwrap_or(models::ALIAS))?.to_owned();
    let Checked { asked, draft, retrieving, streams: _ } = body.checked(model)?;
    let request = history::question(&state, principal.workspace, asked, &draft).await?;
    let request = retrieving.apply(&state, &principal, request).await?;
    let input_tokens = state.parts.answering.count(&principal, request).await?;
    Ok(Json(InputTokenCountView { input_tokens, object: "response.input_tokens" }))
}
