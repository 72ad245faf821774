//! Reads a manifest without a cluster, as strictly as the API server would: what the schema does not know or does not allow is
//! named by its path.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use ragline_crds::{GROUP, RagPipeline, VERSION};
use serde_json::Value;

use super::validate::Problem;

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is not YAML")]
    Yaml(#[source] Box<serde_saphyr::Error>),
    #[error("the manifest is no {GROUP}/{VERSION} RagPipeline, but {found}")]
    Kind { found: String },
    #[error("the manifest is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    #[error("the manifest does not fit the resource")]
    Fit(#[source] serde_json::Error),
}

/// Parses a stream of RagPipelines.
///
/// # Errors
/// Everything that the API server would refuse, except what its rules (CEL) say; those are repeated by `validate`.
pub fn parse(yaml: &str) -> Result<Vec<RagPipeline>, ManifestError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).map_err(|error| ManifestError::Yaml(Box::new(error)))?;
    documents.into_iter().filter(|document| !document.is_null()).map(parse_one).collect()
}

fn parse_one(value: Value) -> Result<RagPipeline, ManifestError> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("nothing");
    if text("apiVersion") != format!("{GROUP}/{VERSION}") || text("kind") != "RagPipeline" {
        return Err(ManifestError::Kind { found: format!("{} {}", text("apiVersion"), text("kind")) });
    }
    let mut problems = Vec::new();
    for key in value.as_object().into_iter().flat_map(|object| object.keys()) {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&key.as_str()) {
            problems.push(problem(key, "is unknown"));
        }
    }
    if let (Some(spec), Some(schema)) = (value.get("spec"), spec_schema()) {
        check("spec", spec, &schema, &mut problems);
    }
    if !problems.is_empty() {
        return Err(ManifestError::Invalid(problems));
    }
    serde_json::from_value(value).map_err(ManifestError::Fit)
}

/// The schema of the spec, as the API server has it.
pub fn spec_schema() -> Option<JSONSchemaProps> {
    let version = ragline_crds::definition().spec.versions.into_iter().next()?;
    version.schema?.open_api_v3_schema?.properties?.remove("spec")
}

fn problem(field: &str, message: impl Into<String>) -> Problem {
    Problem { field: field.to_owned(), message: message.into() }
}

