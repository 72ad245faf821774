//! What holds of the operator's plan for any spec: it can be gone back from, nothing that Kubernetes keeps is changed, and another
//! version of the operator restarts nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, test_runner::Config};
use ragline_operator::plan::{
    build,
    certificates::{self, Certificates},
    credentials::Credentials,
    pipeline::{Defaults, Pipeline},
};
use serde_json::Value;

use crate::specs::{changes, checked, defaults, specs};

type Objects = BTreeMap<(String, String), Value>;

fn built(pipeline: &Pipeline) -> Objects {
    let certificates = Certificates::placeholders(&certificates::wanted(pipeline));
    let objects = build::build(pipeline, &Credentials { certificates, ..Credentials::placeholders() });
    objects.iter().map(|object| ((object.kind().to_owned(), object.name().to_owned()), object.to_value())).collect()
}

fn planned(spec: &Value, defaults: &Defaults) -> Objects {
    built(&checked(spec, defaults).unwrap_or_else(|problems| panic!("{problems:?}: {spec}")))
}

/// What the API server refuses to change, by kind. The operator writes a StatefulSet's claims as they are, never patches a Job, and
/// the kind of PostgreSQL, on which the type of a Secret depends, is fixed by a rule of the resource.
const FIXED: [(&str, &[&str]); 3] = [
    ("Deployment", &["/spec/selector"]),
    ("StatefulSet", &["/spec/selector", "/spec/serviceName", "/spec/podManagementPolicy"]),
    ("Service", &["/spec/clusterIP"]),
];

/// Kinds of which the operator deletes nothing but read replicas, so that what it no longer wants stays.
const STAYS: [&str; 3] = ["Secret", "StatefulSet", "Cluster"];

/// The parts of PostgreSQL that a rule of the resource fixes.
fn postgres_kind(spec: &Value) -> &'static str {
    let postgres = &spec["postgres"];
    let named = |kind: &str| postgres.get(kind).is_some();
    if named("external") {
        "external"
    } else if named("cloudNativePg") {
        "cloudNativePg"
    } else {
        "managed"
    }
}

proptest! {
    #![proptest_config(Config { cases: 300, max_shrink_iters: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_change_touches_nothing_that_kubernetes_fixes_and_leaves_secrets_of_cache_and_certificates_at_most((before, after) in changes()) {
        let (old, new) = (planned(&before, &defaults()), planned(&after, &defaults()));
        for (key, object) in &old {
            let Some(changed) = new.get(key) else { continue };
            for path in FIXED.iter().filter(|(kind, _)| *kind == key.0).flat_map(|(_, paths)| *paths) {
                prop_assert_eq!(object.pointer(path), changed.pointer(path), "{:?} {}", key, path);
            }
        }
        if postgres_kind(&before) == postgres_kind(&after) {
            let left: Vec<_> = new.keys().filter(|key| !old.contains_key(*key) && STAYS.contains(&key.0.as_str())).collect();
            // The password of a cache that was there for a while and certificates are kept, should they come back; read replicas go.
            let expected = |key: &(String, String)| match key.0.as_str() {
                "Secret" => ["a-valkey", "a-ca"].contains(&key.1.as_str()) || key.1.ends_with("-tls"),
                _ => key.1 == "a-replica",
            };
            prop_assert!(left.iter().all(|key| expected(key)), "{:?}", left);
        }
    }

    #[test]
    fn the_same_spec_gives_the_same_bytes(spec in specs()) {
        let text = |objects: &Objects| serde_json::to_string(&objects.values().collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(text(&planned(&spec, &defaults())), text(&planned(&spec, &defaults())));
    }

    /// All that a new version of the operator brings is another default for the gateways' image: it touches the pods of those
    /// that name none, and nothing else of them.
    #[test]
    fn another_version_of_the_operator_restarts_nothing_that_names_its_image(spec in specs()) {
        let newer = Defaults { gateway_image: "example.org/ragline-gateway:2".to_owned(), ..defaults() };
        let (old, new) = (planned(&spec, &defaults()), planned(&spec, &newer));
        if spec.pointer("/gateway/image").is_some() {
            prop_assert_eq!(&old, &new);
        }
        for (key, object) in old.iter().filter(|(key, _)| key.0 != "Job") {
            let text = new.get(key).map(|object| object.to_string().replace(&newer.gateway_image, &defaults().gateway_image));
            prop_assert_eq!(text, Some(object.to_string()), "{:?}", key);
            let data = ["a-postgres", "a-valkey"].contains(&key.1.as_str());
            prop_assert!(!data || new.get(key) == Some(object), "{:?}", key);
        }
    }

    #[test]
    fn where_the_operator_runs_restarts_nothing(spec in specs()) {
        let moved = Defaults { operator_namespace: "elsewhere".to_owned(), ..defaults() };
        let (old, new) = (planned(&spec, &defaults()), planned(&spec, &moved));
        let changed: BTreeSet<&str> = old.iter().filter(|(key, object)| new.get(*key) != Some(*object)).map(|(key, _)| key.0.as_str()).collect();
        prop_assert!(changed.is_subset(&BTreeSet::from(["NetworkPolicy"])), "{:?}", changed);
    }
}
