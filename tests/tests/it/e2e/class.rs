//! A platform team's class: who has rights in one namespace alone makes a pipeline there and cannot leave the class's bounds.

use std::io::Write;

use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use ragline_crds::{ConditionType, RagPipelineClass};
use serde_json::{Value, json};

use super::{
    programs::{kubectl, program},
    world::World,
};

/// Applies as a user with the rights of `edit` in the namespace; gives what kubectl said where it was refused.
fn apply_as_user(world: &World, spec: &Value) -> Result<(), String> {
    let object = json!({
        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "metadata": {"name": "a"}, "spec": spec,
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(object.to_string().as_bytes()).unwrap();
    let user = format!("--as=system:serviceaccount:{}:user", world.namespace);
    let output = program("kubectl")
        .args(["-n", &world.namespace, &user, "apply", "--server-side", "-f"])
        .arg(file.path())
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn tiny(class: &str) -> Value {
    json!({
        "className": class,
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}}},
        "cache": {"disabled": {}},
        "gateway": {"replicas": 0},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_one_namespace_stays_within_the_class() {
    let world = World::new("class").await;
    let classes: Api<RagPipelineClass> = Api::all(world.client.clone());
    // Not the default, which would be that of the other tests as well.
    let name = world.namespace.clone();
    let class = json!({
        "allowImages": false,
        "limits": {"gatewayReplicas": 1, "postgresMemory": "2Gi", "postgresStorage": "2Gi"},
        "models": {"allowedBaseUrls": ["https://models.example/v1"], "allowedModels": ["m"]},
    });
    let class = RagPipelineClass::new(&name, serde_json::from_value(class).unwrap());
    classes.create(&PostParams::default(), &class).await.unwrap();
    kubectl(&["-n", &name, "create", "serviceaccount", "user"]);
    let subject = format!("--serviceaccount={name}:user");
    kubectl(&["-n", &name, "create", "rolebinding", "user", "--clusterrole=edit", &subject]);

    let generation = |url: &str| json!({"openAiCompatible": {"baseUrl": url, "model": "m"}});
    let refusals = [
        ("/gateway", json!({"replicas": 2}), "allows 1 gateways"),
        ("/gateway", json!({"replicas": 0, "image": "own:1"}), "images cannot be named"),
        ("/postgres", json!({"managed": {"storage": {"size": "3Gi"}}}), "allows a volume of 2Gi"),
        ("/generation", generation("https://elsewhere.example/v1"), "allows models at: https://models.example/v1"),
        ("/generation", json!({"anthropic": {"model": "m"}}), "allows models at: https://models.example/v1"),
    ];
    for (at, value, words) in refusals {
        let mut spec = tiny(&name);
        spec[at.trim_start_matches('/')] = value;
        let refusal = apply_as_user(&world, &spec).expect_err(words);
        assert!(refusal.contains(words), "{refusal}");
    }
    apply_as_user(&world, &tiny(&name)).unwrap();
    world.wait("a", ConditionType::DatabaseReady, "True", 240).await;

    // What the policy cannot know, since the pipeline does not name it, the operator tells in the status.
    let mut large = tiny(&name);
    large["dataset"] = json!({"expectedVectors": 1_000_000});
    apply_as_user(&world, &large).unwrap();
    let stalled = world.wait_reason("a", ConditionType::Stalled, "SpecInvalid", 30).await;
    assert!(stalled.message.contains("must be at most 2Gi") && stalled.message.contains(&name), "{}", stalled.message);
    // A class that grows is noticed by itself.
    let wider = kube::api::Patch::Merge(json!({"spec": {"limits": {"postgresMemory": "16Gi"}}}));
    classes.patch(&name, &kube::api::PatchParams::default(), &wider).await.unwrap();
    world.wait("a", ConditionType::Stalled, "False", 30).await;
    apply_as_user(&world, &tiny("no-such-class")).unwrap();
    let stalled = world.wait_reason("a", ConditionType::Stalled, "SpecInvalid", 30).await;
    assert!(stalled.message.contains("no RagPipelineClass no-such-class"), "{}", stalled.message);

    let may = |what: &[&str]| {
        let user = format!("--as=system:serviceaccount:{name}:user");
        let output = program("kubectl").args(["auth", "can-i", &user]).args(what).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim() == "yes"
    };
    assert!(may(&["patch", "ragpipelines", "-n", &name]));
    assert!(!may(&["patch", "ragpipelineclasses"]) && !may(&["patch", "ragpipelines", "-n", "default"]));
    classes.delete(&name, &DeleteParams::default()).await.unwrap();
    world.end().await;
}
