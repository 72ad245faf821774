//! Examples out of schemas: an object's example is made of those of its fields. Pure.

use serde_json::{Map, Value, json};

/// Schemas inside each other that are followed.
const MOST_DEPTH: usize = 12;

/// Makes examples from the schemas of a description.
pub(super) struct Examples {
    schemas: Value,
}

impl Examples {
    pub(super) fn of(api: &Value) -> Self {
        Self { schemas: api["components"]["schemas"].clone() }
    }

    /// Gives each kind of content in JSON an example, unless it has one. `whole`: with the fields that may be absent.
    pub(super) fn fill(&self, content: &mut Value, whole: bool) {
        let kinds = content.as_object_mut().into_iter().flatten().filter(|(kind, _)| kind.ends_with("json"));
        for (_, media) in kinds {
            let has_one = media.get("example").is_some() || media.get("examples").is_some();
            if !has_one && let Some(example) = media.get("schema").and_then(|schema| self.example(schema, whole, MOST_DEPTH)) {
                media["example"] = example;
            }
        }
    }

    /// Gives a parameter the example and the description of its schema.
    pub(super) fn explain(&self, parameter: &mut Map<String, Value>) {
        let Some(schema) = parameter.get("schema").cloned() else { return };
        let said = self.resolved(&schema).and_then(|schema| schema.get("description"));
        if let Some(said) = said
            && parameter.get("description").is_none()
        {
            parameter.insert("description".into(), said.clone());
        }
        let required = parameter.get("required") == Some(&Value::Bool(true));
        if required
            && parameter.get("example").is_none()
            && let Some(example) = self.example(&schema, true, MOST_DEPTH)
        {
            parameter.insert("example".into(), example);
        }
    }

    /// What the schema of a response says of itself.
    pub(super) fn description(&self, response: &Map<String, Value>) -> Option<String> {
        let schema = response.get("content")?.as_object()?.values().next()?.get("schema")?;
        self.resolved(schema)?.get("description")?.as_str().map(str::to_owned)
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(path) => self.schemas.get(path.rsplit('/').next()?),
            None => Some(schema),
        }
    }

    fn example(&self, schema: &Value, whole: bool, depth: usize) -> Option<Value> {
        let given = schema.get("example").or_else(|| schema.get("examples").and_then(|examples| examples.get(0)));
        if let Some(given) = given.or_else(|| schema.get("const")).or_else(|| schema.get("default")) {
            return Some(given.clone());
        }
        if schema.get("$ref").is_some() {
            // What refers to itself does so by a reference.
            return self.example(self.resolved(schema)?, whole, depth.checked_sub(1)?);
        }
        if let Some(one) = schema.get("enum").and_then(|words| words.get(0)) {
            return Some(one.clone());
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let parts = parts.iter().filter_map(|part| self.example(part, whole, depth));
            return Some(Value::Object(parts.filter_map(object).flatten().collect()));
        }
        if let Some(either) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            return either.iter().filter(|one| one["type"] != "null").find_map(|one| self.example(one, whole, depth));
        }
        self.of_type(schema, whole, depth)
    }

    fn of_type(&self, schema: &Value, whole: bool, depth: usize) -> Option<Value> {
        let format = schema.get("format").and_then(Value::as_str);
        match (kind(schema)?, format) {
            ("string", Some("date-time")) => Some(json!("2026-01-02T03:04:05Z")),
            ("string", Some("uuid")) => Some(json!("0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10")),
            (_, _) if schema["type"].is_array() => Some(Value::Null),
            ("string", _) => Some(json!("text")),
            ("integer", _) => Some(schema.get("minimum").cloned().filter(|least| *least != 0).unwrap_or_else(|| json!(1))),
            ("number", _) => Some(json!(0.5)),
            ("boolean", _) => Some(json!(true)),
            ("array", _) => {
                let item = schema.get("items").and_then(|items| self.example(items, whole, depth));
                Some(Value::Array(item.into_iter().collect()))
            }
            ("object", _) => Some(Value::Object(self.fields(schema, whole, depth))),
            (_, _) => None,
        }
    }

    fn fields(&self, schema: &Value, whole: bool, depth: usize) -> Map<String, Value> {
        let required = schema.get("required").and_then(Value::as_array);
        let wanted = |name: &str| whole || required.is_some_and(|required| required.iter().any(|one| one == name));
        let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        fields
            .filter(|(name, _)| wanted(name))
            .filter_map(|(name, field)| Some((name.clone(), self.example(field, whole, depth)?)))
            .collect()
    }
}

/// The type; of several the first that is not null.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objects_example_is_made_of_its_fields() {
        let api = json!({"components": {"schemas": {
            "Id": {"type": "string", "example": "doc_1"},
            "List": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"$ref": "#/components/schemas/Id"},
                    "at": {"type": ["string", "null"], "format": "date-time"},
                    "why": {"type": ["string", "null"]},
                    "all": {"type": "array", "items": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Id"}]}}
                }
            },
            "Loop": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Loop"}}}
        }}});
        let examples = Examples::of(&api);
        let of = |name: &str, whole| examples.example(&api["components"]["schemas"][name], whole, MOST_DEPTH).unwrap();
        assert_eq!(of("List", true), json!({"id": "doc_1", "at": "2026-01-02T03:04:05Z", "why": null, "all": ["doc_1"]}));
        assert_eq!(of("List", false), json!({"id": "doc_1"}));
        assert!(of("Loop", true).is_object());
    }
}
