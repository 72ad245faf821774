//! The field `filter` of a search: a plain object that the metadata must contain, or a typed condition in OpenAI's shape. Knows
//! nothing of how either is applied.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorCode};
use crate::{
    ingest::metadata,
    traits::{
        filter::{Comparison, Filter, Scalar},
        ingest::Metadata,
    },
};

/// Conditions of one filter, counted at every depth.
const MOST_CONDITIONS: usize = 64;
/// Values of one `in` or `nin`.
const MOST_VALUES: usize = 256;
/// `and` and `or` inside each other.
const MOST_DEPTH: usize = 8;
/// Characters of a key; metadata have none that is longer.
const MOST_KEY_CHARS: usize = 128;
/// Characters of a text to compare with.
const MOST_TEXT_CHARS: usize = 4_096;

/// Which passages may be returned. A plain object is contained in their metadata. An object with one of the words below as `type` and
/// with `key` or `filters` is a condition, and sees beside the metadata what each document has by itself, unless its metadata has a key
/// of that name: `source`, `filename`, `title`, `content_type`, and `created_at` and `updated_at`, each as a text in RFC 3339 and as
/// seconds since 1970. At most 64 conditions, 8 levels, and 256 values a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(examples(
    json!({"department": "legal"}),
    json!({"type": "eq", "key": "department", "value": "legal"}),
    json!({"type": "and", "filters": [{"type": "gte", "key": "year", "value": 2023}, {"type": "in", "key": "region", "value": ["eu", "us"]}]})
))]
#[expect(dead_code, reason = "describes the field; `parse` reads it and can say what is wrong where")]
pub(super) enum FilterView {
    Comparison(ComparisonView),
    Compound(CompoundView),
    /// The metadata contain this object.
    Contains(BTreeMap<String, Value>),
}

/// Compares the value of a key; one item of a list is enough. A passage without the key, or with a value of another type, passes `ne`
/// and `nin` alone.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the field")]
pub(super) struct ComparisonView {
    /// `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in` or `nin`.
    #[schema(example = "gte")]
    r#type: String,
    #[schema(example = "year", min_length = 1, max_length = 128)]
    key: String,
    /// A string, number or boolean; a string or number for `gt`, `gte`, `lt`, `lte`; a list of 1 to 256 of them for `in` and `nin`.
    value: Value,
}

/// All conditions, or one at least.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the field")]
pub(super) struct CompoundView {
    /// `and` or `or`.
    #[schema(example = "and")]
    r#type: String,
    #[schema(min_items = 1, max_items = 64, no_recursion)]
    filters: Vec<FilterView>,
}

/// Reads the field, called `param` in what is said about it.
pub(super) fn parse(param: &str, filter: Option<Metadata>) -> Result<Option<Filter>, ApiError> {
    let Some(object) = filter else { return Ok(None) };
    if kind(&object).is_some() {
        return Reader { param, conditions: 0 }.filter(param, object, 0).map(Some);
    }
    metadata::check(&object).map_err(|error| ApiError::invalid(param, format!("{param}: {error}")))?;
    Ok(Some(Filter::Contains(object)))
}

/// What `type` can be.
#[derive(Clone, Copy)]
enum Kind {
    One(fn(Scalar) -> Comparison),
    Ordered(fn(Scalar) -> Comparison),
    Listed(fn(Vec<Scalar>) -> Comparison),
    Compound(fn(Vec<Filter>) -> Filter),
}

/// `None`: a plain object, which may well have metadata called `type`.
fn kind(object: &Metadata) -> Option<Kind> {
    let kind = match object.get("type")?.as_str()? {
        "eq" => Kind::One(Comparison::Eq),
        "ne" => Kind::One(Comparison::Ne),
        "gt" => Kind::Ordered(Comparison::Gt),
        "gte" => Kind::Ordered(Comparison::Gte),
        "lt" => Kind::Ordered(Comparison::Lt),
        "lte" => Kind::Ordered(Comparison::Lte),
        "in" => Kind::Listed(Comparison::In),
        "nin" => Kind::Listed(Comparison::Nin),
        "and" => Kind::Compound(Filter::All),
        "or" => Kind::Compound(Filter::Any),
        _ => return None,
    };
    (object.contains_key("key") || object.contains_key("filters")).then_some(kind)
}

