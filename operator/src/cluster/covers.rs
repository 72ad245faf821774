//! Whether a live object already has everything that an object to apply says. Pure. What the API server fills in, and what
//! others add, does not count; a difference is named by its path.

use ragline_crds::spec::Quantity;
use serde_json::Value;

use crate::plan::quantity::thousandths;

/// The first field in which `live` falls short of `wanted`, or nothing where it has it all.
pub fn difference(wanted: &Value, live: &Value) -> Option<String> {
    walk(wanted, live, "")
}

fn walk(wanted: &Value, live: &Value, path: &str) -> Option<String> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match live.get(key) {
                Some(live) => walk(value, live, &path),
                None if is_empty(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(wanted), Value::Array(live)) => walk_list(wanted, live, path),
        (wanted, live) if wanted == live || same_quantity(wanted, live, path) => None,
        (_, _) => Some(path.to_owned()),
    }
}

/// Lists of objects are matched by element, since others may have added some; lists of plain values must be the same.
fn walk_list(wanted: &[Value], live: &[Value], path: &str) -> Option<String> {
    if !wanted.iter().any(Value::is_object) {
        return (wanted != live).then(|| path.to_owned());
    }
    // One more rule of a NetworkPolicy lets somebody in whom the pipeline does not.
    let is_closed = path.starts_with(".spec.ingress") || path.starts_with(".spec.egress");
    if is_closed && wanted.len() != live.len() {
        return Some(path.to_owned());
    }
    wanted.iter().enumerate().find_map(|(at, value)| {
        let path = format!("{path}[{at}]");
        let named = value.get("name").and_then(|name| live.iter().find(|live| live.get("name") == Some(name)));
        match named {
            Some(live) => walk(value, live, &path),
            None if live.iter().any(|live| walk(value, live, &path).is_none()) => None,
            None => Some(path),
        }
    })
}

/// An absent field is the same as an empty one.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The API server writes quantities in its own form: `0.5` comes back as `500m`.
fn same_quantity(wanted: &Value, live: &Value, path: &str) -> bool {
    let holds_quantities = [".requests.", ".limits.", ".sizeLimit"].iter().any(|part| path.contains(part));
    let (Some(wanted), Some(live)) = (text(wanted), text(live)) else { return false };
    let amount = |text: String| thousandths(&Quantity(text));
    holds_quantities && amount(wanted).is_some_and(|wanted| amount(live) == Some(wanted))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_fills_in_is_no_difference() {
        let wanted = json!({"spec": {"containers": [{"name": "a", "image": "x"}], "nodeSelector": {}}});
        let live = json!({"spec": {"containers": [{"name": "sidecar"}, {"name": "a", "image": "x", "tty": false}], "dnsPolicy": "Default"}});
        assert_eq!(difference(&wanted, &live), None);
    }

    #[test]
    fn an_edit_is_named_by_its_path() {
        let wanted = json!({"spec": {"containers": [{"name": "a", "image": "x", "args": ["1", "2"]}]}});
        let edited = json!({"spec": {"containers": [{"name": "a", "image": "y", "args": ["1", "2"]}]}});
        assert_eq!(difference(&wanted, &edited).as_deref(), Some(".spec.containers[0].image"));
        let longer = json!({"spec": {"containers": [{"name": "a", "image": "x", "args": ["1", "2", "3"]}]}});
        assert_eq!(difference(&wanted, &longer).as_deref(), Some(".spec.containers[0].args"));
        let gone = json!({"spec": {"containers": []}});
        assert_eq!(difference(&wanted, &gone).as_deref(), Some(".spec.containers[0]"));
    }

    #[test]
    fn a_rule_that_somebody_added_to_a_network_policy_is_a_difference() {
        let peer = |name: &str| json!({"podSelector": {"matchLabels": {"a": name}}});
        let wanted = json!({"spec": {"ingress": [{"from": [peer("x")]}], "egress": []}});
        assert_eq!(difference(&wanted, &json!({"spec": {"ingress": [{"from": [peer("x")]}]}})), None);
        let another = json!({"spec": {"ingress": [{"from": [peer("x"), peer("y")]}]}});
        assert_eq!(difference(&wanted, &another).as_deref(), Some(".spec.ingress[0]"));
        let outward = json!({"spec": {"ingress": [{"from": [peer("x")]}], "egress": [{}]}});
        assert_eq!(difference(&wanted, &outward).as_deref(), Some(".spec.egress"));
    }

    #[test]
    fn quantities_are_compared_by_value_where_quantities_stand() {
        let cases =
            [("0.5", "500m", true), ("1024Mi", "1Gi", true), ("1", "1000m", true), ("1Gi", "1G", false), ("x", "y", false)];
        for (wanted, live, same) in cases {
            let object = |text: &str| json!({"resources": {"requests": {"cpu": text}}});
            assert_eq!(difference(&object(wanted), &object(live)).is_none(), same, "{wanted} and {live}");
            let label = |text: &str| json!({"labels": {"cpu": text}});
            assert!(difference(&label(wanted), &label(live)).is_some());
        }
    }
}
