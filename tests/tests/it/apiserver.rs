//! The resource on a real Kubernetes API server: it takes the definition, explains every field, refuses what the rules and
//! bounds forbid and takes what they allow, and so does the policy of classes. Each rule is tested both ways. Uses the API server of
//! RAGLINE_APISERVER_KUBECONFIG, or starts one of its own; either is for tests alone.

mod cases;
mod classes;
#[cfg(feature = "faults")]
mod crash;
#[cfg(feature = "faults")]
mod deletion;
#[cfg_attr(not(feature = "faults"), expect(dead_code, reason = "the tests of the operator's faults use all of it"))]
mod door;
#[cfg(feature = "faults")]
mod errors;
mod issuer;
mod kubelet;
#[cfg_attr(not(feature = "faults"), expect(dead_code, reason = "the tests of the operator's faults use all of it"))]
mod normal;
mod operator;
mod rotation;
mod server;
#[cfg(feature = "faults")]
mod there_and_back;
#[cfg_attr(not(feature = "faults"), expect(dead_code, reason = "the tests of the operator's faults use all of it"))]
mod world;

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Error,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use ragline_crds::{RagPipeline, RagPipelineClass};
use serde_json::{Value, json};

use self::{
    cases::{
        Case, Verdict,
        Verdict::{Refused, Taken},
        cases,
    },
    server::{Server, namespace},
};

/// Asks the API server.
async fn check(api: &Api<DynamicObject>, case: Case) {
    let Case { name, old, new, verdict } = case;
    let Some(old) = old else {
        let object =
            json!({"apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "metadata": {"name": "case"}, "spec": new});
        let strict = PatchParams::apply("test").validation_strict().dry_run();
        return judge(name, api.patch("case", &strict, &Patch::Apply(object)).await, &verdict);
    };
    let object = |spec: Value| DynamicObject::new("case", &ApiResource::erase::<RagPipeline>(&())).data(json!({"spec": spec}));
    let before = api.create(&PostParams::default(), &object(old)).await.unwrap_or_else(|error| panic!("{name}, before: {error}"));
    let mut after = object(new);
    after.metadata.resource_version = before.metadata.resource_version;
    let answer = api.replace("case", &PostParams::default(), &after).await;
    api.delete("case", &DeleteParams::default()).await.unwrap();
    judge(name, answer, &verdict);
}

fn judge(name: &str, answer: Result<DynamicObject, Error>, verdict: &Verdict) {
    match (answer, verdict) {
        (Ok(_), Taken) => {}
        (Ok(_), Refused(words)) => panic!("{name}: taken, though it should be refused with {words:?}"),
        (Err(error), Taken) => panic!("{name}: {error}"),
        (Err(error), Refused(words)) => assert!(error.to_string().contains(words), "{name}: {error}"),
    }
}

async fn check_name(api: &Api<DynamicObject>, name: &str, verdict: Verdict) {
    let object = DynamicObject::new(name, &ApiResource::erase::<RagPipeline>(&())).data(json!({"spec": {}}));
    let answer = api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await;
    judge(name, answer, &verdict);
}

#[tokio::test]
async fn the_api_server_takes_the_definition_and_keeps_its_rules() {
    let server = Server::shared().await;
    let client = server.client().await;
    let resource = ApiResource::erase::<RagPipeline>(&());
    let namespace = namespace(&client, "rules").await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    for case in cases() {
        check(&api, case).await;
    }
    let long = "a".repeat(41);
    check_name(&api, &long[..40], Taken).await;
    check_name(&api, &long, Refused("at most 40 characters")).await;
    check_name(&api, "docs.v2", Refused("must begin with a letter")).await;
    check_name(&api, "2docs", Refused("must begin with a letter")).await;
    examples(&api).await;
    explained(&client).await;
    scaled(&api).await;
    let unseen = api.get("full").await.unwrap();
    assert_eq!(unseen.data["status"], json!({"observedGeneration": 0}), "what no operator has looked at says so");
    let of_classes: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<RagPipelineClass>(&()));
    for class in serde_saphyr::from_multiple::<Value>(include_str!("../../../crds/examples/class.yaml")).unwrap() {
        let name = class["metadata"]["name"].as_str().unwrap().to_owned();
        let strict = PatchParams::apply("test").validation_strict();
        of_classes.patch(&name, &strict, &Patch::Apply(class)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        of_classes.delete(&name, &DeleteParams::default()).await.unwrap();
    }
    classes::hold(&client, &namespace).await;
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
}

/// The examples are taken as they are.
async fn examples(api: &Api<DynamicObject>) {
    for text in [
        include_str!("../../../crds/examples/quickstart.yaml"),
        include_str!("../../../crds/examples/full.yaml"),
        include_str!("../../../crds/examples/providers.yaml"),
    ] {
        for document in serde_saphyr::from_multiple::<Value>(text).unwrap() {
            let name = document["metadata"]["name"].as_str().unwrap().to_owned();
            let strict = PatchParams::apply("test").validation_strict();
            api.patch(&name, &strict, &Patch::Apply(document)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// What `kubectl explain` shows comes from here.
async fn explained(client: &Client) {
    let request = http::Request::get("/openapi/v3/apis/ragline.dev/v1alpha1").body(Vec::new()).unwrap();
    let text = client.request_text(request).await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let spec = &document["components"]["schemas"]["dev.ragline.v1alpha1.RagPipeline"]["properties"]["spec"];
    let description = spec["properties"]["index"]["properties"]["exactBelow"]["description"].as_str().unwrap();
    assert!(description.contains("Default: `10000`"), "{description}");
}

/// `kubectl scale` sets the gateways.
async fn scaled(api: &Api<DynamicObject>) {
    let patch = Patch::Merge(json!({"spec": {"replicas": 5}}));
    api.patch_scale("full", &PatchParams::default(), &patch).await.unwrap();
    let object = api.get("full").await.unwrap();
    assert_eq!(object.data["spec"]["gateway"]["replicas"], 5);
}