struct Reader<'a> {
    param: &'a str,
    conditions: usize,
}

impl Reader<'_> {
    fn filter(&mut self, path: &str, mut object: Metadata, depth: usize) -> Result<Filter, ApiError> {
        self.conditions += 1;
        if self.conditions > MOST_CONDITIONS {
            let param = self.param;
            return Err(ApiError::invalid(param, format!("{param} has more than {MOST_CONDITIONS} conditions")));
        }
        let Some(kind) = kind(&object) else {
            let message = format!(
                "{path} is no condition; it needs a type of eq, ne, gt, gte, lt, lte, in or nin with key and value, or of and or \
                 or with filters"
            );
            return Err(ApiError::invalid(path, message));
        };
        object.remove("type");
        let filter = match kind {
            Kind::Compound(compound) => compound(self.filters(path, take(path, "filters", &mut object)?, depth + 1)?),
            Kind::One(comparison) => {
                let key = key(path, &mut object)?;
                Filter::Compare { key, comparison: comparison(value(path, &mut object)?) }
            }
            Kind::Ordered(comparison) => {
                let key = key(path, &mut object)?;
                let value = value(path, &mut object)?;
                if matches!(value, Scalar::Bool(_)) {
                    let path = format!("{path}.value");
                    return Err(ApiError::invalid(
                        &path,
                        format!("{path} must be a string or a number, since booleans have no order"),
                    ));
                }
                Filter::Compare { key, comparison: comparison(value) }
            }
            Kind::Listed(comparison) => {
                let key = key(path, &mut object)?;
                Filter::Compare { key, comparison: comparison(values(path, &mut object)?) }
            }
        };
        match object.keys().next() {
            None => Ok(filter),
            Some(field) => {
                let path = format!("{path}.{field}");
                Err(ApiError::new(ErrorCode::UnknownField, format!("{path} is no field of this condition")).of(path))
            }
        }
    }

    fn filters(&mut self, path: &str, filters: Value, depth: usize) -> Result<Vec<Filter>, ApiError> {
        if depth > MOST_DEPTH {
            let param = self.param;
            return Err(ApiError::invalid(param, format!("{param} is nested deeper than {MOST_DEPTH} levels")));
        }
        let path = format!("{path}.filters");
        let Value::Array(filters) = filters else {
            return Err(ApiError::invalid(&path, format!("{path} must be a list of conditions")));
        };
        if filters.is_empty() {
            return Err(ApiError::invalid(&path, format!("{path} is empty; give one condition at least")));
        }
        let one = |(place, filter): (usize, Value)| {
            let path = format!("{path}[{place}]");
            match filter {
                Value::Object(object) => self.filter(&path, object, depth),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    Err(ApiError::invalid(&path, format!("{path} must be an object")))
                }
            }
        };
        filters.into_iter().enumerate().map(one).collect()
    }
}

fn take(path: &str, field: &str, object: &mut Metadata) -> Result<Value, ApiError> {
    object.remove(field).ok_or_else(|| {
        let path = format!("{path}.{field}");
        ApiError::new(ErrorCode::MissingField, format!("{path} is missing")).of(path)
    })
}

fn key(path: &str, object: &mut Metadata) -> Result<String, ApiError> {
    let key = take(path, "key", object)?;
    let path = format!("{path}.key");
    match key {
        Value::String(key) if !key.is_empty() && key.chars().nth(MOST_KEY_CHARS).is_none() && !key.contains('\0') => Ok(key),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(ApiError::invalid(&path, format!("{path} must be a string of 1 to {MOST_KEY_CHARS} characters without U+0000")))
        }
    }
}

fn value(path: &str, object: &mut Metadata) -> Result<Scalar, ApiError> {
    let value = take(path, "value", object)?;
    scalar(&format!("{path}.value"), &value)
}

fn values(path: &str, object: &mut Metadata) -> Result<Vec<Scalar>, ApiError> {
    let value = take(path, "value", object)?;
    let path = format!("{path}.value");
    match value {
        Value::Array(values) if (1..=MOST_VALUES).contains(&values.len()) => {
            values.iter().enumerate().map(|(place, value)| scalar(&format!("{path}[{place}]"), value)).collect()
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(ApiError::invalid(&path, format!("{path} must be a list of 1 to {MOST_VALUES} values")))
        }
    }
}

