//! A pipeline on a PostgreSQL that CloudNativePG runs, as it runs for its users: the cluster must have it installed. The pipeline comes
//! up, searches on the standby, and loses its primary under searches and writes.

use std::{
    collections::BTreeMap,
    future::ready,
    pin::pin,
    time::{Duration, Instant},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use ragline_crds::{ConditionType, RagPipeline};
use serde_json::{Value, json};

use super::{
    api::Gateway,
    load::Load,
    programs::{kubeconfig, kubectl, program},
    replicas::searched,
    world::{World, condition},
    writes::{Writes, Written},
};

const DEFINITION: &str = "clusters.postgresql.cnpg.io";
/// Time between two searches: 20 a second.
const PACE: Duration = Duration::from_millis(50);
/// Searches that are counted by the standby, each of which looks at chunks more than once.
const SEARCHES: u64 = 20;
/// Writes are taken again so many seconds after another primary has its role. Until then they wait for CloudNativePG, which holds it back
/// until the lease of the one that was lost has run out (15 s by its default), so that there are never two.
const WRITES_WITHIN: f64 = 5.0;
/// Looks at chunks that a server has seen.
const LOOKS: &str = "SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) FROM pg_stat_user_tables WHERE relname = 'chunk'";

fn spec(network_policy: bool) -> Value {
    let small = json!({"requests": {"cpu": "50m", "memory": "256Mi"}});
    json!({
        "postgres": {"cloudNativePg": {
            "instances": 2, "storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}},
        }},
        "cache": {"disabled": {}},
        "gateway": {"replicas": 1, "resources": small},
        "logging": {"queries": false},
        "networkPolicy": {"enabled": network_policy},
    })
}

/// Fails at once, and before anything is installed, where CloudNativePG is not there.
fn is_installed() {
    let asked = program("kubectl").args(["get", "crd", DEFINITION]).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    let cluster = kubeconfig();
    assert!(asked.status.success(), "install CloudNativePG on the cluster of {}, which has none: {said}", cluster.display());
}

/// The primary's pod, by what CloudNativePG says.
async fn primary(world: &World) -> String {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("postgresql.cnpg.io", "v1", "Cluster"), "clusters");
    let clusters: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &kind);
    clusters.get("a-postgres").await.unwrap().data["status"]["currentPrimary"].as_str().unwrap().to_owned()
}

/// What a statement gives in one of the pods.
fn sql(world: &World, pod: &str, statement: &str) -> String {
    let psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname=ragline", "--command", statement];
    let exec = ["-n", &world.namespace, "exec", pod, "-c", "postgres", "--"];
    kubectl(&[&exec[..], &psql[..]].concat()).trim().to_owned()
}

