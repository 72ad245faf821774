//! `GET /v1/models`: what can be named as `model` here. A model is the pipeline's, so every key sees the same.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Table;
use crate::http::{
    error::{ApiError, ErrorBody, ErrorCode},
    state::ApiState,
};

/// The name under which every pipeline's generator can be asked.
pub(super) const ALIAS: &str = "ragline";
/// Models here have no date of birth; clients want a number that stays.
const CREATED: i64 = 1_767_225_600;

/// The routes.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// The models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelsView {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<ModelView>,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelView {
    /// What a request calls it.
    #[schema(example = "ragline")]
    id: String,
    #[schema(example = "model")]
    object: &'static str,
    created: i64,
    #[schema(example = "ragline")]
    owned_by: &'static str,
}

/// Lists the models: the one that writes answers, under its own name and as `ragline`, and the one that embeds.
#[utoipa::path(get, path = "/v1/models", tag = "openai",
    responses((status = 200, body = ModelsView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn list(State(state): State<Arc<ApiState>>) -> Json<ModelsView> {
    Json(ModelsView { object: "list", data: names(&state).into_iter().map(view).collect() })
}

/// Shows a model.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "openai", params(("id" = String, Path, description = "The model's name.")),
    responses((status = 200, body = ModelView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn show(State(state): State<Arc<ApiState>>, Path(id): Path<String>) -> Result<Json<ModelView>, ApiError> {
    let names = names(&state);
    if names.contains(&id.as_str()) { Ok(Json(view(&id))) } else { Err(unknown(&id, &names)) }
}

fn view(name: &str) -> ModelView {
    ModelView { id: name.to_owned(), object: "model", created: CREATED, owned_by: "ragline" }
}

fn names(state: &ApiState) -> Vec<&str> {
    let mut names: Vec<_> = state.parts.answering.model_name().into_iter().flat_map(|name| [name, ALIAS]).collect();
    names.push(state.parts.embedder.model_name());
    names.dedup();
    names
}

/// The generator's name, if `asked` means it.
pub(super) fn generator<'a>(state: &'a ApiState, asked: &str) -> Result<&'a str, ApiError> {
    let Some(name) = state.parts.answering.model_name() else {
        let message = "this gateway only retrieves; ask /v1/search, or switch generation on";
        return Err(ApiError::new(ErrorCode::GenerationDisabled, message));
    };
    if asked == name || asked == ALIAS { Ok(name) } else { Err(unknown(asked, &[name, ALIAS])) }
}

fn unknown(asked: &str, names: &[&str]) -> ApiError {
    // What was sent may be long; what is sent back is not.
    let asked: String = asked.chars().take(100).collect();
    let message = format!("there is no model {asked:?} here; use one of {}", names.join(", "));
    ApiError::new(ErrorCode::ModelNotFound, message).of("model")
}