fn check(path: &str, value: &Value, schema: &JSONSchemaProps, problems: &mut Vec<Problem>) {
    let wanted = match schema.x_kubernetes_int_or_string {
        Some(true) => Some("integer or string"),
        _ => schema.type_.as_deref(),
    };
    let fits = match (wanted, value) {
        (Some("object"), Value::Object(_))
        | (Some("array"), Value::Array(_))
        | (Some("string" | "integer or string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_)) => true,
        (Some("integer" | "integer or string"), Value::Number(number)) => number.is_i64() || number.is_u64(),
        (Some("number"), Value::Number(_)) | (None, _) => true,
        _ => false,
    };
    if !fits {
        let wanted = wanted.unwrap_or_default();
        let hint = match value {
            Value::Null => "; leave it out instead",
            Value::Number(_) if wanted.ends_with("string") => "; put it in quotes",
            _ => "",
        };
        problems.push(problem(path, format!("must be of type {wanted}{hint}")));
        return;
    }
    match value {
        Value::Object(object) => check_object(path, object, schema, problems),
        Value::String(text) => check_text(path, text, schema, problems),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if schema.minimum.is_some_and(|least| number < least) || schema.maximum.is_some_and(|most| number > most) {
                let bounds = (schema.minimum.unwrap_or(f64::NEG_INFINITY), schema.maximum.unwrap_or(f64::INFINITY));
                problems.push(problem(path, format!("must be {} to {}", bounds.0, bounds.1)));
            }
        }
        Value::Array(items) => check_list(path, items, schema, problems),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_list(path: &str, items: &[Value], schema: &JSONSchemaProps, problems: &mut Vec<Problem>) {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (least, most) = (schema.min_items.unwrap_or(0), schema.max_items.unwrap_or(i64::MAX));
    if !(least..=most).contains(&length) {
        problems.push(problem(path, format!("must have {least} to {most} entries")));
        return;
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        for (at, value) in items.iter().enumerate() {
            check(&format!("{path}[{at}]"), value, item, problems);
        }
    }
}

fn check_object(path: &str, object: &serde_json::Map<String, Value>, schema: &JSONSchemaProps, problems: &mut Vec<Problem>) {
    for name in schema.required.iter().flatten().filter(|name| object.get(*name).is_none_or(Value::is_null)) {
        problems.push(problem(&format!("{path}.{name}"), "is required"));
    }
    if let Ok(most) = usize::try_from(schema.max_properties.unwrap_or(i64::MAX))
        && object.len() > most
    {
        problems.push(problem(path, format!("must have at most {most} entries")));
    }
    for (name, value) in object {
        let path = format!("{path}.{name}");
        let known = schema.properties.as_ref().and_then(|properties| properties.get(name));
        match (known, &schema.additional_properties) {
            (Some(schema), _) => check(&path, value, schema, problems),
            (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => check(&path, value, schema, problems),
            (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
            (None, None | Some(JSONSchemaPropsOrBool::Bool(false))) => problems.push(problem(&path, "is unknown")),
        }
    }
}

fn check_text(path: &str, text: &str, schema: &JSONSchemaProps, problems: &mut Vec<Problem>) {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if schema.min_length.is_some_and(|least| length < least) || schema.max_length.is_some_and(|most| length > most) {
        let bounds = (schema.min_length.unwrap_or(0), schema.max_length.unwrap_or(i64::MAX));
        problems.push(problem(path, format!("must have {} to {} characters", bounds.0, bounds.1)));
    }
    if let Some(choices) = &schema.enum_ {
        let choices: Vec<_> = choices.iter().filter_map(|choice| choice.0.as_str()).collect();
        if !choices.contains(&text) {
            problems.push(problem(path, format!("must be one of {}", choices.join(", "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(spec: &str) -> Vec<String> {
        let yaml = format!("apiVersion: ragline.dev/v1alpha1\nkind: RagPipeline\nmetadata: {{name: a}}\nspec: {spec}\n");
        match parse(&yaml) {
            Ok(_) => Vec::new(),
            Err(ManifestError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_the_schema_refuses_is_named_by_its_path() {
        let cases = [
            ("{}", vec![]),
            ("{chunking: null}", vec!["spec.chunking: must be of type object; leave it out instead"]),
            ("{chunkin: {}}", vec!["spec.chunkin: is unknown"]),
            ("{chunking: {maxToken: 3}}", vec!["spec.chunking.maxToken: is unknown"]),
            ("{chunking: {maxTokens: 3}}", vec!["spec.chunking.maxTokens: must be 64 to 8192"]),
            ("{chunking: {maxTokens: many}}", vec!["spec.chunking.maxTokens: must be of type integer"]),
            ("{index: {mode: Sometimes}}", vec!["spec.index.mode: must be one of Auto, Manual, None"]),
            (
                "{embedding: {openAiCompatible: {model: m, dimensions: 3}}}",
                vec!["spec.embedding.openAiCompatible.baseUrl: is required"],
            ),
            ("{gateway: {image: 1}}", vec!["spec.gateway.image: must be of type string; put it in quotes"]),
            ("{gateway: {resources: {limits: {cpu: 2, memory: 2Gi}}}}", vec![]),
            (
                "{gateway: {resources: {limits: {cpu: 0.5}}}}",
                vec!["spec.gateway.resources.limits.cpu: must be of type integer or string; put it in quotes"],
            ),
            (
                "{gateway: {resources: {limits: {memory: -1}}}}",
                vec!["spec.gateway.resources.limits.memory: must be 0 to 999999999999999"],
            ),
            ("{postgres: {managed: {parameters: {work_mem: 8MB}}}}", vec![]),
            ("{networkPolicy: {allowFrom: [{podSelector: {}}]}}", vec![]),
            (
                "{networkPolicy: {allowFrom: [{podSelector: {}}, {podSelecto: {}}]}}",
                vec!["spec.networkPolicy.allowFrom[1].podSelecto: is unknown"],
            ),
            (
                "{gateway: {route: {parentRef: {name: a}, hostnames: []}}}",
                vec!["spec.gateway.route.hostnames: must have 1 to 16 entries"],
            ),
        ];
        for (spec, wanted) in cases {
            assert_eq!(problems(spec), wanted, "{spec}");
        }
    }

    #[test]
    fn another_kind_is_refused_by_name() {
        let error = parse("apiVersion: v1\nkind: Pod\n").unwrap_err();
        assert_eq!(error.to_string(), "the manifest is no ragline.dev/v1alpha1 RagPipeline, but v1 Pod");
    }
}
