//! A PostgreSQL that CloudNativePG runs. Its operator is played here: definitions of its kinds, and statuses as it writes them.

use std::time::{Duration, Instant};

use k8s_openapi::{api::core::v1::Secret, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::world::World;

const GROUP: &str = "postgresql.cnpg.io";
const KINDS: [(&str, &str); 2] = [("ImageCatalog", "imagecatalogs"), ("Cluster", "clusters")];

fn spec() -> Value {
    json!({
        "postgres": {"cloudNativePg": {
            "instances": 3, "storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "20m", "memory": "512Mi"}},
            "parameters": {"work_mem": "8MB"},
        }},
        "cache": {"disabled": {}},
        "gateway": {"replicas": 1},
    })
}

/// A kind, without its schema.
fn definition(kind: &str, plural: &str) -> CustomResourceDefinition {
    let definition = json!({
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    serde_json::from_value(definition).unwrap()
}

async fn tell(clusters: &Api<DynamicObject>, status: Value) {
    clusters.patch_status("a-postgres", &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_cloud_native_pg_is_made_and_followed() {
    let world = World::new("cnpg").await;
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    world.apply("a", spec()).await.unwrap();
    let missing = world.wait_reason("a", ConditionType::DatabaseReady, "CloudNativePgMissing", 60).await;
    assert!(missing.message.contains("CloudNativePG"), "{}", missing.message);
    world.wait("a", ConditionType::Stalled, "True", 5).await;

    // It is installed later, and that is noticed.
    for (kind, plural) in KINDS {
        definitions.create(&PostParams::default(), &definition(kind, plural)).await.unwrap();
    }
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", "Cluster"), "clusters");
    let clusters: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &kind);
    let begun = Instant::now();
    let cluster = loop {
        match clusters.get_opt("a-postgres").await {
            Ok(Some(cluster)) => break cluster,
            _ => assert!(begun.elapsed() < Duration::from_secs(150), "there is no Cluster"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    println!("a Cluster {:.1} s after CloudNativePG came", begun.elapsed().as_secs_f64());
    let wanted = &cluster.data["spec"];
    assert_eq!((&wanted["instances"], &wanted["storage"]["size"]), (&json!(3), &json!("1Gi")));
    assert_eq!(wanted["postgresql"]["parameters"]["work_mem"], "8MB");
    assert_eq!(wanted["imageCatalogRef"]["major"], json!(17));
    assert_eq!(wanted["postgresql"]["synchronous"]["dataDurability"], "preferred");
    let owner = wanted["bootstrap"]["initdb"]["secret"]["name"].as_str().unwrap();
    let secret = world.api::<Secret>().get(owner).await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/basic-auth"));
    let url = String::from_utf8(secret.data.unwrap()["DATABASE_OWNER_URL"].0.clone()).unwrap();
    assert!(url.contains("@a-postgres-rw."), "the primary's Service is where the URL leads");

    tell(&clusters, json!({"phase": "Setting up primary", "readyInstances": 0})).await;
    let coming = world.wait_reason("a", ConditionType::DatabaseReady, "Provisioning", 60).await;
    assert!(coming.message.contains("Setting up primary") || coming.message.contains("not begun"), "{}", coming.message);
    let primary = json!({
        "phase": "Creating a new replica", "readyInstances": 1, "currentPrimary": "a-postgres-1", "targetPrimary": "a-postgres-1",
    });
    tell(&clusters, primary).await;
    let alone = world.wait_reason("a", ConditionType::DatabaseReady, "StandbyMissing", 60).await;
    assert!(alone.status == "True" && alone.message.contains("1 of 3"), "{}", alone.message);
    // The schema is made as soon as a primary serves; there is none here, so that it stays under way.
    world.wait_reason("a", ConditionType::SchemaReady, "Migrating", 60).await;
    tell(&clusters, json!({"phase": "Cluster in healthy state", "readyInstances": 3})).await;
    let all = world.wait_reason("a", ConditionType::DatabaseReady, "Replicated", 150).await;
    assert!(all.message.contains("2 standbys"), "{}", all.message);
    // A primary that is lost is told, and so is the one after it.
    tell(&clusters, json!({"phase": "Failing over", "readyInstances": 2, "targetPrimary": "pending"})).await;
    let lost = world.wait_reason("a", ConditionType::DatabaseReady, "FailingOver", 60).await;
    assert!(lost.status == "False" && lost.message.contains("a-postgres-1 is no primary"), "{}", lost.message);
    tell(&clusters, json!({"currentPrimary": "a-postgres-2", "targetPrimary": "a-postgres-2"})).await;
    let next = world.wait_reason("a", ConditionType::DatabaseReady, "StandbyMissing", 60).await;
    assert!(next.status == "True" && next.message.contains("a-postgres-2 serves"), "{}", next.message);
    tell(&clusters, json!({"readyInstances": 0, "currentPrimary": ""})).await;
    world.wait_reason("a", ConditionType::DatabaseReady, "Provisioning", 60).await;
    for (_, plural) in KINDS {
        definitions.delete(&format!("{plural}.{GROUP}"), &DeleteParams::default()).await.unwrap();
    }
    world.end().await;
}
