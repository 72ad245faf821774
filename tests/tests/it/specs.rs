//! Random specs of pipelines, drawn from the resource's own schema: every field there is, within its bounds. What the rules exclude
//! is taken out again by what `validate` complains of, so that each one is valid.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use proptest::prelude::*;
use ragline_crds::RagPipeline;
use ragline_operator::plan::{
    manifest::spec_schema,
    pipeline::{Defaults, Pipeline},
    validate::{Problem, validate},
};
use serde_json::{Map, Value, json};

/// How often a field is named that need not be.
const NAMED: f64 = 0.35;
/// Names of Secrets, classes and the like.
#[cfg(feature = "faults")]
pub(crate) const NAMES: [&str; 2] = ["one", "two"];
/// Keys of maps: at home among PostgreSQL's settings, labels and annotations alike, as is their value.
const KEYS: [&str; 2] = ["work_mem", "max_wal_size"];

/// What the operator is installed with.
pub(crate) fn defaults() -> Defaults {
    Defaults {
        gateway_image: "example.org/ragline-gateway:1".to_owned(),
        postgres_image: "pgvector/pgvector:pg17".to_owned(),
        valkey_image: "valkey/valkey:8".to_owned(),
        operator_namespace: "ragline-system".to_owned(),
    }
}

/// A valid spec that works: not paused, and of no class.
pub(crate) fn specs() -> impl Strategy<Value = Value> {
    let schema = spec_schema().unwrap();
    of(&schema).prop_map(|mut spec| {
        remove(&mut spec, &["paused"]);
        remove(&mut spec, &["className"]);
        valid(spec)
    })
}

/// Two specs of which the second is mostly one that the first can become.
pub(crate) fn changes() -> impl Strategy<Value = (Value, Value)> {
    (specs(), specs(), prop::bool::weighted(0.8)).prop_map(|(before, mut after, same)| {
        if same {
            // What holds data stays.
            for field in ["embedding", "postgres", "dataset"] {
                remove(&mut after, &[field]);
                if let Some(value) = before.get(field) {
                    after[field] = value.clone();
                }
            }
        }
        (before, valid(after))
    })
}

/// A pipeline of this spec.
pub(crate) fn checked(spec: &Value, defaults: &Defaults) -> Result<Pipeline, Vec<Problem>> {
    let spec = serde_json::from_value(spec.clone()).unwrap_or_else(|error| panic!("{error}: {spec}"));
    validate(&RagPipeline::new("a", spec), defaults).map_err(|refusal| refusal.problems)
}

/// Takes out what is complained of, until nothing is.
fn valid(mut spec: Value) -> Value {
    for _ in 0..200 {
        let Err(problems) = checked(&spec, &defaults()) else { return spec };
        let Problem { field, message } = &problems[0];
        let path: Vec<String> = field.trim_start_matches("spec").split('.').filter(|part| !part.is_empty()).map(plain).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if message.starts_with("name only one") {
            remove_one(&mut spec, &path);
        } else {
            remove(&mut spec, &path);
        }
    }
    panic!("does not become valid: {spec}: {:?}", checked(&spec, &defaults()));
}

/// The name of a field without a place in a list.
fn plain(part: &str) -> String {
    part.split('[').next().unwrap_or(part).to_owned()
}

/// Takes out the field at the path, or the nearest above it that is there and may be missing.
fn remove(spec: &mut Value, path: &[&str]) {
    let Some((last, above)) = path.split_last() else { return };
    let mut at = &mut *spec;
    let mut depth = 0;
    for part in above {
        match at.get(*part).is_some_and(Value::is_object) {
            true => at = &mut at[*part],
            false => break,
        }
        depth += 1;
    }
    let key = if depth == above.len() { last } else { above[depth] };
    let is_there = at.as_object_mut().is_some_and(|object| object.remove(key).is_some());
    // A default of its own that does not fit, or the only field that its object must have.
    if !is_there
        || at.as_object().is_some_and(Map::is_empty)
        || serde_json::from_value::<ragline_crds::RagPipelineSpec>(spec.clone()).is_err()
    {
        remove(spec, above);
    }
}

