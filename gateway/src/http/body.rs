//! A JSON body as a checked type: bounded, with the field named that is wrong, and the position where it is no JSON.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::{
    error::{ApiError, ErrorCode},
    state::ApiState,
};

/// A body of JSON.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<ApiState>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let bytes = collect(request, state.parts.limits.json_bytes).await?;
        parse(&bytes).map(Self)
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, "send JSON with the header `Content-Type: application/json`"))
}

async fn collect(request: Request, limit: u64) -> Result<Vec<u8>, ApiError> {
    let too_large = || {
        let message = format!("the body is larger than {limit} bytes; send less, or raise limits.jsonBytes");
        ApiError::new(ErrorCode::BodyTooLarge, message)
    };
    if content_length(request.headers()).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut stream = Body::into_data_stream(request.into_body());
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| ApiError::new(ErrorCode::MalformedJson, "the body ended early").because(error))?;
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The length that the caller announced.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Parses a whole body.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::new(ErrorCode::MalformedJson, "the body is empty; send a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| refuse(&error))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn refuse(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    if !inner.is_data() {
        return malformed(inner);
    }
    let said = inner.to_string();
    let position = format!(" at line {} column {}", inner.line(), inner.column());
    let said = said.strip_suffix(&position).unwrap_or(&said);
    if let Some(field) = quoted(said, "unknown field `") {
        return ApiError::new(ErrorCode::UnknownField, format!("{said}{position}")).of(field);
    }
    if let Some(field) = quoted(said, "missing field `") {
        return ApiError::new(ErrorCode::MissingField, said).of(field);
    }
    let path = error.path().to_string();
    let param = if path == "." { None } else { Some(path) };
    let message = match &param {
        Some(path) => format!("{path}: {said}{position}"),
        None => format!("{said}{position}"),
    };
    ApiError { param, ..ApiError::new(ErrorCode::InvalidValue, message) }
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(ErrorCode::MalformedJson, format!("the body is no JSON: {error}"))
}

/// What stands between `opening` and the next backquote.
fn quoted<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    text.strip_prefix(opening)?.split('`').next()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only parsed")]
        query: String,
        #[expect(dead_code, reason = "only parsed")]
        limit: Option<u32>,
    }

    fn check(body: &str, code: ErrorCode, param: Option<&str>, says: &str) {
        let error = parse::<Example>(body.as_bytes()).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (code, param), "{body}: {}", error.message);
        assert!(error.message.contains(says), "{body}: {}", error.message);
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("", ErrorCode::MalformedJson, None, "empty");
        check("{\"query\": \"a\",}", ErrorCode::MalformedJson, None, "line 1 column 15");
        check("{\"query\": \"a\"} x", ErrorCode::MalformedJson, None, "trailing");
        check("{\"query\": \"a\", \"limitt\": 1}", ErrorCode::UnknownField, Some("limitt"), "limitt");
        check("{\"limit\": 1}", ErrorCode::MissingField, Some("query"), "query");
        check("{\"query\": 7}", ErrorCode::InvalidValue, Some("query"), "expected a string");
        check("{\"query\": \"a\", \"limit\": -1}", ErrorCode::InvalidValue, Some("limit"), "-1");
        check("[]", ErrorCode::InvalidValue, None, "");
        check("{\"query\": \"\u{fffd}", ErrorCode::MalformedJson, None, "EOF");
    }
}
