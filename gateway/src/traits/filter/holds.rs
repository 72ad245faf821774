//! What a filter means, in plain words of Rust.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Filter, Scalar};
use crate::traits::{ingest::Metadata, search::CollectionId};

impl Filter {
    /// Whether a passage of this collection with these metadata may be returned.
    pub fn holds(&self, collection: CollectionId, metadata: &Metadata) -> bool {
        match self {
            Self::Contains(object) => contains_object(metadata, object),
            Self::Compare { key, comparison } => comparison.holds(&values(metadata.get(key))),
            Self::All(filters) => filters.iter().all(|filter| filter.holds(collection, metadata)),
            Self::Any(filters) => filters.iter().any(|filter| filter.holds(collection, metadata)),
            Self::Within(collections) => collections.contains(&collection),
        }
    }
}

impl Comparison {
    fn holds(&self, values: &[Scalar]) -> bool {
        let any = |wanted: &Scalar, passes: fn(Ordering) -> bool| values.iter().any(|v| order(v, wanted).is_some_and(passes));
        match self {
            Self::Eq(wanted) => any(wanted, Ordering::is_eq),
            Self::Ne(wanted) => !any(wanted, Ordering::is_eq),
            Self::Gt(wanted) => any(wanted, Ordering::is_gt),
            Self::Gte(wanted) => any(wanted, Ordering::is_ge),
            Self::Lt(wanted) => any(wanted, Ordering::is_lt),
            Self::Lte(wanted) => any(wanted, Ordering::is_le),
            Self::In(list) => list.iter().any(|wanted| any(wanted, Ordering::is_eq)),
            Self::Nin(list) => !list.iter().any(|wanted| any(wanted, Ordering::is_eq)),
        }
    }
}

/// What of a value can be compared: itself, or the items of a list.
fn values(value: Option<&Value>) -> Vec<Scalar> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Scalar::of).collect(),
        Some(value) => Scalar::of(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// `None` for two types.
fn order(left: &Scalar, right: &Scalar) -> Option<Ordering> {
    match (left, right) {
        (Scalar::Bool(left), Scalar::Bool(right)) => Some(left.cmp(right)),
        (Scalar::Number(left), Scalar::Number(right)) => left.partial_cmp(right),
        (Scalar::Text(left), Scalar::Text(right)) => Some(left.cmp(right)),
        (Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_), _) => None,
    }
}

fn contains_object(held: &Metadata, wanted: &Metadata) -> bool {
    wanted.iter().all(|(key, wanted)| held.get(key).is_some_and(|held| contains(held, wanted)))
}

/// Containment of jsonb below the outermost object: types agree, and each item of a list is in the other list, wherever.
fn contains(held: &Value, wanted: &Value) -> bool {
    match (held, wanted) {
        (Value::Object(held), Value::Object(wanted)) => contains_object(held, wanted),
        (Value::Array(held), Value::Array(wanted)) => wanted.iter().all(|item| held.iter().any(|held| contains(held, item))),
        (Value::Number(held), Value::Number(wanted)) => held == wanted || held.as_f64() == wanted.as_f64(),
        (Value::Null | Value::Bool(_) | Value::String(_), wanted) => held == wanted,
        (Value::Number(_) | Value::Array(_) | Value::Object(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compare(key: &str, comparison: Comparison) -> Filter {
        Filter::Compare { key: key.into(), comparison }
    }

    fn holds(filter: &Filter, metadata: Value) -> bool {
        let Value::Object(metadata) = metadata else { panic!("no object") };
        filter.holds(CollectionId(1), &metadata)
    }

    #[test]
    fn a_missing_key_and_another_type_pass_ne_and_nin_alone() {
        for metadata in
            [json!({}), json!({"a": "5"}), json!({"a": true}), json!({"a": null}), json!({"a": {"b": 5}}), json!({"a": []})]
        {
            let five = || Scalar::Number(5.0);
            for fails in [
                Comparison::Eq(five()),
                Comparison::Gt(five()),
                Comparison::Gte(five()),
                Comparison::Lt(five()),
                Comparison::Lte(five()),
                Comparison::In(vec![five()]),
            ] {
                assert!(!holds(&compare("a", fails.clone()), metadata.clone()), "{fails:?} {metadata}");
            }
            for passes in [Comparison::Ne(five()), Comparison::Nin(vec![five()])] {
                assert!(holds(&compare("a", passes.clone()), metadata.clone()), "{passes:?} {metadata}");
            }
        }
    }

    #[test]
    fn one_item_of_a_list_is_enough_and_none_may_be_equal() {
        let list = json!({"tags": ["a", "c", 3]});
        assert!(holds(&compare("tags", Comparison::Eq(Scalar::Text("c".into()))), list.clone()));
        assert!(holds(&compare("tags", Comparison::Gt(Scalar::Number(2.0))), list.clone()));
        assert!(!holds(&compare("tags", Comparison::Ne(Scalar::Text("a".into()))), list.clone()));
        assert!(holds(&compare("tags", Comparison::Ne(Scalar::Text("b".into()))), list));
    }

    #[test]
    fn containment_is_that_of_jsonb() {
        let held = json!({"a": 1, "tags": ["x", {"y": 1, "z": 2}], "n": {"m": [1, 2]}, "none": null});
        let cases = [
            (json!({}), true),
            (json!({"a": 1.0}), true),
            (json!({"a": "1"}), false),
            (json!({"tags": ["x"]}), true),
            (json!({"tags": "x"}), false),
            (json!({"tags": [{"y": 1}]}), true),
            (json!({"n": {"m": [2]}}), true),
            (json!({"none": null}), true),
            (json!({"missing": null}), false),
        ];
        for (wanted, expected) in cases {
            let Value::Object(object) = wanted.clone() else { panic!("no object") };
            assert_eq!(holds(&Filter::Contains(object), held.clone()), expected, "{wanted}");
        }
    }

    #[test]
    fn empty_compounds_hold_for_all_and_for_none() {
        assert!(holds(&Filter::All(vec![]), json!({})));
        assert!(!holds(&Filter::Any(vec![]), json!({})));
        assert!(Filter::All(vec![Filter::Contains(Metadata::new())]).is_empty());
        assert!(!Filter::Any(vec![]).is_empty());
    }
}
