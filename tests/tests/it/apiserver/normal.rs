//! Objects of different namespaces, told in the same words: what is drawn, counted or dated is replaced, all else must be equal.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::{Map, Value, json};

/// Objects by kind and name.
pub(super) type Snapshot = BTreeMap<String, Value>;

/// What stands before the hash in the name of a schema Job, and the characters of that.
const SCHEMA_JOB: &str = "-schema-";
const HASH_CHARS: usize = 10;

/// How exactly objects are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exactness {
    /// With who owns which field and how many roll-outs there were: the same way led here.
    Way,
    /// What holds now, whatever was before.
    State,
}

/// The object in the common words.
pub(super) fn normal(kind: &str, object: &DynamicObject, namespace: &str, exactness: Exactness) -> Value {
    let owners_uids = object.metadata.owner_references.iter().flatten().map(|owner| owner.uid.clone());
    let uids: Vec<String> = object.metadata.uid.clone().into_iter().chain(owners_uids).collect();
    let mut value = serde_json::to_value(object).unwrap();
    remove(&mut value, &["status"]);
    let metadata = value["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "selfLink"] {
        metadata.remove(key);
    }
    let fields = metadata.remove("managedFields").map(|fields| owners(&fields));
    if exactness == Exactness::Way {
        metadata.insert("managedFields".to_owned(), fields.unwrap_or_default());
    } else if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if kind == "Secret" {
        secret(&mut value);
    }
    addresses(&mut value);
    hashes(&mut value);
    let text = uids.iter().fold(value.to_string(), |text, uid| text.replace(uid, "<uid>"));
    serde_json::from_str(&words(&text, namespace)).unwrap()
}

/// A text in the common words: the namespace has a drawn name, and so has the schema Job, by the password that was drawn first.
pub(super) fn words(text: &str, namespace: &str) -> String {
    let text = text.replace(namespace, "<namespace>");
    let mut pieces = text.split(SCHEMA_JOB);
    let mut told = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let hash = piece.bytes().take_while(u8::is_ascii_hexdigit).count();
        told.push_str(SCHEMA_JOB);
        told.push_str(if hash == HASH_CHARS { "<hash>" } else { &piece[..hash] });
        told.push_str(&piece[hash..]);
    }
    told
}

/// Field managers of ours with what they own; those of controllers write as often as they like.
fn owners(fields: &Value) -> Value {
    let ours = |entry: &&Value| entry["manager"].as_str().is_some_and(|manager| manager.starts_with("ragline"));
    let told = |entry: &Value| json!([entry["manager"], entry["operation"], entry["subresource"], entry["fieldsV1"]]);
    let mut owners: Vec<_> = fields.as_array().into_iter().flatten().filter(ours).map(told).collect();
    owners.sort_by_key(ToString::to_string);
    Value::Array(owners)
}

/// Passwords are drawn.
fn secret(value: &mut Value) {
    for drawn in value.get_mut("data").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        *drawn = json!("<drawn>");
    }
}

/// Addresses are given by the API server.
fn addresses(value: &mut Value) {
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for key in ["clusterIP", "clusterIPs"] {
        if let Some(address) = spec.get_mut(key).filter(|address| !address.to_string().contains("None")) {
            *address = json!("<address>");
        }
    }
}

/// Hashes of what was drawn. Whether they are right is shown by a trip that has nothing to write.
fn hashes(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if ["ragline.dev/applied", "ragline.dev/secrets-hash"].contains(&key.as_str()) && value.is_string() {
                    *value = json!("<hash>");
                } else {
                    hashes(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hashes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The status of a pipeline, without when its conditions changed.
pub(super) fn status(mut status: Value, namespace: &str, exactness: Exactness) -> Value {
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        remove(condition, &["lastTransitionTime"]);
        if exactness == Exactness::State {
            remove(condition, &["observedGeneration"]);
        }
    }
    if exactness == Exactness::State {
        remove(&mut status, &["observedGeneration"]);
    }
    serde_json::from_str(&words(&status.to_string(), namespace)).unwrap()
}

fn remove(value: &mut Value, keys: &[&str]) {
    for key in keys {
        if let Some(object) = value.as_object_mut() {
            object.remove(*key);
        }
    }
}

/// The first differences between two sets of objects, each by its path.
pub(super) fn differences(wanted: &Snapshot, found: &Snapshot) -> Vec<String> {
    let mut told = Vec::new();
    for name in wanted.keys().filter(|name| !found.contains_key(*name)) {
        told.push(format!("{name} is missing"));
    }
    for (name, value) in found {
        match wanted.get(name) {
            None => told.push(format!("{name} is left behind")),
            Some(wanted) => walk(name, wanted, value, &mut told),
        }
    }
    told.truncate(12);
    told
}

fn walk(path: &str, wanted: &Value, found: &Value, told: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let keys: std::collections::BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
            for key in keys {
                let of = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                walk(&format!("{path}.{key}"), &of(wanted), &of(found), told);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                walk(&format!("{path}[{at}]"), wanted, found, told);
            }
        }
        (wanted, found) if wanted == found => {}
        (wanted, found) => told.push(format!("{path}: {found}, not {wanted}")),
    }
}
