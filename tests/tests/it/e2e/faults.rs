//! Parts are killed without warning while the pipeline is searched: how long it does not answer, and that nothing is lost.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};

use super::{
    api::Gateway,
    load::{Load, Outcome},
    rollout::start,
    world::World,
};

/// Time between two questions, each of which is embedded and searched.
const PACE: Duration = Duration::from_millis(50);
/// PostgreSQL may be away for so many seconds.
const DATABASE_GAP: f64 = 15.0;
/// A gateway that vanished is asked for so many seconds at most: until no Service leads to it.
const GATEWAY_GAP: f64 = 5.0;

/// Kills the first pod of a part as a crash would, and waits until it is replaced and ready.
async fn kill(world: &World, component: &str) {
    let pods: Api<Pod> = world.api();
    let of_part = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let found = pods.list(&of_part).await.unwrap().items;
    let (count, victim) = (found.len(), found[0].metadata.clone());
    pods.delete(&victim.name.unwrap(), &DeleteParams::default().grace_period(0)).await.unwrap();
    let is_ready = |pod: &&Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        pod.metadata.uid != victim.uid
            && conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    let begun = Instant::now();
    while pods.list(&of_part).await.unwrap().items.iter().filter(is_ready).count() < count {
        assert!(begun.elapsed() < Duration::from_secs(120), "{component} did not come back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What became of the questions while a part was killed.
pub(super) async fn under_load(world: &World, component: &str) -> Outcome {
    let load = Load::begin(world, PACE, true).await;
    kill(world, component).await;
    let outcome = load.end().await;
    let (gap, failed) = (outcome.gap(), outcome.failures.len());
    println!("{component} killed: {failed} of {} questions failed, within {gap:.1} s", outcome.sent);
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_killed_comes_back_and_nothing_is_lost() {
    // Alone, since the load takes what the other tests need.
    let world = World::alone("faults").await;
    start(&world).await;
    let documents = Gateway::of(&world, "a").await.get("/v1/documents").await;

    let cache = under_load(&world, "cache").await;
    assert!(cache.failures.is_empty(), "without a cache everything is answered: {:?}", cache.failures);
    let gateway = under_load(&world, "gateway").await;
    assert!(gateway.gap() < GATEWAY_GAP, "{:.1} s: {:?}", gateway.gap(), gateway.failures);
    let database = under_load(&world, "postgres").await;
    assert!(database.gap() < DATABASE_GAP, "{:.1} s: {:?}", database.gap(), database.failures.last());
    let refused = database.failures.iter().all(|failure| failure.what.starts_with("503"));
    assert!(
        refused,
        "a database that is away is told by 503: {:?}",
        database.failures.iter().find(|f| !f.what.starts_with("503"))
    );

    let gateway = Gateway::of(&world, "a").await;
    assert_eq!(gateway.get("/v1/documents").await, documents, "what was stored is there");
    assert!(!gateway.search("lighthouse").await["data"].as_array().unwrap().is_empty());
    world.end().await;
}
