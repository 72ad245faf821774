//! A change of the configuration rolls the gateways under load, and no request fails.

use std::time::Duration;

use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{
    api::Gateway,
    load::{Load, Outcome},
    programs::kubectl,
    world::World,
};

/// Time between two requests: 200 a second.
const PACE: Duration = Duration::from_millis(5);

/// Two gateways that let in what comes from outside the cluster's network.
pub(super) fn spec(level: &str) -> Value {
    let small = json!({"requests": {"cpu": "50m", "memory": "256Mi"}});
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": small}},
        "cache": {"managed": {"maxMemory": "16Mi"}},
        "gateway": {"replicas": 2, "resources": small},
        "logging": {"level": level, "queries": false},
        "networkPolicy": {"enabled": false},
    })
}

/// The pipeline `a`, with one document.
pub(super) async fn start(world: &World) {
    start_with(world, spec("info")).await;
}

/// The same of another spec.
pub(super) async fn start_with(world: &World, spec: Value) {
    world.apply("a", spec).await.unwrap();
    world.wait("a", ConditionType::Ready, "True", 300).await;
    world.wait("a", ConditionType::Reconciling, "False", 120).await;
    Gateway::of(world, "a").await.ingest(&[("a.md", "# Lighthouse\n\nThe lighthouse is lit at dusk.\n")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_under_load_fails_no_request() {
    // Alone, since the load takes what the other tests need.
    let world = World::alone("rollout").await;
    start(&world).await;
    let pods = || kubectl(&["-n", &world.namespace, "get", "pods", "-l", "app.kubernetes.io/component=gateway", "-o", "name"]);
    let before = pods();
    let load = Load::begin(&world, PACE, false).await;
    world.apply("a", spec("debug")).await.unwrap();
    world.wait("a", ConditionType::Reconciling, "True", 30).await;
    world.wait("a", ConditionType::Reconciling, "False", 180).await;
    kubectl(&["-n", &world.namespace, "rollout", "status", "deployment/a-gateway", "--timeout=60s"]);
    for pod in before.lines() {
        kubectl(&["-n", &world.namespace, "wait", "--for=delete", pod, "--timeout=60s"]);
    }
    let Outcome { sent, seconds, failures, .. } = load.end().await;
    println!("{sent} requests in {seconds:.1} s of a rolling update, {} failed", failures.len());
    assert!(failures.is_empty(), "{} failed, such as {:?}", failures.len(), &failures[..failures.len().min(3)]);
    assert!(before.lines().all(|pod| !pods().contains(pod)), "the gateways were not replaced");
    assert!(sent as f64 / seconds > 100.0, "only {:.0} requests a second were sent", sent as f64 / seconds);
    world.end().await;
}
