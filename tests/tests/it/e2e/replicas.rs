//! A pipeline with read replicas: they follow the primary through the NetworkPolicies, searches go on while the primary or a replica is
//! killed, and their number changes without a restart of the primary.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::{Api, api::ListParams};
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{
    api::Gateway,
    faults::under_load,
    load::{Load, Outcome},
    rotation::in_postgres,
    world::World,
};

/// Time between two questions while the number of replicas changes.
const PACE: Duration = Duration::from_millis(50);

fn spec(replicas: u32, network_policy: bool) -> Value {
    let small = json!({"requests": {"cpu": "20m", "memory": "256Mi"}});
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": small, "replicas": replicas, "tls": {"enabled": true}}},
        "cache": {"disabled": {}},
        "gateway": {"replicas": 1, "resources": small},
        "logging": {"queries": false},
        "networkPolicy": {"enabled": network_policy},
    })
}

/// Waits until all replicas follow and all parts are rolled out.
async fn replicated(world: &World, replicas: u32) {
    let reason = if replicas == 0 { "SinglePrimary" } else { "Replicated" };
    world.wait_reason("a", ConditionType::DatabaseReady, reason, 300).await;
    world.wait("a", ConditionType::Reconciling, "False", 180).await;
    world.wait("a", ConditionType::Ready, "True", 60).await;
}

/// Waits until the gateway searches on so many replicas.
pub(super) async fn searched(world: &World, replicas: u64) {
    let gateway = Gateway::of(world, "a").await;
    let begun = Instant::now();
    loop {
        let ready = gateway.get("/readyz").await;
        if ready["replicas"]["healthy"].as_u64().unwrap_or(0) == replicas {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the gateway does not search on {replicas} replicas: {ready}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The primary's pod and how often its container was started again.
pub(super) async fn primary(world: &World) -> (String, i32) {
    let pod = world.api::<Pod>().get("a-postgres-0").await.unwrap();
    let restarts = pod.status.unwrap().container_statuses.unwrap()[0].restart_count;
    (pod.metadata.uid.unwrap(), restarts)
}

async fn claims_of_replicas(world: &World) -> usize {
    let claims: Api<PersistentVolumeClaim> = world.api();
    let of_replicas = ListParams::default().labels("app.kubernetes.io/component=replica");
    claims.list(&of_replicas).await.unwrap().items.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_go_on_while_the_primary_or_a_replica_is_killed() {
    // Alone, since the load takes what the other tests need.
    let world = World::alone("replicas").await;
    world.apply("a", spec(0, true)).await.unwrap();
    replicated(&world, 0).await;
    Gateway::of(&world, "a").await.ingest(&[("a.md", "# Lighthouse\n\nThe lighthouse is lit at dusk.\n")]).await;
    let before = primary(&world).await;

    // The first replica is copied and followed through the NetworkPolicies.
    world.apply("a", spec(1, true)).await.unwrap();
    replicated(&world, 1).await;
    searched(&world, 1).await;
    assert_eq!(primary(&world).await, before, "a replica must not restart the primary");
    let encrypted = "SELECT count(*) = 1 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)";
    assert_eq!(in_postgres(&world, &["psql", "-U", "postgres", "-Atc", encrypted]).trim(), "t", "the replica follows over TLS");
    let urls = world.api::<Secret>().get("a-postgres-app").await.unwrap().data.unwrap()["DATABASE_REPLICA_URLS"].0.clone();
    assert!(String::from_utf8(urls).unwrap().contains("@a-replica-0.a-replica."), "each replica has an address of its own");
    let gateway = Gateway::of(&world, "a").await;
    gateway.ingest(&[("b.md", "# Tramway\n\nThe tramway runs every ten minutes.\n")]).await;
    let found = gateway.search("tramway").await;
    assert!(found["data"][0]["source"]["filename"] == "b.md", "what was just stored is found: {found}");
    let documents = gateway.get("/v1/documents").await;
    drop(gateway);

    // The load comes from outside the cluster's network.
    world.apply("a", spec(1, false)).await.unwrap();
    replicated(&world, 1).await;
    searched(&world, 1).await;
    for component in ["postgres", "replica"] {
        let outcome = under_load(&world, component).await;
        assert!(outcome.failures.is_empty(), "{component} was killed: {:?}", outcome.failures.first());
        replicated(&world, 1).await;
        searched(&world, 1).await;
    }
    let gateway = Gateway::of(&world, "a").await;
    assert_eq!(gateway.get("/v1/documents").await, documents, "what was stored is there");
    drop(gateway);

    // Up and down again under searches. The volume of a replica goes with it.
    let before = primary(&world).await;
    let load = Load::begin(&world, PACE, true).await;
    world.apply("a", spec(2, false)).await.unwrap();
    replicated(&world, 2).await;
    searched(&world, 2).await;
    world.apply("a", spec(0, false)).await.unwrap();
    replicated(&world, 0).await;
    let Outcome { sent, failures, .. } = load.end().await;
    println!("replicas from 1 to 2 to 0: {} of {sent} questions failed", failures.len());
    assert!(failures.is_empty(), "{:?}", failures.first());
    assert_eq!(primary(&world).await, before, "the primary must not restart");
    // A pod may take its two minutes to end, and its volume goes after it.
    let begun = Instant::now();
    while claims_of_replicas(&world).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(180), "the volumes of replicas that are no more are still there");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    world.end().await;
}
