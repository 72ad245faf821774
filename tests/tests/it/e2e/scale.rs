//! How many gateways there are, by whom that is decided, and that the tools which wait for a pipeline agree with its status.

use std::time::{Duration, Instant};

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, core::v1::PersistentVolumeClaim};
use kube::{Api, api::ListParams};
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{
    programs::{kubectl, program, run},
    world::World,
};

fn spec(gateway: Value, stopped: bool) -> Value {
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}}},
        "cache": {"disabled": {}},
        "gateway": gateway,
        "stopped": stopped,
    })
}

fn gateways(scale: Value) -> Value {
    let mut gateway = json!({"resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}});
    gateway.as_object_mut().unwrap().extend(scale.as_object().unwrap().clone());
    gateway
}

async fn replicas(world: &World) -> i32 {
    let deployments: Api<Deployment> = world.api();
    deployments.get("a-gateway").await.unwrap().spec.unwrap().replicas.unwrap()
}

async fn until_replicas(world: &World, wanted: i32) {
    let begun = Instant::now();
    while replicas(world).await != wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} gateways, not {wanted}", replicas(world).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A chart with nothing but the pipeline, installed as a user would, until Helm says that it is there.
fn helm_waits(world: &World) {
    let chart = tempfile::tempdir().unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    std::fs::write(chart.path().join("Chart.yaml"), "apiVersion: v2\nname: docs\nversion: 1.0.0\n").unwrap();
    let pipeline = json!({
        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "metadata": {"name": "a"},
        "spec": spec(gateways(json!({"replicas": 1})), false),
    });
    std::fs::write(chart.path().join("templates/pipeline.yaml"), pipeline.to_string()).unwrap();
    let mut helm = program("helm");
    helm.args(["install", "docs"]).arg(chart.path());
    run(helm.args(["--namespace", &world.namespace, "--wait", "--timeout", "5m"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_pipeline_and_who_scales_it_agree_with_its_status() {
    let world = World::new("scale").await;
    let namespace = world.namespace.clone();
    let begun = Instant::now();
    helm_waits(&world);
    println!("helm install --wait of a pipeline: {:.1} s", begun.elapsed().as_secs_f64());
    // What Helm waited for is what kubectl and the conditions say; neither has to wait any more.
    kubectl(&["-n", &namespace, "wait", "ragp/a", "--for=condition=Ready", "--timeout=1s"]);
    world.wait("a", ConditionType::Reconciling, "False", 1).await;

    kubectl(&["-n", &namespace, "scale", "ragp/a", "--replicas=2"]);
    until_replicas(&world, 2).await;
    kubectl(&["-n", &namespace, "wait", "ragp/a", "--for=jsonpath={.status.readyReplicas}=2", "--timeout=120s"]);

    autoscaled(&world).await;
    stopped(&world).await;
    world.end().await;
}

/// The number goes from the spec to the autoscaler without a gateway being lost, and back.
async fn autoscaled(world: &World) {
    let automatic = spec(gateways(json!({"autoscaling": {"minReplicas": 1, "maxReplicas": 3}})), false);
    replace(world, automatic).await;
    let autoscalers: Api<HorizontalPodAutoscaler> = world.api();
    let begun = Instant::now();
    while autoscalers.get_opt("a-gateway").await.unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "there is no autoscaler");
        assert_eq!(replicas(world).await, 2, "a gateway was lost on the way to the autoscaler");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // This cluster has no metrics server, which the autoscaler notices and the pipeline tells.
    let warned = world.wait_reason("a", ConditionType::ConfigurationWarning, "NoMetricsServer", 180).await;
    assert!(warned.message.contains("metrics"), "{}", warned.message);
    assert_eq!(replicas(world).await, 2);
    // Somebody else's number stays, as an autoscaler's would.
    kubectl(&["-n", &world.namespace, "scale", "deployment/a-gateway", "--replicas=1"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(replicas(world).await, 1);
    replace(world, spec(gateways(json!({"replicas": 2})), false)).await;
    until_replicas(world, 2).await;
    assert!(autoscalers.list(&ListParams::default()).await.unwrap().items.is_empty());
}

/// No gateway, all of the data.
async fn stopped(world: &World) {
    replace(world, spec(gateways(json!({"replicas": 2})), true)).await;
    until_replicas(world, 0).await;
    world.wait_reason("a", ConditionType::Ready, "Stopped", 30).await;
    world.wait("a", ConditionType::DatabaseReady, "True", 10).await;
    let claims: Api<PersistentVolumeClaim> = world.api();
    assert_eq!(claims.list(&ListParams::default()).await.unwrap().items.len(), 1);
    // No autoscaler wakes what is at none, so that the operator has to.
    replace(world, spec(gateways(json!({"autoscaling": {"minReplicas": 1, "maxReplicas": 3}})), false)).await;
    world.wait("a", ConditionType::Ready, "True", 120).await;
}

/// Takes the whole spec over, whoever wrote which field before.
async fn replace(world: &World, spec: Value) {
    let mut pipeline = world.pipelines().get("a").await.unwrap();
    pipeline.spec = serde_json::from_value(spec).unwrap();
    pipeline.metadata.managed_fields = None;
    world.pipelines().replace("a", &Default::default(), &pipeline).await.unwrap();
}
