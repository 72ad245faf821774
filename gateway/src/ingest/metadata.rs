//! Metadata that callers give: a JSON object within bounds that the database can keep and search.

use serde_json::Value;

use crate::traits::ingest::Metadata;

/// The whole object, as it is written.
pub const MOST_BYTES: usize = 16 << 10;
/// Keys of the outermost object.
pub const MOST_KEYS: usize = 64;
/// Characters of a key.
const MOST_KEY_CHARS: usize = 128;
/// Objects and lists inside each other.
const MOST_DEPTH: u32 = 6;

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("it must be a JSON object, such as {{\"department\": \"legal\"}}")]
    NoObject,
    #[error("it is no JSON: {0}")]
    NoJson(String),
    #[error("it is larger than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("it has more than {MOST_KEYS} keys")]
    TooManyKeys,
    #[error("it is nested deeper than {MOST_DEPTH} levels")]
    TooDeep,
    #[error("a key is empty or longer than {MOST_KEY_CHARS} characters")]
    Key,
    #[error("it contains the character U+0000, which cannot be stored")]
    Nul,
}

/// Parses and checks.
///
/// # Errors
/// No JSON object, or one out of bounds.
pub fn parse(bytes: &[u8]) -> Result<Metadata, MetadataError> {
    if bytes.len() > MOST_BYTES {
        return Err(MetadataError::TooLarge);
    }
    let value = serde_json::from_slice(bytes).map_err(|error| MetadataError::NoJson(error.to_string()))?;
    let Value::Object(metadata) = value else { return Err(MetadataError::NoObject) };
    check(&metadata)?;
    Ok(metadata)
}

/// Checks what is parsed already.
///
/// # Errors
/// An object out of bounds.
pub fn check(metadata: &Metadata) -> Result<(), MetadataError> {
    if metadata.len() > MOST_KEYS {
        return Err(MetadataError::TooManyKeys);
    }
    let mut bytes = 0;
    for (key, value) in metadata {
        check_key(key)?;
        bytes += key.len() + check_value(value, 1)?;
    }
    if bytes > MOST_BYTES { Err(MetadataError::TooLarge) } else { Ok(()) }
}

/// Checks a value and returns about how many bytes it has.
fn check_value(value: &Value, depth: u32) -> Result<usize, MetadataError> {
    if depth > MOST_DEPTH {
        return Err(MetadataError::TooDeep);
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(8),
        Value::String(text) if text.contains('\0') => Err(MetadataError::Nul),
        Value::String(text) => Ok(text.len()),
        Value::Array(values) => values.iter().try_fold(2, |sum, value| Ok(sum + check_value(value, depth + 1)?)),
        Value::Object(fields) => fields.iter().try_fold(2, |sum, (key, value)| {
            check_key(key)?;
            Ok(sum + key.len() + check_value(value, depth + 1)?)
        }),
    }
}

fn check_key(key: &str) -> Result<(), MetadataError> {
    if key.contains('\0') {
        return Err(MetadataError::Nul);
    }
    if key.is_empty() || key.chars().nth(MOST_KEY_CHARS).is_some() { Err(MetadataError::Key) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_object_is_taken() {
        let metadata = parse(br#"{"department": "legal", "year": 2024, "tags": ["a", "b"], "owner": {"name": "Ada"}}"#).unwrap();
        assert_eq!(metadata.len(), 4);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(7), "]".repeat(7));
        let wide = format!("{{{}}}", (0..65).map(|n| format!("\"k{n}\": 1")).collect::<Vec<_>>().join(","));
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(MOST_BYTES));
        let cases = [
            ("[1]", "must be a JSON object"),
            ("{\"a\": }", "no JSON"),
            ("{\"a\": \"\\u0000\"}", "U+0000"),
            ("{\"\": 1}", "key is empty"),
            (deep.as_str(), "deeper"),
            (wide.as_str(), "more than 64 keys"),
            (large.as_str(), "larger"),
        ];
        for (text, says) in cases {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
