//! Every word by which the API refuses. A code never changes its meaning; a new refusal gets a new code.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    MissingApiKey,
    InvalidApiKey,
    AdminRequired,
    WriteRequired,
    UnknownRoute,
    MethodNotAllowed,
    DocumentNotFound,
    JobNotFound,
    ModelNotFound,
    WorkspaceNotFound,
    KeyNotFound,
    UnsupportedMediaType,
    MalformedJson,
    UnknownField,
    MissingField,
    InvalidValue,
    UnsupportedMode,
    MalformedUpload,
    MissingFile,
    TooManyFiles,
    InvalidMetadata,
    BodyTooLarge,
    FileTooLarge,
    UploadTooLarge,
    Conflict,
    WorkspaceExists,
    WorkspaceNeeded,
    TooManyRequests,
    ProviderRateLimited,
    RequestTimedOut,
    UploadTimedOut,
    DatabaseUnavailable,
    DatabaseBusy,
    DatabaseFull,
    DatabaseMisconfigured,
    EmbeddingUnavailable,
    EmbeddingMisconfigured,
    GenerationDisabled,
    GenerationUnavailable,
    GenerationMisconfigured,
    IndexUnavailable,
    ShuttingDown,
    InternalError,
    FileNotFound,
    VectorStoreNotFound,
    FileBatchNotFound,
    VectorStoreExpired,
    RateLimitExceeded,
    InvalidToken,
    TokenNotAdmitted,
    IdentityProviderUnavailable,
    RerankUnavailable,
    RerankMisconfigured,
    OriginRefused,
    UnsupportedParameter,
    ResponseNotFound,
    UploadNotFound,
    UploadClosed,
    PreviousResponseNotFound,
    ContextLengthExceeded,
}

impl ErrorCode {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 60] = [
        Self::MissingApiKey,
        Self::InvalidApiKey,
        Self::AdminRequired,
        Self::WriteRequired,
        Self::UnknownRoute,
        Self::MethodNotAllowed,
        Self::DocumentNotFound,
        Self::JobNotFound,
        Self::ModelNotFound,
        Self::WorkspaceNotFound,
        Self::KeyNotFound,
        Self::UnsupportedMediaType,
        Self::MalformedJson,
        Self::UnknownField,
        Self::MissingField,
        Self::InvalidValue,
        Self::UnsupportedMode,
        Self::MalformedUpload,
        Self::MissingFile,
        Self::TooManyFiles,
        Self::InvalidMetadata,
        Self::BodyTooLarge,
        Self::FileTooLarge,
        Self::UploadTooLarge,
        Self::Conflict,
        Self::WorkspaceExists,
        Self::WorkspaceNeeded,
        Self::TooManyRequests,
        Self::ProviderRateLimited,
        Self::RequestTimedOut,
        Self::UploadTimedOut,
        Self::DatabaseUnavailable,
        Self::DatabaseBusy,
        Self::DatabaseFull,
        Self::DatabaseMisconfigured,
        Self::EmbeddingUnavailable,
        Self::EmbeddingMisconfigured,
        Self::GenerationDisabled,
        Self::GenerationUnavailable,
        Self::GenerationMisconfigured,
        Self::IndexUnavailable,
        Self::ShuttingDown,
        Self::InternalError,
        Self::FileNotFound,
        Self::VectorStoreNotFound,
        Self::FileBatchNotFound,
        Self::VectorStoreExpired,
        Self::RateLimitExceeded,
        Self::InvalidToken,
        Self::TokenNotAdmitted,
        Self::IdentityProviderUnavailable,
        Self::RerankUnavailable,
        Self::RerankMisconfigured,
        Self::OriginRefused,
        Self::UnsupportedParameter,
        Self::ResponseNotFound,
        Self::UploadNotFound,
        Self::UploadClosed,
        Self::PreviousResponseNotFound,
        Self::ContextLengthExceeded,
    ];

    /// The status line: 4xx the client can mend, 503 and 504 a dependency, 500 our bug.
    pub fn status(self) -> StatusCode {
        match self {
            Self::MissingApiKey | Self::InvalidApiKey | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::AdminRequired | Self::WriteRequired | Self::TokenNotAdmitted | Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::UnknownRoute
            | Self::DocumentNotFound
            | Self::JobNotFound
            | Self::ModelNotFound
            | Self::WorkspaceNotFound
            | Self::KeyNotFound
            | Self::FileNotFound
            | Self::VectorStoreNotFound
            | Self::FileBatchNotFound
            | Self::ResponseNotFound
            | Self::UploadNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MalformedJson
            | Self::UnknownField
            | Self::MissingField
            | Self::InvalidValue
            | Self::UnsupportedMode
            | Self::MalformedUpload
            | Self::MissingFile
            | Self::TooManyFiles
            | Self::InvalidMetadata
            | Self::VectorStoreExpired
            | Self::GenerationDisabled
            | Self::UploadClosed
            | Self::PreviousResponseNotFound
            | Self::ContextLengthExceeded
            | Self::UnsupportedParameter => StatusCode::BAD_REQUEST,
            Self::UploadTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge | Self::FileTooLarge | Self::UploadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Conflict | Self::WorkspaceExists | Self::WorkspaceNeeded => StatusCode::CONFLICT,
            Self::TooManyRequests | Self::ProviderRateLimited | Self::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::RequestTimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::DatabaseUnavailable
            | Self::DatabaseBusy
            | Self::DatabaseFull
            | Self::DatabaseMisconfigured
            | Self::EmbeddingUnavailable
            | Self::EmbeddingMisconfigured
            | Self::GenerationUnavailable
            | Self::GenerationMisconfigured
            | Self::IndexUnavailable
            | Self::ShuttingDown
            | Self::IdentityProviderUnavailable
            | Self::RerankUnavailable
            | Self::RerankMisconfigured => StatusCode::SERVICE_UNAVAILABLE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// OpenAI's class of the error.
    pub fn kind(self) -> &'static str {
        match self.status().as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            status if status < 500 => "invalid_request_error",
            _ => "server_error",
        }
    }

    /// The word in the answer.
    pub fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => word,
            _ => unreachable!("a unit variant serializes as a string"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_with_a_word_of_its_own() {
        let words: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), ErrorCode::ALL.len());
        assert_eq!(ErrorCode::ALL.last().map(|&code| code as usize), Some(ErrorCode::ALL.len() - 1));
    }

    #[test]
    fn every_code_is_an_error_status() {
        for code in ErrorCode::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        }
    }
}
