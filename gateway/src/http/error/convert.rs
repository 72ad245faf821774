//! From the errors of the steps to a refusal: one code each. Addresses and names of servers are for the log, not for the caller.

use std::time::Duration;

use super::{ApiError, ErrorCode};
use crate::{
    answer::AnswerError,
    traits::{embedder::EmbedError, generator::GenerateError, search::StoreError},
};

/// When to come back to something that is down.
const SOON: Duration = Duration::from_secs(5);

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let refusal = match &error {
            StoreError::Unreachable(_) => {
                Self::new(ErrorCode::DatabaseUnavailable, "the database cannot be reached; try again shortly").after(SOON)
            }
            StoreError::TimedOut => {
                Self::new(ErrorCode::DatabaseUnavailable, "the database took too long; try again shortly").after(SOON)
            }
            StoreError::PoolExhausted => {
                Self::new(ErrorCode::DatabaseBusy, "every connection to the database is busy; try again shortly").after(SOON)
            }
            StoreError::DiskFull => {
                Self::new(ErrorCode::DatabaseFull, "the database is out of disk space; its storage must be enlarged")
            }
            StoreError::Unauthorized(_)
            | StoreError::WrongSchema { .. }
            | StoreError::Unbound { .. }
            | StoreError::TooOld { .. }
            | StoreError::WrongModel { .. } => {
                Self::new(ErrorCode::DatabaseMisconfigured, "the gateway and its database do not fit; the gateway's log says why")
            }
            StoreError::Conflict { what } => Self::new(ErrorCode::Conflict, format!("the {what} changed meanwhile; try again")),
            StoreError::NotFound { what: "job" } => Self::new(ErrorCode::JobNotFound, "there is no such job"),
            StoreError::NotFound { what: "workspace" } => Self::new(ErrorCode::WorkspaceNotFound, "there is no such workspace"),
            StoreError::NotFound { what } => Self::new(ErrorCode::DocumentNotFound, format!("there is no such {what}")),
            StoreError::Failed { .. } => Self::internal(),
        };
        refusal.because(error)
    }
}

impl From<EmbedError> for ApiError {
    fn from(error: EmbedError) -> Self {
        let refusal = match &error {
            EmbedError::RateLimited { retry_after, .. } => {
                Self::new(ErrorCode::ProviderRateLimited, "the embedding provider is limiting requests; try again later")
                    .after(retry_after.unwrap_or(SOON))
            }
            EmbedError::TimedOut { .. } | EmbedError::Unreachable { .. } => {
                Self::new(ErrorCode::EmbeddingUnavailable, "the embedding provider cannot be reached; try again shortly")
                    .after(SOON)
            }
            EmbedError::Refused { status, .. } if *status >= 500 => {
                Self::new(ErrorCode::EmbeddingUnavailable, "the embedding provider failed; try again shortly").after(SOON)
            }
            EmbedError::Unauthorized { .. } => {
                Self::new(ErrorCode::EmbeddingMisconfigured, "the embedding provider refuses the gateway's key")
            }
            EmbedError::Refused { status, .. } => {
                Self::new(ErrorCode::EmbeddingMisconfigured, format!("the embedding provider refused the request with {status}"))
            }
            EmbedError::Malformed { .. } | EmbedError::WrongDimensions { .. } => Self::new(
                ErrorCode::EmbeddingMisconfigured,
                "the embedding provider does not answer as configured; the gateway's log says why",
            ),
            EmbedError::Model(_) => Self::internal(),
        };
        refusal.because(error)
    }
}

impl From<GenerateError> for ApiError {
    fn from(error: GenerateError) -> Self {
        let refusal = match &error {
            GenerateError::Embed(_) => {
                Self::new(ErrorCode::EmbeddingUnavailable, "the sentences could not be embedded; try again shortly").after(SOON)
            }
            GenerateError::Disabled => {
                Self::new(ErrorCode::GenerationDisabled, "this gateway only retrieves; ask /v1/search, or switch generation on")
            }
            GenerateError::RateLimited { retry_after, .. } => {
                Self::new(ErrorCode::ProviderRateLimited, "the generation provider is limiting requests; try again later")
                    .after(retry_after.unwrap_or(SOON))
            }
            GenerateError::TimedOut { .. } | GenerateError::Unreachable { .. } => {
                Self::new(ErrorCode::GenerationUnavailable, "the generation provider cannot be reached; try again shortly")
                    .after(SOON)
            }
            GenerateError::Refused { status, .. } if *status >= 500 => {
                Self::new(ErrorCode::GenerationUnavailable, "the generation provider failed; try again shortly").after(SOON)
            }
            GenerateError::Unauthorized { .. } => {
                Self::new(ErrorCode::GenerationMisconfigured, "the generation provider refuses the gateway's key")
            }
            GenerateError::Refused { status, .. } => Self::new(
                ErrorCode::GenerationMisconfigured,
                format!("the generation provider refused the request with {status}"),
            ),
            GenerateError::Malformed { .. } => Self::new(
                ErrorCode::GenerationMisconfigured,
                "the generation provider does not answer as configured; the gateway's log says why",
            ),
        };
        refusal.because(error)
    }
}

impl From<AnswerError> for ApiError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::EmptyQuestion => Self::invalid("query", "the question is empty"),
            AnswerError::Embed(error) => error.into(),
            AnswerError::Search(error) => error.into(),
            AnswerError::Generate(error) => error.into(),
        }
    }
}
