//! From the errors of the steps to a refusal: one code each. Addresses and names of servers are for the log, not for the caller.

use std::time::Duration;

use super::{ApiError, ErrorCode};
use crate::{
    answer::{AnswerError, RankError},
    traits::{embedder::EmbedError, generator::GenerateError, reranker::RerankError, search::StoreError},
};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        store(&error).because(error)
    }
}

fn store(error: &StoreError) -> ApiError {
    match error {
        StoreError::Unreachable(_) => {
            ApiError::new(ErrorCode::DatabaseUnavailable, "the database cannot be reached; try again shortly")
        }
        StoreError::PrimaryUnreachable(_) => ApiError::new(
            ErrorCode::DatabaseUnavailable,
            "the primary of the database cannot be reached: searches go on, everything else waits for it; try again shortly",
        ),
        StoreError::TimedOut => ApiError::new(ErrorCode::DatabaseUnavailable, "the database took too long; try again shortly"),
        StoreError::PoolExhausted => {
            ApiError::new(ErrorCode::DatabaseBusy, "every connection to the database is busy; try again shortly")
        }
        StoreError::DiskFull => {
            ApiError::new(ErrorCode::DatabaseFull, "the database is out of disk space; its storage must be enlarged")
        }
        StoreError::Unauthorized(_)
        | StoreError::WrongSchema { .. }
        | StoreError::Unbound { .. }
        | StoreError::TooOld { .. }
        | StoreError::WrongModel { .. } => {
            ApiError::new(ErrorCode::DatabaseMisconfigured, "the gateway and its database do not fit; the gateway's log says why")
        }
        StoreError::Conflict { what } => ApiError::new(ErrorCode::Conflict, format!("the {what} changed meanwhile; try again")),
        StoreError::NotFound { what: "job" } => ApiError::new(ErrorCode::JobNotFound, "there is no such job"),
        StoreError::NotFound { what: "workspace" } => ApiError::new(ErrorCode::WorkspaceNotFound, "there is no such workspace"),
        StoreError::NotFound { what } => ApiError::new(ErrorCode::DocumentNotFound, format!("there is no such {what}")),
        StoreError::Failed { .. } => ApiError::internal(),
    }
}

impl From<EmbedError> for ApiError {
    fn from(error: EmbedError) -> Self {
        embed(&error).because(error)
    }
}

fn embed(error: &EmbedError) -> ApiError {
    match error {
        EmbedError::RateLimited { retry_after, .. } => {
            limited("the embedding provider is limiting requests; try again later", *retry_after)
        }
        EmbedError::TimedOut { .. } | EmbedError::Unreachable { .. } => {
            ApiError::new(ErrorCode::EmbeddingUnavailable, "the embedding provider cannot be reached; try again shortly")
        }
        EmbedError::Refused { status, .. } if *status >= 500 => {
            ApiError::new(ErrorCode::EmbeddingUnavailable, "the embedding provider failed; try again shortly")
        }
        EmbedError::Unauthorized { .. } => {
            ApiError::new(ErrorCode::EmbeddingMisconfigured, "the embedding provider refuses the gateway's key")
        }
        EmbedError::Refused { status, .. } => {
            ApiError::new(ErrorCode::EmbeddingMisconfigured, format!("the embedding provider refused the request with {status}"))
        }
        EmbedError::Malformed { .. } | EmbedError::WrongDimensions { .. } => ApiError::new(
            ErrorCode::EmbeddingMisconfigured,
            "the embedding provider does not answer as configured; the gateway's log says why",
        ),
        EmbedError::Model(_) => ApiError::internal(),
    }
}

impl From<GenerateError> for ApiError {
    fn from(error: GenerateError) -> Self {
        generate(&error).because(error)
    }
}

