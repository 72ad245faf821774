//! Routes in OpenAI's shape, which OpenAI's own clients speak unmodified. Each file has a table of its routes.

use std::sync::Arc;

use axum::{
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    ids::{DocumentId, FileId},
    state::ApiState,
};
use crate::traits::search::Match;

mod attributes;
mod chat;
mod chat_view;
mod chunking;
mod embedding_input;
mod embeddings;
mod file_batches;
mod files;
mod list;
mod messages;
mod models;
mod parameters;
mod responses;
mod retrieval;
mod sources;
mod store_file_content;
mod store_files;
mod store_search;
mod stream;
mod upload;
mod uploads;
mod vector_stores;

type Table = OpenApiRouter<Arc<ApiState>>;

/// When OpenAI's clients should look again at what is under way; without it they wait a second.
const POLL_AFTER: (HeaderName, HeaderValue) = (HeaderName::from_static("openai-poll-after-ms"), HeaderValue::from_static("250"));

/// Routes that end within the request's deadline, their streams included.
pub(super) fn timed() -> Table {
    embeddings::table()
        .merge(files::table())
        .merge(uploads::table())
        .merge(vector_stores::table())
        .merge(store_files::table())
        .merge(store_file_content::table())
        .merge(file_batches::table())
        .merge(store_search::table())
        .merge(models::table())
        .merge(chat::table())
        .merge(responses::table())
}

/// Routes whose deadline counts from one piece to the next.
pub(super) fn streamed() -> Table {
    files::streamed().merge(uploads::streamed())
}

/// An answer about something that a client may be waiting for.
fn polled(under_way: bool, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if under_way {
        let (name, value) = POLL_AFTER;
        response.headers_mut().insert(name, value);
    }
    response
}

/// What OpenAI's clients know a passage's document by: its file, or the document itself where it came in by `/v1/documents`.
fn file_reference(found: &Match) -> String {
    found.file_id.map_or_else(|| DocumentId(found.document_id).to_string(), |id| FileId(id).to_string())
}
