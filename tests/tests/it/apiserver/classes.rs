//! The chart's policy on a real API server: it refuses what the operator refuses, and takes what the operator takes.

use std::time::Duration;

use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use ragline_crds::{RagPipeline, RagPipelineClass};
use serde_json::{Value, json};

use crate::{
    classes::{Case, cases, operator_says},
    helm::template,
};

const CLASS: &str = "bounds";

/// Asks whether a pipeline of the class would be taken; nothing is kept.
async fn policy_says(pipelines: &Api<DynamicObject>, spec: &Value) -> Result<(), String> {
    let object = json!({
        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "metadata": {"name": "case"}, "spec": spec,
    });
    let strict = PatchParams::apply("test").validation_strict().dry_run();
    match pipelines.patch("case", &strict, &Patch::Apply(object)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Sets the class's bounds and waits until the policy knows of them. A class that does not bound the workers gets a bound that tells
/// it apart from the one before; no case asks for so many.
async fn set_class(classes: &Api<RagPipelineClass>, pipelines: &Api<DynamicObject>, spec: &Value, turn: usize) {
    let mut spec = spec.clone();
    if spec["limits"]["workerReplicas"].is_null() {
        spec["limits"]["workerReplicas"] = json!(10 + turn % 30);
    }
    let object = json!({
        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipelineClass", "metadata": {"name": CLASS}, "spec": spec,
    });
    classes.patch(CLASS, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
    let most = spec["limits"]["workerReplicas"].as_u64().unwrap();
    let probe = json!({"className": CLASS, "ingest": {"workers": {"replicas": most + 1}}});
    let words = format!("allows {most} workers");
    for _ in 0..300 {
        if policy_says(pipelines, &probe).await.is_err_and(|refusal| refusal.contains(&words)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the policy does not know the class after thirty seconds: {words}");
}

/// Installs the policy as the chart renders it, tries every case, and takes it away again.
pub(super) async fn hold(client: &Client, namespace: &str) {
    let pipelines: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<RagPipeline>(&()));
    let classes: Api<RagPipelineClass> = Api::all(client.clone());
    let policies: Vec<_> = template(&[], &[]).unwrap().into_iter().filter(is_policy).collect();
    assert_eq!(policies.len(), 2);
    for policy in &policies {
        let (api, name) = policy_api(client, policy);
        api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(policy)).await.unwrap();
    }
    let mut cases = cases();
    // As few changes of the class as there are classes.
    cases.sort_by_key(|case| case.class.to_string());
    let (mut class, mut turn) = (Value::Null, 0);
    for case in cases {
        if case.class != class {
            (class, turn) = (case.class.clone(), turn + 1);
            set_class(&classes, &pipelines, &class, turn).await;
        }
        agree(&pipelines, case).await;
    }
    holds_as_the_default(&classes, &pipelines).await;
    holds_in_its_namespaces(&classes, &pipelines, namespace).await;
    classes.delete(CLASS, &DeleteParams::default()).await.unwrap();
    for policy in policies.iter().rev() {
        let (api, name) = policy_api(client, policy);
        api.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

async fn agree(pipelines: &Api<DynamicObject>, case: Case) {
    let Case { name, class, spec, refused } = case;
    let mut of_class = spec.clone();
    of_class["className"] = json!(CLASS);
    let (policy, operator) = (policy_says(pipelines, &of_class).await, operator_says(&spec, &class));
    assert_eq!(operator.is_err(), refused.is_some(), "{name}: {operator:?}");
    match (policy, refused) {
        (Ok(()), None) => {}
        (Ok(()), Some(_)) => panic!("{name}: the policy takes {spec}"),
        (Err(refusal), None) => panic!("{name}: {refusal}"),
        (Err(refusal), Some(_)) => assert!(refusal.contains(&format!("RagPipelineClass {CLASS}")), "{name}: {refusal}"),
    }
}

/// A pipeline that names no class is of the default one, and one that names another is not.
async fn holds_as_the_default(classes: &Api<RagPipelineClass>, pipelines: &Api<DynamicObject>) {
    let bounds = json!({"default": true, "models": {"allowedBaseUrls": []}});
    set_class(classes, pipelines, &bounds, 29).await;
    let mut spec = json!({"generation": {"anthropic": {"model": "m"}}});
    let refusal = policy_says(pipelines, &spec).await.unwrap_err();
    assert!(refusal.contains("allows built-in models only"), "{refusal}");
    spec["className"] = json!("other");
    assert_eq!(policy_says(pipelines, &spec).await, Ok(()));
}

/// Who may make pipelines may name any class, so a class says where it is to be had.
async fn holds_in_its_namespaces(classes: &Api<RagPipelineClass>, pipelines: &Api<DynamicObject>, namespace: &str) {
    let spec = json!({"className": CLASS});
    set_class(classes, pipelines, &json!({"allowedNamespaces": [namespace]}), 28).await;
    assert_eq!(policy_says(pipelines, &spec).await, Ok(()));
    let elsewhere = json!({"allowedNamespaces": ["elsewhere"], "limits": {"workerReplicas": 7}});
    set_class(classes, pipelines, &elsewhere, 0).await;
    let refusal = policy_says(pipelines, &spec).await.unwrap_err();
    assert!(refusal.contains("is not for pipelines of the namespace"), "{refusal}");
}

fn is_policy(object: &Value) -> bool {
    object["apiVersion"] == "admissionregistration.k8s.io/v1"
}

fn policy_api(client: &Client, policy: &Value) -> (Api<DynamicObject>, String) {
    let kind = policy["kind"].as_str().unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind));
    (Api::all_with(client.clone(), &resource), policy["metadata"]["name"].as_str().unwrap().to_owned())
}
