//! What is written beside the types is true: the README's tables, the defaults that the documentation names, and the example
//! that shows every field. `UPDATE=1` writes the tables again.
#![expect(clippy::unwrap_used, reason = "a test ends by a panic")]

use std::{collections::BTreeSet, fmt::Write};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use ragline_config::Config;
use ragline_crds::{ConditionType, Reason, class_definition, definition};
use serde_json::Value;

/// A field of the spec, by its path below `spec`.
struct Field {
    path: String,
    schema: JSONSchemaProps,
}

fn spec() -> JSONSchemaProps {
    spec_of(definition())
}

fn spec_of(mut definition: CustomResourceDefinition) -> JSONSchemaProps {
    let version = definition.spec.versions.remove(0);
    version.schema.unwrap().open_api_v3_schema.unwrap().properties.unwrap().remove("spec").unwrap()
}

/// All fields, parents before their children.
fn fields(path: &str, schema: &JSONSchemaProps, found: &mut Vec<Field>) {
    for (name, schema) in schema.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        found.push(Field { path: path.clone(), schema: schema.clone() });
        fields(&path, schema, found);
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            fields(&format!("{path}.0"), item, found);
        }
    }
}

fn all_fields() -> Vec<Field> {
    let mut found = Vec::new();
    fields("", &spec(), &mut found);
    found
}

fn is_leaf(field: &Field) -> bool {
    field.schema.properties.is_none()
}

/// The default that a field's documentation names.
fn default_of(schema: &JSONSchemaProps) -> Option<String> {
    let text = schema.description.as_deref().unwrap_or_default();
    let (_, default) = text.rsplit_once("Default: ")?;
    Some(default.trim_end_matches('.').to_owned())
}

#[test]
fn every_field_is_documented_and_names_its_default_or_is_required() {
    for Field { path, schema } in &all_fields() {
        let text = schema.description.as_deref().unwrap_or_default();
        assert!(text.len() > 10 && text.ends_with('.'), "{path}: {text:?}");
    }
    let without: Vec<_> =
        all_fields().into_iter().filter(|field| is_leaf(field) && default_of(&field.schema).is_none()).collect();
    let names: BTreeSet<_> = without.iter().filter_map(|field| field.path.rsplit('.').next()).collect();
    // What is required, chosen, or filled in from the parent's documentation.
    let known = [
        "audience",
        "baseUrl",
        "builtin",
        "className",
        "cpu",
        "deployment",
        "dimensions",
        "disabled",
        "end",
        "endpoint",
        "host",
        "hostnames",
        "issuer",
        "key",
        "lists",
        "matchLabels",
        "memory",
        "method",
        "model",
        "name",
        "provider",
        "secretName",
        "start",
    ];
    assert_eq!(names, BTreeSet::from(known));
}

#[test]
fn every_string_list_and_map_is_bounded() {
    let whole = definition().spec.versions.remove(0).schema.unwrap().open_api_v3_schema.unwrap();
    let mut found = Vec::new();
    fields("", &whole, &mut found);
    for Field { path, schema } in found.iter().filter(|field| !["apiVersion", "kind", "metadata"].contains(&field.path.as_str()))
    {
        let bounded = match schema.type_.as_deref() {
            Some("string") => {
                schema.max_length.is_some() || schema.enum_.is_some() || schema.format.as_deref() == Some("date-time")
            }
            Some("array") => schema.max_items.is_some(),
            Some("object") => {
                schema.properties.is_some() || schema.max_properties.is_some() || schema.additional_properties.is_none()
            }
            Some("integer" | "number") if path.starts_with("spec.") => schema.minimum.is_some() && schema.maximum.is_some(),
            _ => true,
        };
        assert!(bounded, "{path}");
    }
}

#[test]
fn documented_defaults_are_those_of_the_gateway() {
    let config = serde_json::to_value(Config::default()).unwrap();
    let mut compared = 0;
    for Field { path, schema } in all_fields().into_iter().filter(is_leaf) {
        let Some(value) = config.pointer(&format!("/{}", path.replace('.', "/"))) else { continue };
        let default = default_of(&schema);
        let Some(default) = default.as_deref().and_then(|text| Some(text.strip_prefix('`')?.split_once('`')?.0)) else {
            continue;
        };
        let wanted = match value {
            Value::String(text) => text.clone(),
            // Single precision widens to more digits than anybody wrote.
            Value::Number(number) if number.is_f64() => format!("{}", (number.as_f64().unwrap() * 1e6).round() / 1e6),
            other => other.to_string(),
        };
        assert!(wanted.eq_ignore_ascii_case(default), "{path} is documented as {default}, and is {wanted}");
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} defaults were compared");
}

