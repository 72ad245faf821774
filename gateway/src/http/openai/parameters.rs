//! OpenAI's parameters that have no field of their own here: accepted where ignoring them changes nothing that a caller could count on,
//! refused where it would.

use serde_json::{Map, Value};

use crate::http::{
    answers::{MOST_TOKENS, check_range},
    error::{ApiError, ErrorCode},
};

/// A parameter that can only have a value that asks for nothing.
pub(super) struct Refused {
    pub(super) name: &'static str,
    /// Whether the value asks for nothing.
    pub(super) idle: fn(&Value) -> bool,
    /// Why it cannot be honoured.
    pub(super) why: &'static str,
}

/// The parameters of a route beside those that it reads.
pub(super) struct Known {
    /// Hints and bookkeeping.
    pub(super) ignored: &'static [&'static str],
    pub(super) refused: &'static [Refused],
}

impl Known {
    /// Judges what was sent beside the parameters that the route reads.
    pub(super) fn check(&self, rest: &Map<String, Value>) -> Result<(), ApiError> {
        for (name, value) in rest {
            if self.ignored.contains(&name.as_str()) {
                continue;
            }
            let Some(refused) = self.refused.iter().find(|refused| refused.name == name) else {
                return Err(ApiError::new(ErrorCode::UnknownField, format!("there is no parameter {name}")).of(name));
            };
            if !value.is_null() && !(refused.idle)(value) {
                return Err(unsupported(name, refused.why));
            }
        }
        Ok(())
    }
}

/// Refuses what ignoring would make a lie of.
pub(super) fn unsupported(param: &str, why: &str) -> ApiError {
    ApiError::new(ErrorCode::UnsupportedParameter, format!("{param} is not offered: {why}; leave it out")).of(param)
}

/// The number of tokens by the name under which it came.
pub(super) fn check_sampling(temperature: Option<f32>, top_p: Option<f32>, tokens: (&str, Option<u32>)) -> Result<(), ApiError> {
    check_range("temperature", temperature, 2.0)?;
    check_range("top_p", top_p, 1.0)?;
    match tokens {
        (name, Some(tokens)) if !(1..=MOST_TOKENS).contains(&tokens) => {
            Err(ApiError::invalid(name, format!("{name} is {tokens}; it must be 1 to {MOST_TOKENS}")))
        }
        (_, Some(_) | None) => Ok(()),
    }
}

pub(super) fn never(_: &Value) -> bool {
    false
}

pub(super) fn empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

pub(super) fn one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}

pub(super) fn off(value: &Value) -> bool {
    value == &Value::Bool(false)
}

/// The word of a choice that asks for no tool in particular.
pub(super) fn free_choice(value: &Value) -> bool {
    matches!(value.as_str(), Some("none" | "auto"))
}

/// A format that is plain text.
pub(super) fn plain_text(value: &Value) -> bool {
    value["type"] == "text"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: Known = Known { ignored: &["user"], refused: &[Refused { name: "n", idle: one, why: "one answer is written" }] };

    fn code(rest: Value) -> Option<(ErrorCode, Option<String>)> {
        let Value::Object(rest) = rest else { panic!("no object") };
        KNOWN.check(&rest).err().map(|error| (error.code, error.param))
    }

    #[test]
    fn only_what_would_be_a_lie_is_refused() {
        for harmless in [json!({}), json!({"user": 7}), json!({"n": 1}), json!({"n": null})] {
            assert_eq!(code(harmless.clone()), None, "{harmless}");
        }
        assert_eq!(code(json!({"n": 2})), Some((ErrorCode::UnsupportedParameter, Some("n".into()))));
        assert_eq!(code(json!({"nn": 1})), Some((ErrorCode::UnknownField, Some("nn".into()))));
    }
}
