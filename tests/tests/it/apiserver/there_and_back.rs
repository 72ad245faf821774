//! Random specs on a real API server: a pipeline is changed to another spec and back, and has then what it would have had if it
//! had never been anything else. What cannot be changed is refused, and the refusal says why.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the figures")]

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, RngSeed, TestRunner},
};
use serde_json::{Value, json};

use super::{
    normal::{Exactness, Snapshot, differences},
    server::Server,
    world::World,
};
use crate::specs::{NAMES, changes};

const AT_ONCE: usize = 4;
/// What nobody owns any more is gone by then.
const COLLECTED: Duration = Duration::from_secs(60);

/// Changes to try; RAGLINE_CHANGES makes them more.
fn count() -> usize {
    std::env::var("RAGLINE_CHANGES").map_or(24, |text| text.parse().unwrap())
}

/// What a world without volumes, with few pods, can show.
fn modest(mut spec: Value) -> Value {
    for (path, most) in [("/gateway/replicas", 3), ("/ingest/workers/replicas", 2)] {
        if let Some(number) = spec.pointer_mut(path).filter(|number| number.as_u64() > Some(most)) {
            *number = json!(most);
        }
    }
    // Until there is a class of encrypted volumes, or somebody who issues certificates, nothing at all would be made.
    for (path, key) in [
        ("/postgres/managed/storage", "encryption"),
        ("/postgres/cloudNativePg/storage", "encryption"),
        ("/postgres/managed/tls", "issuerRef"),
        ("/cache/managed/tls", "issuerRef"),
        ("/gateway/tls", "issuerRef"),
    ] {
        if let Some(part) = spec.pointer_mut(path).and_then(Value::as_object_mut) {
            part.remove(key);
        }
    }
    spec
}

/// The Secrets that specs name, with every key that is asked for.
async fn secrets(world: &World) {
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
    for name in NAMES {
        let data = json!({"key": "x", "DATABASE_URL": "postgresql://a", "DATABASE_OWNER_URL": "postgresql://b"});
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        secrets.patch(name, &PatchParams::apply("test"), &Patch::Apply(object)).await.unwrap();
    }
}

/// What there is, but for what is meant to stay: the password of a cache that was there for a while, the certificates of parts that spoke
/// TLS for a while, since the operator deletes no Secrets, and the number of gateways where load decides it.
async fn found(world: &World) -> Snapshot {
    let mut found = world.snapshot("a", Exactness::State).await;
    let is_certificate = |name: &str| name.starts_with("Secret ") && name.ends_with("-tls");
    found.retain(|name, _| !["Secret a-valkey", "Secret a-ca"].contains(&name.as_str()) && !is_certificate(name));
    if found.contains_key("HorizontalPodAutoscaler a-gateway") {
        found.remove("pods of gateway");
        if let Some(spec) = found.get_mut("Deployment a-gateway").and_then(|object| object["spec"].as_object_mut()) {
            spec.remove("replicas");
        }
    }
    found
}

/// How a change went.
enum Change {
    ThereAndBack,
    Refused,
}

async fn change(server: &std::sync::Arc<Server>, before: Value, after: Value) -> Change {
    let world = World::new(server, "change").await;
    secrets(&world).await;
    let (before, after) = (modest(before), modest(after));
    world.apply("a", &before).await.unwrap_or_else(|error| panic!("a valid spec is refused: {error}: {before}"));
    assert!(world.converge(&world.operator().await, "a").await);
    let fresh = found(&world).await;
    let mut outcome = Change::ThereAndBack;
    for spec in [&after, &before] {
        if let Err(error) = world.apply("a", spec).await {
            let words = ["cannot change", "cannot shrink", "the old length", "cannot be compared"];
            assert!(words.iter().any(|words| error.to_string().contains(words)), "{error}: {before} to {after}");
            outcome = Change::Refused;
            break;
        }
        assert!(world.converge(&world.operator().await, "a").await);
    }
    if matches!(outcome, Change::ThereAndBack) {
        // Pods and volumes of what is no more are collected a while later.
        let begun = Instant::now();
        loop {
            let left = differences(&fresh, &found(&world).await);
            if left.is_empty() {
                break;
            }
            assert!(begun.elapsed() < COLLECTED, "{before} to {after} and back: {left:#?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
    world.end().await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_changed_back_is_what_it_was() {
    let server = Server::shared().await;
    let seed = std::env::var("RAGLINE_SEED").map_or_else(|_| std::process::id().into(), |text| text.parse().unwrap());
    println!("RAGLINE_SEED={seed} draws the same specs");
    let config = Config { rng_seed: RngSeed::Fixed(seed), rng_algorithm: RngAlgorithm::ChaCha, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let drawn: Vec<_> = (0..count()).map(|_| changes().new_tree(&mut runner).unwrap().current()).collect();
    let server = &server;
    let outcomes: Vec<Change> =
        stream::iter(drawn).map(|(before, after)| change(server, before, after)).buffer_unordered(AT_ONCE).collect().await;
    let back = outcomes.iter().filter(|outcome| matches!(outcome, Change::ThereAndBack)).count();
    println!("{back} pipelines went there and back, {} changes were refused", outcomes.len() - back);
    assert!(back * 3 > outcomes.len(), "{back} of {}", outcomes.len());
}
