//! CPU and memory of a container, with bounds that the API server can price.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// CPU and memory of a container. What is not named here keeps its default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler keeps free for the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Quantities>,
    /// What the container may use at most. Above its memory limit it is killed and restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Quantities>,
}

/// An amount of CPU and of memory.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantities {
    /// CPUs, as in `2`, or `500m` for half of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory, as in `2Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// An amount in Kubernetes' notation: text, as in `500m` or `10Gi`, or a whole number. A number is kept as its text.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntOrString)
    }
}

/// Takes what Kubernetes' type of that name takes. A number with a fraction is none, to the API server either.
struct IntOrString;

impl de::Visitor<'_> for IntOrString {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount, as in 500m, 10Gi or 2")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Ok(Quantity(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        Ok(Quantity(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        Ok(Quantity(number.to_string()))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// The bounds of text and those of numbers; [`crate::definition`] takes the type away, for which Kubernetes' extension stands.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "x-kubernetes-int-or-string": true,
            "minLength": 1,
            "maxLength": 32,
            "pattern": r"^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
            "minimum": 0,
            "maximum": 999_999_999_999_999_u64,
        })
    }
}

/// The schema of a map of strings with at most `ENTRIES` entries and values of at most `VALUE` characters. A
/// rule on the field bounds the names, for which a structural schema has no word.
pub(crate) fn bounded_strings<const ENTRIES: usize, const VALUE: usize>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": ENTRIES,
        "additionalProperties": {"type": "string", "maxLength": VALUE},
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_text_or_a_whole_number() {
        let read = |value| serde_json::from_value::<Quantity>(value).map(|amount| amount.0).ok();
        assert_eq!(read(json!("500m")).as_deref(), Some("500m"));
        assert_eq!(read(json!(2)).as_deref(), Some("2"));
        for other in [json!(0.5), json!(true), json!(null), json!(["1"])] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
        assert_eq!(serde_json::to_value(Quantity("2".into())).unwrap(), json!("2"));
    }
}
