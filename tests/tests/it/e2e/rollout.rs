//! A change of the configuration rolls the gateways under load, and no request fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::{Secret, Service};
use ragline_config::ports;
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{api::Gateway, programs::kubectl, world::World};

/// Time between two requests: 200 a second.
const PACE: Duration = Duration::from_millis(5);

fn spec(level: &str) -> Value {
    let small = json!({"requests": {"cpu": "50m", "memory": "256Mi"}});
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": small}},
        "cache": {"managed": {"maxMemory": "16Mi"}},
        "gateway": {"replicas": 2, "resources": small},
        "logging": {"level": level, "queries": false},
        // The requests come from outside the cluster's network.
        "networkPolicy": {"enabled": false},
    })
}

/// Searches at [`PACE`] on connections of their own until told to stop; gives the failures.
async fn load(url: String, key: String, stop: Arc<AtomicBool>, sent: Arc<AtomicUsize>) -> Vec<String> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).pool_max_idle_per_host(0).build().unwrap();
    let mut pace = tokio::time::interval(PACE);
    let mut requests = tokio::task::JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        sent.fetch_add(1, Ordering::Relaxed);
        let request = http.post(format!("{url}/v1/search")).bearer_auth(&key).json(&json!({"query": "lighthouse"}));
        requests.spawn(async move {
            match request.send().await {
                Ok(reply) if reply.status().is_success() => None,
                Ok(reply) => Some(format!("{}: {}", reply.status(), reply.text().await.unwrap_or_default())),
                Err(error) => Some(format!("{error:?}")),
            }
        });
    }
    requests.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_under_load_fails_no_request() {
    // Alone, since the load takes what the other tests need.
    let world = World::alone("rollout").await;
    world.apply("a", spec("info")).await.unwrap();
    world.wait("a", ConditionType::Ready, "True", 300).await;
    world.wait("a", ConditionType::Reconciling, "False", 120).await;
    Gateway::of(&world, "a").await.ingest(&[("a.md", "# Lighthouse\n\nThe lighthouse is lit at dusk.\n")]).await;
    let address = world.api::<Service>().get("a-gateway").await.unwrap().spec.unwrap().cluster_ip.unwrap();
    let secret = world.api::<Secret>().get("a-api-key").await.unwrap();
    let key = String::from_utf8(secret.data.unwrap()["api-key"].0.clone()).unwrap();
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("http://{address}:{}", ports::GATEWAY_HTTP);
    let load = tokio::spawn(load(url, key, stop.clone(), sent.clone()));

    let pods = || kubectl(&["-n", &world.namespace, "get", "pods", "-l", "app.kubernetes.io/component=gateway", "-o", "name"]);
    let before = pods();
    let begun = std::time::Instant::now();
    world.apply("a", spec("debug")).await.unwrap();
    world.wait("a", ConditionType::Reconciling, "True", 30).await;
    world.wait("a", ConditionType::Reconciling, "False", 180).await;
    kubectl(&["-n", &world.namespace, "rollout", "status", "deployment/a-gateway", "--timeout=60s"]);
    for pod in before.lines() {
        kubectl(&["-n", &world.namespace, "wait", "--for=delete", pod, "--timeout=60s"]);
    }
    stop.store(true, Ordering::Relaxed);
    let failures = load.await.unwrap();
    let (sent, seconds) = (sent.load(Ordering::Relaxed), begun.elapsed().as_secs_f64());
    println!("{sent} requests in {seconds:.1} s of a rolling update, {} failed", failures.len());
    assert!(failures.is_empty(), "{} failed, such as {:?}", failures.len(), &failures[..failures.len().min(3)]);
    assert!(before.lines().all(|pod| !pods().contains(pod)), "the gateways were not replaced");
    assert!(sent as f64 / seconds > 100.0, "only {:.0} requests a second were sent", sent as f64 / seconds);
    world.end().await;
}
