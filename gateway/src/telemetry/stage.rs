//! Stages: a span each, under the name that log and trace share. One that fails says so in its trace by a word of a closed set; the text of
//! an error stays in the log, since nobody knows what a server puts into it.

use std::borrow::Cow;

use opentelemetry::trace::Status;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::propagation::is_on;
use crate::{
    answer::AnswerError,
    ingest::job::IngestError,
    traits::{embedder::EmbedError, generator::GenerateError, reranker::RerankError, search::StoreError},
};

/// What kind of failure an error is, in snake_case.
pub trait ErrorType {
    fn error_type(&self) -> &'static str;
}

/// Runs what may fail within the span of its stage.
///
/// # Errors
/// Those of the stage.
pub async fn run<T, E: ErrorType>(span: Span, stage: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let result = stage.instrument(span.clone()).await;
    if let Err(error) = &result {
        fail(&span, error.error_type());
    }
    result
}

/// Marks the span of a stage that failed.
pub fn fail(span: &Span, error_type: impl Into<Cow<'static, str>>) {
    if is_on() {
        span.set_status(Status::error(""));
        span.set_attribute("error.type", error_type.into());
    }
}

impl ErrorType for EmbedError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::TimedOut { .. } => "timed_out",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
            Self::WrongDimensions { .. } => "wrong_dimensions",
            Self::Model(_) => "model",
        }
    }
}

impl ErrorType for GenerateError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Unauthorized { .. } => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::TimedOut { .. } => "timed_out",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
            Self::Embed(error) => error.error_type(),
        }
    }
}

impl ErrorType for RerankError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::TimedOut { .. } => "timed_out",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
        }
    }
}

impl ErrorType for StoreError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::PrimaryUnreachable(_) => "primary_unreachable",
            Self::Unauthorized(_) => "unauthorized",
            Self::PoolExhausted => "pool_exhausted",
            Self::DiskFull => "disk_full",
            Self::TimedOut => "timed_out",
            Self::WrongSchema { .. } => "wrong_schema",
            Self::Unbound { .. } => "unbound",
            Self::TooOld { .. } => "too_old",
            Self::WrongModel { .. } => "wrong_model",
            Self::Conflict { .. } => "conflict",
            Self::NotFound { .. } => "not_found",
            Self::Failed { .. } => "failed",
        }
    }
}

impl ErrorType for AnswerError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::EmptyQuestion => "empty_question",
            Self::TooLong { .. } => "too_long",
            Self::Embed(error) => error.error_type(),
            Self::Search(error) => error.error_type(),
            Self::Generate(error) => error.error_type(),
            Self::Shared(error) => error.error_type(),
        }
    }
}

impl ErrorType for IngestError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::NoText => "no_text",
            Self::Cut(_) => "unreadable",
            Self::Panicked => "panicked",
            Self::TooSlow { .. } => "timed_out",
            Self::Truncated { .. } => "truncated",
            Self::Gone => "gone",
            Self::Crowded => "crowded",
            Self::Embed(error) => error.error_type(),
            Self::Store(error) => error.error_type(),
        }
    }
}
