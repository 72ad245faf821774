//! What a caller is told when a request cannot be served: OpenAI's error envelope with a code out of one list. The caller's text
//! and the log's text are two texts; the cause goes to the log alone, which [`super::observe`] writes once.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod code;
mod convert;
mod meaning;

pub use code::ErrorCode;

/// When to come back where nobody knows better.
const SOON: Duration = Duration::from_secs(5);
/// The wait to the millisecond, which OpenAI's clients look at first.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The cause of an error, for the log.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A refusal.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub code: ErrorCode,
    /// For the caller: what is wrong and what would be right.
    pub message: String,
    /// The field or parameter that is wrong.
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
    /// For the log.
    pub cause: Option<Cause>,
}

/// The body of every answer that is no success.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// For people.
    #[schema(example = "limit must be 1 to 100")]
    pub message: String,
    /// OpenAI's class of the error.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    pub kind: String,
    /// The field or parameter that is wrong.
    #[schema(example = "limit")]
    pub param: Option<String>,
    /// For programs.
    pub code: ErrorCode,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None, retry_after: None, cause: None }
    }

    /// Names the field or parameter that is wrong.
    pub fn of(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Tells the caller when to come back.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Keeps the cause for the log.
    pub fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// A value that is out of its bounds.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidValue, message).of(param)
    }

    /// A bug of ours.
    pub fn internal() -> Self {
        Self::new(ErrorCode::InternalError, "the gateway failed; its log tells why under this request id")
    }

    /// What the caller is told.
    pub(super) fn body(&self) -> ErrorBody {
        let (message, kind) = (self.message.clone(), self.code.kind().to_owned());
        ErrorBody { error: ErrorDetail { message, kind, param: self.param.clone(), code: self.code } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.body();
        let status: StatusCode = self.code.status();
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        let may_pass = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if let Some(wait) = self.retry_after.or(may_pass.then_some(SOON)) {
            let ms = u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
        }
        if status == StatusCode::UNAUTHORIZED {
            let is_token = self.code == ErrorCode::InvalidToken;
            let challenge = if is_token { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_pass_says_when_to_come_back() {
        for code in ErrorCode::ALL {
            let headers = ApiError::new(code, "no").into_response().into_parts().0.headers;
            let may_pass = matches!(code.status().as_u16(), 429 | 503);
            for name in [header::RETRY_AFTER, RETRY_AFTER_MS] {
                assert_eq!(headers.contains_key(&name), may_pass, "{name} of {code:?}");
            }
        }
        let told = ApiError::new(ErrorCode::TooManyRequests, "no").after(Duration::from_millis(1_500)).into_response();
        assert_eq!(
            (&told.headers()[header::RETRY_AFTER], &told.headers()[RETRY_AFTER_MS]),
            (&"2".parse().unwrap(), &"1500".parse().unwrap())
        );
    }
}