#[test]
fn the_examples_show_every_field() {
    let examples = [include_str!("../examples/full.yaml"), include_str!("../examples/providers.yaml")];
    let documents: Vec<Value> = examples.into_iter().flat_map(|text| serde_saphyr::from_multiple(text).unwrap()).collect();
    for Field { path, .. } in all_fields() {
        let shown = documents.iter().any(|document| shows(&document["spec"], path.split('.')));
        assert!(shown, "{path} is neither in examples/full.yaml nor in examples/providers.yaml");
    }
}

/// Whether a value has a field, in any item of the lists on the way to it.
fn shows<'a>(value: &Value, mut path: impl Iterator<Item = &'a str> + Clone) -> bool {
    match (path.next(), value) {
        (None, _) => true,
        (Some(_), Value::Array(items)) => items.iter().any(|item| shows(item, path.clone())),
        (Some(name), _) => value.get(name).is_some_and(|value| shows(value, path)),
    }
}

#[test]
fn the_class_is_documented_and_its_example_shows_every_field() {
    let document: Value = serde_saphyr::from_str(include_str!("../examples/class.yaml")).unwrap();
    let mut found = Vec::new();
    fields("", &spec_of(class_definition()), &mut found);
    for Field { path, schema } in &found {
        let text = schema.description.as_deref().unwrap_or_default();
        assert!(text.len() > 10 && text.ends_with('.'), "{path}: {text:?}");
        let pointer = format!("/spec/{}", path.replace('.', "/"));
        assert!(document.pointer(&pointer).is_some(), "{path} is not in examples/class.yaml");
    }
}

#[test]
fn every_reason_belongs_to_a_condition() {
    assert!(Reason::ALL.iter().all(|reason| !reason.conditions().is_empty()));
    for condition in ConditionType::ALL {
        assert!(Reason::ALL.iter().any(|reason| reason.conditions().contains(&condition)), "{condition} has no reason");
    }
}

#[test]
fn the_readme_lists_fields_conditions_and_reasons() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let mut wanted = readme.clone();
    for (name, table) in [("fields", field_table()), ("conditions", condition_table()), ("reasons", reason_table())] {
        wanted = between(&wanted, name, &table);
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &wanted).unwrap();
        return;
    }
    assert!(readme == wanted, "the tables are old; run UPDATE=1 cargo test -p ragline-crds");
}

/// Puts a table between its two marks.
fn between(readme: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: generated -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = readme.split_once(&begin).unwrap();
    let (_, tail) = rest.split_once(&end).unwrap();
    format!("{head}{begin}{table}{end}{tail}")
}

fn field_table() -> String {
    let mut table = "| Field of `spec` | Type | Default | Purpose |\n|---|---|---|---|\n".to_owned();
    for field in all_fields() {
        let Field { path, schema } = &field;
        let text = schema.description.as_deref().unwrap_or_default();
        let purpose = text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.');
        let default = default_of(schema).filter(|_| is_leaf(&field)).unwrap_or_default();
        let default = default.split_once(". ").map_or(default.as_str(), |(first, _)| first);
        let type_ = schema.type_.as_deref().unwrap_or_default();
        let path = path.replace(".0", "[]");
        writeln!(table, "| `{path}` | {type_} | {default} | {} |", purpose.replace('|', "\\|")).unwrap();
    }
    table
}

fn condition_table() -> String {
    let mut table = "| Condition | Wanted | Meaning |\n|---|---|---|\n".to_owned();
    for condition in ConditionType::ALL {
        let wanted = if condition.normally_true() { "True" } else { "False" };
        writeln!(table, "| `{condition}` | {wanted} | {} |", condition.meaning()).unwrap();
    }
    table
}

fn reason_table() -> String {
    let mut table = "| Reason | Given with | Meaning |\n|---|---|---|\n".to_owned();
    for reason in Reason::ALL {
        let with: Vec<_> = reason.conditions().iter().map(|condition| format!("`{condition}`")).collect();
        writeln!(table, "| `{reason}` | {} | {} |", with.join(", "), reason.meaning()).unwrap();
    }
    table
}