/// Takes one of the alternatives out.
fn remove_one(spec: &mut Value, path: &[&str]) {
    let found = path.iter().try_fold(&mut *spec, |at, part| at.get_mut(*part));
    let Some(object) = found.and_then(Value::as_object_mut) else { return remove(spec, path) };
    let alternative = object.iter().find(|(_, value)| value.is_object()).or_else(|| object.iter().next());
    let Some(key) = alternative.map(|(key, _)| key.clone()) else { return };
    object.remove(&key);
}

fn of(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    match schema.type_.as_deref() {
        Some("object") => object(schema),
        Some("array") => list(schema),
        Some("string") => text(schema),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("integer") => {
            let least = schema.minimum.unwrap_or(0.0) as i64;
            let most = schema.maximum.unwrap_or(1e9) as i64;
            // Mostly small, as people write them.
            prop_oneof![4 => least..=most.min(least.saturating_add(20)), 1 => least..=most].prop_map(Value::from).boxed()
        }
        Some("number") => {
            let (least, most) = (schema.minimum.unwrap_or(0.0), schema.maximum.unwrap_or(100.0));
            (0..=20_u32).prop_map(move |step| json!(least + (most - least) * f64::from(step) / 20.0)).boxed()
        }
        None if schema.x_kubernetes_int_or_string == Some(true) => text(schema),
        other => panic!("the tests know no field of type {other:?}"),
    }
}

fn object(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let entries = prop::collection::btree_map(prop::sample::select(&KEYS[..]), of(values), 0..=2);
        return entries.prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).boxed();
    }
    let required = schema.required.clone().unwrap_or_default();
    let properties = schema.properties.iter().flatten();
    let fields: Vec<BoxedStrategy<(String, Option<Value>)>> = properties
        .map(|(name, schema)| {
            let name = name.clone();
            let value = of(schema);
            let value = if required.contains(&name) {
                value.prop_map(Some).boxed()
            } else {
                prop::option::weighted(NAMED, value).boxed()
            };
            value.prop_map(move |value| (name.clone(), value)).boxed()
        })
        .collect();
    let named = |(name, value): (String, Option<Value>)| value.map(|value| (name, value));
    fields.prop_map(move |fields| Value::Object(fields.into_iter().filter_map(named).collect::<Map<_, _>>())).boxed()
}

fn list(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items else { panic!("a list of what?") };
    let least = usize::try_from(schema.min_items.unwrap_or(0)).unwrap();
    prop::collection::vec(of(item), least..=least + 2).prop_map(Value::Array).boxed()
}

/// Texts that mean something; a pattern that is not among these draws its own.
fn text(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    if let Some(choices) = &schema.enum_ {
        let choices: Vec<Value> = choices.iter().map(|choice| choice.0.clone()).collect();
        return prop::sample::select(choices).boxed();
    }
    let some = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(Value::from).boxed();
    match schema.pattern.as_deref() {
        None => some(&["8MB", "100"]),
        Some(pattern) if pattern.starts_with("^[0-9]+([.]") => {
            some(&["250m", "1", "2", "512Mi", "1Gi", "1.5Gi", "2048Mi", "4Gi", "12Gi"])
        }
        Some(pattern) if pattern.starts_with("^([01][0-9]") => some(&["22:00", "04:30", "12:15"]),
        Some(pattern) if pattern.starts_with("^http") => some(&["https://a.example/v1", "https://b.example:8443/v1"]),
        Some("^\\S+$") => some(&["example.org/one:1", "example.org/two:2"]),
        Some("^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$") => some(&["a.example.com", "b.example.com"]),
        Some(pattern) if pattern.starts_with("^[a-z0-9]([-a-z0-9") => some(&["one", "two"]),
        Some("^[-._a-zA-Z0-9]+$") => some(&["key"]),
        Some(pattern) => prop::string::string_regex(pattern.trim_start_matches('^').trim_end_matches('$'))
            .unwrap()
            .prop_map(Value::from)
            .boxed(),
    }
}
