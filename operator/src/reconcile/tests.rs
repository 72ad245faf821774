//! That a second trip wants what the first one made.

use std::collections::BTreeMap;

use ragline_crds::spec::{Cache, Empty, ManagedCache, ManagedTls};

use super::*;

/// Every trip draws, and only what is kept in a Secret may count.
#[test]
fn the_second_trip_wants_what_the_first_one_made() {
    let disabled = Cache { disabled: Some(Empty {}), ..Cache::default() };
    let tls = Some(ManagedTls { enabled: Some(true), issuer_ref: None });
    let over_tls = Cache { managed: Some(ManagedCache { tls, ..ManagedCache::default() }), ..Cache::default() };
    for cache in [None, Some(disabled), Some(over_tls)] {
        let spec = RagPipelineSpec { cache, ..RagPipelineSpec::default() };
        let defaults = Defaults::of_tests();
        let mut pipeline = RagPipeline::new("a", spec);
        pipeline.metadata.namespace = Some("team".to_owned());
        let checked = validate::validate(&pipeline, &defaults).unwrap();
        let drawn = |existing: &BTreeMap<_, _>| {
            let mut credentials = Credentials::keep("a", existing, draw::credentials().unwrap());
            credentials.certificates = certificate::keep(&checked, existing, Timestamp::now()).unwrap();
            credentials
        };
        let first = build::build(&checked, &drawn(&BTreeMap::new()));
        let kept: BTreeMap<_, _> = first
            .iter()
            .filter_map(|object| match object {
                Object::Secret(secret) => Some((secret.name_any(), (**secret).clone())),
                _ => None,
            })
            .collect();
        let second = build::build(&checked, &drawn(&kept));
        assert!(first.iter().eq(second.iter()));
    }
}