fn scalar(path: &str, value: &Value) -> Result<Scalar, ApiError> {
    match Scalar::of(value) {
        Some(Scalar::Text(text)) if text.contains('\0') || text.chars().nth(MOST_TEXT_CHARS).is_some() => {
            Err(ApiError::invalid(path, format!("{path} must have at most {MOST_TEXT_CHARS} characters, none of them U+0000")))
        }
        Some(scalar) => Ok(scalar),
        None => Err(ApiError::invalid(path, format!("{path} must be a string, a number or a boolean"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(value: Value) -> Result<Filter, ApiError> {
        let Value::Object(object) = value else { panic!("no object") };
        parse("filter", Some(object)).map(|filter| filter.expect("a filter"))
    }

    #[test]
    fn a_plain_object_is_contained_even_if_it_has_a_type() {
        for plain in [
            json!({"department": "legal"}),
            json!({"type": "eq"}),
            json!({"type": "report", "key": "a"}),
            json!({"type": 1, "key": "a"}),
        ] {
            assert!(matches!(parsed(plain.clone()), Ok(Filter::Contains(object)) if Value::Object(object.clone()) == plain));
        }
        assert!(parse("filter", None).unwrap().is_none());
    }

    #[test]
    fn conditions_are_read_at_every_depth() {
        let filter = parsed(json!({"type": "or", "filters": [
            {"type": "and", "filters": [
                {"type": "gte", "key": "year", "value": 2023},
                {"type": "nin", "key": "region", "value": ["eu", 7, false]}]},
            {"type": "ne", "key": "draft", "value": true}]}));
        let compare = |key: &str, comparison| Filter::Compare { key: key.into(), comparison };
        let listed = vec![Scalar::Text("eu".into()), Scalar::Number(7.0), Scalar::Bool(false)];
        let expected = Filter::Any(vec![
            Filter::All(vec![
                compare("year", Comparison::Gte(Scalar::Number(2023.0))),
                compare("region", Comparison::Nin(listed)),
            ]),
            compare("draft", Comparison::Ne(Scalar::Bool(true))),
        ]);
        assert_eq!(filter.unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_named_where_it_is() {
        let deep =
            (0..9).fold(json!({"type": "eq", "key": "a", "value": 1}), |inner, _| json!({"type": "and", "filters": [inner]}));
        let wide = json!({"type": "or", "filters": vec![json!({"type": "eq", "key": "a", "value": 1}); 64]});
        let cases = [
            (json!({"type": "eq", "key": "a"}), "filter.value", "missing"),
            (json!({"type": "eq", "filters": []}), "filter.key", "missing"),
            (json!({"type": "and", "key": "a"}), "filter.filters", "missing"),
            (json!({"type": "eq", "key": "", "value": 1}), "filter.key", "1 to 128"),
            (json!({"type": "eq", "key": 3, "value": 1}), "filter.key", "string"),
            (json!({"type": "eq", "key": "a", "value": null}), "filter.value", "a boolean"),
            (json!({"type": "eq", "key": "a", "value": "\0"}), "filter.value", "U+0000"),
            (json!({"type": "gt", "key": "a", "value": true}), "filter.value", "no order"),
            (json!({"type": "in", "key": "a", "value": []}), "filter.value", "1 to 256"),
            (json!({"type": "in", "key": "a", "value": vec![1; 257]}), "filter.value", "1 to 256"),
            (json!({"type": "in", "key": "a", "value": "b"}), "filter.value", "list"),
            (json!({"type": "in", "key": "a", "value": [1, [2]]}), "filter.value[1]", "a boolean"),
            (json!({"type": "eq", "key": "a", "value": 1, "boost": 2}), "filter.boost", "no field"),
            (json!({"type": "and", "filters": []}), "filter.filters", "empty"),
            (json!({"type": "and", "filters": {}}), "filter.filters", "list"),
            (json!({"type": "and", "filters": [1]}), "filter.filters[0]", "object"),
            (json!({"type": "and", "filters": [{"a": 1}]}), "filter.filters[0]", "no condition"),
            (deep, "filter", "deeper"),
            (wide, "filter", "more than 64"),
        ];
        for (value, param, says) in cases {
            let error = parsed(value.clone()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{value}");
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}
