//! Two operators: one leads, and when it is gone at once, the other takes over.

use std::time::{Duration, Instant};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, api::DeleteParams};
use ragline_crds::ConditionType;
use serde_json::json;

use super::world::{OPERATOR_NAMESPACE, RELEASE, World, scale};

async fn holder(leases: &Api<Lease>) -> String {
    let lease = leases.get(RELEASE).await.unwrap();
    lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_by_another() {
    let world = World::alone("leader").await;
    tokio::task::spawn_blocking(|| scale(2)).await.unwrap();
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), OPERATOR_NAMESPACE);
    let begun = Instant::now();
    let first = loop {
        let first = holder(&leases).await;
        if pods.get_opt(&first).await.unwrap().is_some() {
            break first;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "nobody leads: {first}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    pods.delete(&first, &at_once).await.unwrap();
    let begun = Instant::now();
    let second = loop {
        let now = holder(&leases).await;
        if now != first && !now.is_empty() {
            break now;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "nobody took over from {first}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    println!("{second} took over after {:.1} s", begun.elapsed().as_secs_f64());

    // The new leader works.
    let spec = json!({"cache": {"managed": {"maxMemory": "1Gi", "resources": {"limits": {"memory": "256Mi"}}}}});
    world.apply("a", spec).await.unwrap();
    world.wait_reason("a", ConditionType::Stalled, "SpecInvalid", 30).await;
    tokio::task::spawn_blocking(|| scale(1)).await.unwrap();
    world.end().await;
}
