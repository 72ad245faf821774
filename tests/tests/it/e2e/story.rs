//! One pipeline from the first apply to its second life: it answers, heals, rests, and keeps its data over a deletion.

use std::time::{Duration, Instant};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use ragline_crds::{ConditionType, RagPipeline};
use serde_json::{Value, json};

use super::{
    api::Gateway,
    programs::kubectl,
    world::{OPERATOR_NAMESPACE, RELEASE, World},
};

const FACTS: &[(&str, &str)] = &[
    (
        "lighthouse.md",
        "# The lighthouse of Anholt\n\nThe lighthouse on the island of Anholt was built in 1788. Its lamp stands 42 metres above \
         the sea and is lit at dusk. The keeper's name was Peder Holm, who served there for thirty-one years.\n",
    ),
    (
        "bridge.txt",
        "The bridge over the river Tamsel was opened in 1934. It carries two railway tracks and is 512 metres long. Trains cross \
         it at no more than forty kilometres an hour.\n",
    ),
];

/// Small enough for two cores beside other pipelines.
fn small() -> Value {
    json!({
        "generation": {"builtin": {}},
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}}},
        "cache": {"managed": {"maxMemory": "16Mi"}},
        "gateway": {"replicas": 1, "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}},
    })
}

/// The operator asks a gateway of its vectors every 15 seconds, and waits up to 5 for each answer.
const READING: Duration = Duration::from_secs(20);

fn cites(answer: &Value, file: &str) -> bool {
    answer["citations"].as_array().unwrap().iter().any(|citation| citation["filename"] == file)
}

async fn gone<K>(world: &World, name: &str) -> String
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = world.api();
    let uid = api.get(name).await.unwrap().meta().uid.clone().unwrap();
    api.delete(name, &DeleteParams::background()).await.unwrap();
    uid
}

/// Waits until there is an object of this name that is not the one deleted before.
async fn back<K>(world: &World, name: &str, old: &str)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = world.api();
    let begun = Instant::now();
    while api.get_opt(name).await.unwrap().and_then(|object| object.meta().uid.clone()).is_none_or(|uid| uid == old) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{name} did not come back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_answers_heals_rests_and_keeps_its_data() {
    let world = World::new("story").await;
    world.apply("a", small()).await.unwrap();
    let begun = Instant::now();
    world.wait("a", ConditionType::Ready, "True", 300).await;
    println!("apply to Ready: {:.1} s", begun.elapsed().as_secs_f64());

    let before = answers(&world).await;
    heals(&world).await;
    rests(&world).await;

    // Deleted with Retain, the default: the volume and the Secrets stay, everything else goes.
    let claims: Api<PersistentVolumeClaim> = world.api();
    let claim = claims.list(&ListParams::default()).await.unwrap().items.remove(0);
    world.pipelines().delete("a", &DeleteParams::background()).await.unwrap();
    let deployments: Api<Deployment> = world.api();
    let begun = Instant::now();
    while !deployments.list(&ListParams::default()).await.unwrap().items.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(90), "the Deployments outlive the pipeline");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let kept = claims.get(&claim.metadata.name.clone().unwrap()).await.unwrap();
    assert!(kept.metadata.deletion_timestamp.is_none());
    world.api::<Secret>().get("a-api-key").await.unwrap();

    world.apply("a", small()).await.unwrap();
    world.wait("a", ConditionType::Ready, "True", 300).await;
    let gateway = Gateway::of(&world, "a").await;
    let after = gateway.answer("How high above the sea is the lamp of the lighthouse?").await;
    assert_eq!(after["answer"], before["answer"]);
    world.end().await;
}

async fn answers(world: &World) -> Value {
    let gateway = Gateway::of(world, "a").await;
    gateway.ingest(FACTS).await;
    let bridge = gateway.answer("When was the bridge over the Tamsel opened?").await;
    assert!(bridge["answer"].as_str().unwrap().contains("1934"), "{bridge:#}");
    assert!(cites(&bridge, "bridge.txt"), "{bridge:#}");
    let lamp = gateway.answer("How high above the sea is the lamp of the lighthouse?").await;
    assert!(lamp["answer"].as_str().unwrap().contains("42"), "{lamp:#}");
    assert!(cites(&lamp, "lighthouse.md"), "{lamp:#}");
    lamp
}

/// What somebody deletes or edits comes back.
async fn heals(world: &World) {
    let service = gone::<Service>(world, "a-gateway").await;
    let config = gone::<ConfigMap>(world, "a-gateway-config").await;
    let deployment = gone::<Deployment>(world, "a-gateway").await;
    let stateful_set = gone::<StatefulSet>(world, "a-postgres").await;
    back::<Service>(world, "a-gateway", &service).await;
    back::<ConfigMap>(world, "a-gateway-config", &config).await;
    back::<Deployment>(world, "a-gateway", &deployment).await;
    back::<StatefulSet>(world, "a-postgres", &stateful_set).await;

    let deployments: Api<Deployment> = world.api();
    let edit = json!({"spec": {"replicas": 3}});
    deployments.patch("a-gateway", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
    let begun = Instant::now();
    while deployments.get("a-gateway").await.unwrap().spec.unwrap().replicas != Some(1) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the edit stays");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.wait("a", ConditionType::Ready, "True", 180).await;
}

/// A pipeline at rest costs no write. RAGLINE_E2E_REST_SECONDS makes it longer than a minute.
async fn rests(world: &World) {
    let seconds: u64 = super::programs::setting("RAGLINE_E2E_REST_SECONDS", "60").parse().unwrap();
    let before = settled(world).await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = world.pipelines().get("a").await.unwrap();
    let version = |pipeline: &RagPipeline| pipeline.metadata.resource_version.clone();
    assert_eq!(version(&after), version(&before), "the pipeline was written at rest:\n{before:#?}\n{after:#?}");
    let log = kubectl(&["-n", OPERATOR_NAMESPACE, "logs", &format!("deployment/{RELEASE}"), &format!("--since={seconds}s")]);
    let written: Vec<_> =
        log.lines().filter(|line| line.contains("write to the API") && line.contains(&world.namespace)).collect();
    assert!(written.is_empty(), "writes at rest: {written:#?}");
    println!("0 writes in {seconds} s at rest");
}

/// Waits until the pipeline tells of the vectors that it was given, and has then not been written for one reading of its gateway.
async fn settled(world: &World) -> RagPipeline {
    let begun = Instant::now();
    let (mut pipeline, mut since) = (world.pipelines().get("a").await.unwrap(), Instant::now());
    loop {
        let counted =
            pipeline.status.as_ref().and_then(|status| status.vectors.as_ref()).is_some_and(|vectors| vectors.count > 0);
        if counted && since.elapsed() > READING {
            return pipeline;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no rest: {pipeline:#?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = world.pipelines().get("a").await.unwrap();
        if now.metadata.resource_version != pipeline.metadata.resource_version {
            (pipeline, since) = (now, Instant::now());
        }
    }
}