/// Searches, and waits until the standby has looked at chunks for it, and the primary has not.
async fn searches_on_the_standby(world: &World, gateway: &Gateway) {
    let primary = primary(world).await;
    let standby = ["a-postgres-1", "a-postgres-2"].into_iter().find(|pod| *pod != primary).unwrap();
    let looks = || [standby, primary.as_str()].map(|pod| sql(world, pod, LOOKS).parse::<u64>().unwrap());
    let before = looks();
    for number in 0..SEARCHES {
        gateway.search(&format!("tramway {number}")).await;
    }
    // Each backend tells of what it did up to ten seconds later.
    let begun = Instant::now();
    loop {
        let now = looks();
        let [standby, primary] = [0, 1].map(|server| now[server] - before[server]);
        if standby >= SEARCHES {
            println!("{SEARCHES} searches: {standby} looks at chunks on the standby, {primary} on the primary");
            assert!(primary < SEARCHES, "searches go to the primary");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{standby} looks at chunks on the standby, {primary} on the primary");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// How many chunks each document has, by its name.
async fn stored(gateway: &Gateway) -> BTreeMap<String, u64> {
    let mut stored = BTreeMap::new();
    for document in gateway.documents().await {
        let name = document["source"].as_str().unwrap().to_owned();
        assert!(stored.insert(name.clone(), document["chunks"].as_u64().unwrap()).is_none(), "{name} is there twice");
    }
    stored
}

/// Waits until every accepted document is stored, with its one chunk.
async fn all_stored(gateway: &Gateway, written: &Written) {
    let begun = Instant::now();
    let missing = loop {
        let stored = stored(gateway).await;
        let missing: Vec<_> =
            written.accepted.iter().filter(|(name, _)| stored.get(name) != Some(&1)).map(|(name, _)| name).collect();
        if missing.is_empty() || begun.elapsed() > Duration::from_secs(120) {
            break missing.len();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    println!("{missing} of {} accepted documents are lost", written.accepted.len());
    assert_eq!(missing, 0);
}

/// When another pod than the lost one was given the primary's role.
async fn promoted(pods: Api<Pod>, lost: String) -> Instant {
    let primaries = watcher::Config::default().labels("cnpg.io/cluster=a-postgres,cnpg.io/instanceRole=primary");
    let others = watcher(pods, primaries).default_backoff().applied_objects();
    let mut others = pin!(others.filter(|pod| ready(pod.as_ref().is_ok_and(|pod| pod.name_any() != lost))));
    others.next().await.expect("a watch has no end").unwrap();
    Instant::now()
}

fn replicated_by_another(lost: &str) -> impl Fn(&RagPipeline) -> Option<String> {
    move |pipeline| {
        let database = condition(pipeline, ConditionType::DatabaseReady)?;
        (database.reason == "Replicated" && !database.message.contains(lost)).then_some(database.message)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_on_cloud_native_pg_outlives_its_primary() {
    tokio::task::spawn_blocking(is_installed).await.unwrap();
    let world = World::alone("failover").await;
    let begun = Instant::now();
    world.apply("a", spec(true)).await.unwrap();
    world.wait("a", ConditionType::Ready, "True", 600).await;
    println!("apply to Ready: {:.1} s", begun.elapsed().as_secs_f64());
    let first = primary(&world).await;
    world.wait_reason("a", ConditionType::DatabaseReady, "Replicated", 300).await;
    println!("apply to Replicated: {:.1} s", begun.elapsed().as_secs_f64());
    let urls = world.api::<Secret>().get("a-postgres-app").await.unwrap().data.unwrap()["DATABASE_REPLICA_URLS"].0.clone();
    assert!(String::from_utf8(urls).unwrap().contains("@a-postgres-ro."), "searches have the standbys' address");

    // Through the NetworkPolicies.
    searched(&world, 1).await;
    let gateway = Gateway::of(&world, "a").await;
    gateway.ingest(&[("tramway.md", "# Tramway\n\nThe tramway runs every ten minutes.\n")]).await;
    let found = gateway.search("tramway").await;
    assert!(found["data"][0]["source"]["filename"] == "tramway.md", "what was just stored is found: {found}");
    searches_on_the_standby(&world, &gateway).await;
    drop(gateway);

    // The load comes from outside the cluster's network.
    world.apply("a", spec(false)).await.unwrap();
    world.wait("a", ConditionType::Reconciling, "False", 120).await;
    searched(&world, 1).await;
    let searches = Load::begin(&world, PACE, true).await;
    let writes = Writes::begin(&world).await;
    writes.succeed(30).await;
    let pods: Api<Pod> = world.api();
    let promoted = tokio::spawn(promoted(pods.clone(), first.clone()));
    let killed = Instant::now();
    pods.delete(&first, &DeleteParams::default().grace_period(0)).await.unwrap();
    let told = world.wait_event("a", "FailingOver").await;
    println!("{:.1} s after the primary was lost: {told}", killed.elapsed().as_secs_f64());
    let message = world.wait_for("a", "another primary", 300, replicated_by_another(&first)).await;
    println!("{:.1} s after the primary was lost: {message}", killed.elapsed().as_secs_f64());
    searched(&world, 1).await;
    println!("{:.1} s after the primary was lost searches go to the standby again", killed.elapsed().as_secs_f64());
    writes.succeed(30).await;
    let (searches, written) = (searches.end().await, writes.end().await);

    println!("{} of {} searches failed", searches.failures.len(), searches.sent);
    let promoted = promoted.await.unwrap();
    let again = written.first_after(promoted);
    println!(
        "another primary {:.1} s after it was lost, writes {again:.1} s later",
        promoted.duration_since(killed).as_secs_f64()
    );
    let (accepted, refused, gap) = (written.accepted.len(), written.failures.len(), written.longest_gap());
    println!("{accepted} uploads accepted, {refused} refused, at most {gap:.1} s without an accepted one");
    for failure in &written.failures {
        println!("{:+.2} s: {}", failure.sent.duration_since(killed).as_secs_f64(), failure.what);
    }
    all_stored(&Gateway::of(&world, "a").await, &written).await;
    assert!(searches.failures.is_empty(), "{:?}", searches.failures.first());
    assert!(again < WRITES_WITHIN, "{again:.1} s without an accepted upload");
    world.wait("a", ConditionType::Ready, "True", 60).await;
    world.wait_reason("a", ConditionType::DatabaseReady, "Replicated", 60).await;
    world.end().await;
}
