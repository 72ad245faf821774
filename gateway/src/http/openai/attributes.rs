//! Pairs that callers attach to things: metadata of texts, and attributes that are filtered by.

use serde_json::Value;

use crate::{http::error::ApiError, traits::ingest::Metadata};

/// Pairs of one object.
const MOST_PAIRS: usize = 16;
/// Characters of a key.
const MOST_KEY_CHARS: usize = 64;
/// Characters of a text.
const MOST_TEXT_CHARS: usize = 512;

/// Metadata: texts alone.
pub(super) fn metadata(metadata: Option<Metadata>) -> Result<Metadata, ApiError> {
    checked("metadata", metadata, "strings of at most 512 characters", |value| matches!(value, Value::String(_)))
}

/// Attributes: texts, numbers and booleans.
pub(super) fn attributes(param: &str, attributes: Option<Metadata>) -> Result<Metadata, ApiError> {
    checked(param, attributes, "strings of at most 512 characters, numbers or booleans", |value| {
        matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
    })
}

/// Those of a document that can be shown as attributes.
pub(super) fn shown(metadata: Metadata) -> Metadata {
    metadata.into_iter().filter(|(_, value)| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))).collect()
}

fn checked(param: &str, pairs: Option<Metadata>, kinds: &str, fits: impl Fn(&Value) -> bool) -> Result<Metadata, ApiError> {
    let pairs = pairs.unwrap_or_default();
    let short =
        |value: &Value| value.as_str().is_none_or(|text| text.chars().nth(MOST_TEXT_CHARS).is_none() && !text.contains('\0'));
    let key = |key: &str| !key.is_empty() && key.chars().nth(MOST_KEY_CHARS).is_none() && !key.contains('\0');
    if pairs.len() <= MOST_PAIRS && pairs.iter().all(|(name, value)| key(name) && fits(value) && short(value)) {
        return Ok(pairs);
    }
    let message =
        format!("{param} takes at most {MOST_PAIRS} pairs; keys of 1 to {MOST_KEY_CHARS} characters, values that are {kinds}");
    Err(ApiError::invalid(param, message))
}
