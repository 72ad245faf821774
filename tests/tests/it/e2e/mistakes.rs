//! What a person gets to read when something is wrong, and that the pipeline goes on by itself once it is mended.

use k8s_openapi::{
    ByteString,
    api::core::v1::{ResourceQuota, Secret},
};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::world::World;

/// A pipeline that needs next to nothing.
fn tiny() -> Value {
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}}},
        "cache": {"disabled": {}},
        "gateway": {"replicas": 0},
    })
}

fn with(mut spec: Value, at: &str, value: Value) -> Value {
    *spec.pointer_mut(at).unwrap() = value;
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named_and_its_arrival_is_noticed() {
    let world = World::new("secret").await;
    let mut spec = tiny();
    spec["embedding"] = json!({"openAiCompatible": {
        "baseUrl": "https://models.example/v1", "model": "m", "dimensions": 8, "secretRef": {"name": "models", "key": "token"},
    }});
    world.apply("a", spec).await.unwrap();
    let missing = world.wait_reason("a", ConditionType::SecretsResolved, "SecretNotFound", 30).await;
    assert!(missing.message.contains("models") && missing.message.contains("secretRef"), "{}", missing.message);
    assert!(world.wait_event("a", "SecretNotFound").await.contains("models"));

    let secrets = world.api::<Secret>();
    let metadata = ObjectMeta { name: Some("models".into()), ..ObjectMeta::default() };
    let secret = Secret { metadata, ..Secret::default() };
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let lacking = world.wait_reason("a", ConditionType::SecretsResolved, "SecretKeyMissing", 90).await;
    assert!(lacking.message.contains("token"), "{}", lacking.message);

    let mut secret = secrets.get("models").await.unwrap();
    secret.data = Some([("token".to_owned(), ByteString(b"x".to_vec()))].into());
    secrets.replace("models", &PostParams::default(), &secret).await.unwrap();
    world.wait("a", ConditionType::SecretsResolved, "True", 90).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_exist_is_named_and_can_be_mended() {
    let world = World::new("image").await;
    let mut spec = tiny();
    spec["postgres"]["managed"]["image"] = json!("localhost/no-such-image:1");
    world.apply("a", spec).await.unwrap();
    let pull = world.wait_reason("a", ConditionType::DatabaseReady, "ImagePull", 90).await;
    assert!(pull.message.contains("localhost/no-such-image:1"), "{}", pull.message);
    assert!(world.wait_event("a", "ImagePull").await.contains("no-such-image"));
    world.apply("a", tiny()).await.unwrap();
    world.wait("a", ConditionType::DatabaseReady, "True", 180).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_too_small_is_named_and_a_larger_one_is_noticed() {
    let world = World::new("quota").await;
    let quotas = world.api::<ResourceQuota>();
    let quota: ResourceQuota =
        serde_json::from_value(json!({"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}})).unwrap();
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    world.apply("a", tiny()).await.unwrap();
    let refused = world.wait_reason("a", ConditionType::DatabaseReady, "QuotaExceeded", 60).await;
    assert!(refused.message.contains("small") && refused.message.contains("ResourceQuota"), "{}", refused.message);
    world.wait("a", ConditionType::Stalled, "True", 10).await;
    let larger = Patch::Merge(json!({"spec": {"hard": {"pods": "9"}}}));
    quotas.patch("small", &PatchParams::default(), &larger).await.unwrap();
    world.wait("a", ConditionType::DatabaseReady, "True", 240).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradictory_spec_is_refused_at_the_door_or_told_in_the_status() {
    let world = World::new("spec").await;
    let both = json!({"cache": {"managed": {}, "disabled": {}}});
    let refusal = world.apply("a", both).await.unwrap_err().to_string();
    assert!(refusal.contains("only one of managed, external and disabled"), "{refusal}");

    // No rule of the API server compares two amounts of memory; the operator does.
    let spec = json!({"cache": {"managed": {"maxMemory": "1Gi", "resources": {"limits": {"memory": "256Mi"}}}}});
    world.apply("b", spec).await.unwrap();
    let stalled = world.wait("b", ConditionType::Stalled, "True", 30).await;
    assert_eq!(stalled.reason, "SpecInvalid");
    assert!(stalled.message.contains("spec.cache.managed.resources"), "{}", stalled.message);
    assert!(world.wait_event("b", "SpecInvalid").await.contains("maxMemory"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_pipeline_is_left_alone_and_goes_on_when_asked() {
    let world = World::new("paused").await;
    let mut spec = tiny();
    spec["paused"] = json!(true);
    world.apply("a", spec.clone()).await.unwrap();
    world.wait("a", ConditionType::Paused, "True", 30).await;
    let made = world.api::<k8s_openapi::api::apps::v1::StatefulSet>().list(&Default::default()).await.unwrap();
    assert!(made.items.is_empty(), "a paused pipeline was built");
    world.apply("a", with(spec, "/paused", json!(false))).await.unwrap();
    world.wait("a", ConditionType::DatabaseReady, "True", 180).await;
    world.end().await;
}
