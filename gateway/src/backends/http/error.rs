//! From what a call came to, to the errors of embedders and generators.

use super::{CallError, ModelServer};
use crate::traits::{embedder::EmbedError, generator::GenerateError};

impl ModelServer {
    /// The error of a generator that asks this server.
    pub fn generate_error(&self, error: CallError) -> GenerateError {
        let host = self.host().to_owned();
        match error {
            CallError::Unauthorized => GenerateError::Unauthorized { host, variables: self.credentials.variables.clone() },
            CallError::RateLimited { retry_after } => GenerateError::RateLimited { host, retry_after },
            CallError::TimedOut(timeout) => GenerateError::TimedOut { host, timeout },
            CallError::Unreachable(source) => GenerateError::Unreachable { host, source },
            CallError::Refused { status, message } => GenerateError::Refused { host, status, message },
            CallError::Malformed(what) => GenerateError::Malformed { host, what },
        }
    }

    /// The error of an embedder that asks this server.
    pub fn embed_error(&self, error: CallError) -> EmbedError {
        let host = self.host().to_owned();
        match error {
            CallError::Unauthorized => EmbedError::Unauthorized { host, variables: self.credentials.variables.clone() },
            CallError::RateLimited { retry_after } => EmbedError::RateLimited { host, retry_after },
            CallError::TimedOut(timeout) => EmbedError::TimedOut { host, timeout },
            CallError::Unreachable(source) => EmbedError::Unreachable { host, source },
            CallError::Refused { status, message } => EmbedError::Refused { host, status, message },
            CallError::Malformed(what) => EmbedError::Malformed { host, what },
        }
    }
}
