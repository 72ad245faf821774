//! Makes the description whole: what is true of many routes alike (errors, headers, examples) is said here once, from what each says of
//! itself, so that no handler repeats it and no new one forgets it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::example::Examples;
use crate::http::error::ErrorCode;

type Object = Map<String, Value>;

/// The methods of a path item.
const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

/// The description with everything that the routes have in common.
pub(super) fn complete(mut api: Value) -> Value {
    let examples = Examples::of(&api);
    let doubles = doubled_ids(&api);
    let paths = api.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        let operations = item.as_object_mut().into_iter().flatten().filter(|(method, _)| METHODS.contains(&method.as_str()));
        for (method, operation) in operations {
            if let Some(operation) = operation.as_object_mut() {
                if operation.get("operationId").and_then(Value::as_str).is_some_and(|id| doubles.contains(id)) {
                    operation.insert("operationId".into(), derived_id(method, path).into());
                }
                describe(path, method, operation, &examples);
            }
        }
    }
    let errors = errors();
    if let Some(components) = api.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("responses".into(), Value::Object(errors.into_iter().map(|(status, of)| (name(status), of)).collect()));
        components.insert("headers".into(), headers());
    }
    if let Some(api) = api.as_object_mut() {
        api.insert("servers".into(), json!([{"url": "/"}]));
    }
    api
}

fn describe(path: &str, method: &str, operation: &mut Object, examples: &Examples) {
    let statuses = statuses(path, method, operation);
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        parameters.iter_mut().filter_map(Value::as_object_mut).for_each(|parameter| examples.explain(parameter));
    }
    if let Some(content) = operation.get_mut("requestBody").and_then(|body| body.get_mut("content")) {
        examples.fill(content, false);
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    responses.retain(|status, _| !status.ends_with("XX"));
    for (status, response) in responses.iter_mut() {
        if is_bare_error(response)
            && let Ok(status) = status.parse()
        {
            *response = reference(status);
        } else if let Some(response) = response.as_object_mut() {
            finish(response, examples);
        }
    }
    for status in statuses {
        responses.entry(status.to_string()).or_insert_with(|| reference(status));
    }
}

/// The refusals that a route can give beside those that it names.
fn statuses(path: &str, method: &str, operation: &Object) -> BTreeSet<u16> {
    let scope = operation.get("security").and_then(|security| security.pointer("/0/bearer/0")).and_then(Value::as_str);
    let Some(scope) = scope else {
        return if path == "/metrics" { BTreeSet::from([500]) } else { BTreeSet::new() };
    };
    let mut statuses = BTreeSet::from([401, 429, 500, 503]);
    let writes = scope != "read";
    if writes {
        statuses.insert(403);
    }
    if writes && method != "get" {
        statuses.insert(409);
    }
    if operation.contains_key("requestBody") {
        statuses.extend([400, 413, 415]);
        if operation.get("tags").is_some_and(|tags| tags.as_array().is_some_and(|tags| tags.contains(&json!("openai")))) {
            // A model or a file that the body names may not be there.
            statuses.insert(404);
        }
    }
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    for parameter in parameters {
        match parameter["in"].as_str() {
            Some("path") => statuses.insert(404),
            Some("query") => statuses.insert(400),
            Some(_) | None => false,
        };
    }
    let streams = operation.get("requestBody").is_some_and(|body| body["content"].get("multipart/form-data").is_some());
    statuses.insert(if streams { 408 } else { 504 });
    statuses
}

/// Whether a route says no more of it than that it is an error.
fn is_bare_error(response: &Value) -> bool {
    response.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str) == Some("#/components/schemas/ErrorBody")
}

fn finish(response: &mut Object, examples: &Examples) {
    if response.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
        let said = examples.description(response).unwrap_or_else(|| "It is done.".into());
        response.insert("description".into(), said.into());
    }
    if let Some(headers) = response.entry("headers").or_insert_with(|| json!({})).as_object_mut() {
        headers.insert("x-request-id".into(), json!({"$ref": "#/components/headers/x-request-id"}));
    }
    if let Some(content) = response.get_mut("content") {
        examples.fill(content, true);
        if let Some(events) = content.get_mut("text/event-stream") {
            let data = events["schema"].take();
            events["schema"] = event(&data);
        }
    }
}

/// One of the events of a stream, whose data are a text that holds the JSON.
fn event(data: &Value) -> Value {
    json!({
        "type": "object",
        "description": "An event of the stream; the last of OpenAI's streams has the data `[DONE]`.",
        "required": ["data"],
        "properties": {
            "event": {"type": "string"},
            "data": {"anyOf": [
                {"const": "[DONE]"},
                {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
            ]}
        }
    })
}

fn doubled_ids(api: &Value) -> BTreeSet<String> {
    let mut seen = BTreeMap::<&str, usize>::new();
    let items = api["paths"].as_object().into_iter().flat_map(Object::values).filter_map(Value::as_object);
    for id in items.flat_map(Object::values).filter_map(|operation| operation["operationId"].as_str()) {
        *seen.entry(id).or_default() += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id.to_owned()).collect()
}

fn derived_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn name(status: u16) -> String {
    format!("Error{status}")
}

fn reference(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/{}", name(status))})
}

/// One response for each status, with an example for each code.
fn errors() -> BTreeMap<u16, Value> {
    let mut by_status = BTreeMap::<u16, Vec<ErrorCode>>::new();
    for code in ErrorCode::ALL {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (status, error(status, &codes))).collect()
}

fn error(status: u16, codes: &[ErrorCode]) -> Value {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let words: Vec<_> = codes.iter().map(|code| format!("`{}`", code.word())).collect();
    let example = |code: &ErrorCode| {
        let error = json!({"message": code.meaning(), "type": code.kind(), "param": null, "code": code.word()});
        (code.word(), json!({"summary": code.meaning(), "value": {"error": error}}))
    };
    let mut headers = json!({"x-request-id": {"$ref": "#/components/headers/x-request-id"}});
    match status {
        401 => headers["www-authenticate"] = json!({"$ref": "#/components/headers/www-authenticate"}),
        429 | 503 => headers["retry-after"] = json!({"$ref": "#/components/headers/retry-after"}),
        _ => {}
    }
    json!({
        "description": format!("{reason}: {}.", words.join(", ")),
        "headers": headers,
        "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/ErrorBody"},
            "examples": codes.iter().map(example).collect::<Object>()
        }}
    })
}

fn headers() -> Value {
    json!({
        "x-request-id": {
            "description": "The caller's own id where it sent one of 1 to 128 letters, digits, -, _ or ., else a new one. The log has it.",
            "required": true,
            "schema": {"type": "string"},
            "example": "req_0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10"
        },
        "retry-after": {
            "description": "Seconds after which to try again, where that is known.",
            "schema": {"type": "integer", "minimum": 1},
            "example": 5
        },
        "www-authenticate": {
            "description": "That a key is wanted.",
            "required": true,
            "schema": {"type": "string"},
            "example": "Bearer"
        }
    })
}