fn generate(error: &GenerateError) -> ApiError {
    match error {
        GenerateError::Embed(_) => {
            ApiError::new(ErrorCode::EmbeddingUnavailable, "the sentences could not be embedded; try again shortly")
        }
        GenerateError::Disabled => {
            ApiError::new(ErrorCode::GenerationDisabled, "this gateway only retrieves; ask /v1/search, or switch generation on")
        }
        GenerateError::RateLimited { retry_after, .. } => {
            limited("the generation provider is limiting requests; try again later", *retry_after)
        }
        GenerateError::TimedOut { .. } | GenerateError::Unreachable { .. } => {
            ApiError::new(ErrorCode::GenerationUnavailable, "the generation provider cannot be reached; try again shortly")
        }
        GenerateError::Refused { status, .. } if *status >= 500 => {
            ApiError::new(ErrorCode::GenerationUnavailable, "the generation provider failed; try again shortly")
        }
        GenerateError::Unauthorized { .. } => {
            ApiError::new(ErrorCode::GenerationMisconfigured, "the generation provider refuses the gateway's key")
        }
        GenerateError::Refused { status, .. } => ApiError::new(
            ErrorCode::GenerationMisconfigured,
            format!("the generation provider refused the request with {status}"),
        ),
        GenerateError::Malformed { .. } => ApiError::new(
            ErrorCode::GenerationMisconfigured,
            "the generation provider does not answer as configured; the gateway's log says why",
        ),
    }
}

impl From<AnswerError> for ApiError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Embed(error) => error.into(),
            AnswerError::Search(error) => error.into(),
            AnswerError::Generate(error) => error.into(),
            error @ (AnswerError::EmptyQuestion | AnswerError::TooLong { .. }) => answer(&error),
            error @ AnswerError::Shared(_) => answer(&error).because(error),
        }
    }
}

fn answer(error: &AnswerError) -> ApiError {
    match error {
        AnswerError::EmptyQuestion => ApiError::invalid("query", "the question is empty"),
        AnswerError::TooLong { room } => {
            let message = format!(
                "the conversation before the question may have {room} tokens beside the passages; send less of it, or truncation: auto"
            );
            ApiError::new(ErrorCode::ContextLengthExceeded, message).of("input")
        }
        AnswerError::Embed(error) => embed(error),
        AnswerError::Search(error) => store(error),
        AnswerError::Generate(error) => generate(error),
        AnswerError::Shared(error) => answer(error),
    }
}

impl From<RankError> for ApiError {
    fn from(error: RankError) -> Self {
        match error {
            RankError::Embed(error) => error.into(),
            RankError::Calibration(error) => error.into(),
            RankError::Rerank(error) => rerank(&error).because(error),
            RankError::Cut(error) => Self::internal().because(error),
        }
    }
}

fn rerank(error: &RerankError) -> ApiError {
    let unavailable = |message| ApiError::new(ErrorCode::RerankUnavailable, message);
    match error {
        RerankError::RateLimited { retry_after, .. } => {
            limited("the reranking server is limiting requests; try again later", *retry_after)
        }
        RerankError::TimedOut { .. } | RerankError::Unreachable { .. } => {
            unavailable("the reranking server cannot be reached; try again shortly")
        }
        RerankError::Refused { status, .. } if *status >= 500 => unavailable("the reranking server failed; try again shortly"),
        RerankError::Unauthorized { .. } => {
            ApiError::new(ErrorCode::RerankMisconfigured, "the reranking server refuses the gateway's key")
        }
        RerankError::Refused { status, .. } => {
            ApiError::new(ErrorCode::RerankMisconfigured, format!("the reranking server refused the request with {status}"))
        }
        RerankError::Malformed { .. } => ApiError::new(
            ErrorCode::RerankMisconfigured,
            "the reranking server does not answer as configured; the gateway's log says why",
        ),
    }
}

/// A provider limits requests, and may have said for how long.
fn limited(message: &str, retry_after: Option<Duration>) -> ApiError {
    ApiError { retry_after, ..ApiError::new(ErrorCode::ProviderRateLimited, message) }
}
