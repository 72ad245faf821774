//! The resource on a real Kubernetes API server: it takes the definition, explains every field, refuses what the rules and
//! bounds forbid and takes what they allow. Each rule is tested both ways. Uses the API server of RAGLINE_APISERVER_KUBECONFIG, or
//! starts one of its own; either is for tests alone.

use std::{path::PathBuf, process::Command, time::Duration};

use k8s_openapi::{api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition};
use kube::{
    Api, Client, Config, Error,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, CustomResourceExt},
    runtime::{conditions, wait::await_condition},
};
use ragline_crds::{RagPipeline, RagPipelineClass, class_definition, definition};
use serde_json::{Value, json};

/// What the API server says to a change.
enum Verdict {
    Taken,
    /// The refusal holds these words.
    Refused(&'static str),
}

use Verdict::{Refused, Taken};

/// From nothing (`None`) or a spec to another one.
struct Case {
    name: &'static str,
    old: Option<Value>,
    new: Value,
    verdict: Verdict,
}

fn new(name: &'static str, new: Value, verdict: Verdict) -> Case {
    Case { name, old: None, new, verdict }
}

fn change(name: &'static str, old: Value, new: Value, verdict: Verdict) -> Case {
    Case { name, old: Some(old), new, verdict }
}

fn open_ai(model: &str, dimensions: u32) -> Value {
    json!({"embedding": {"openAiCompatible": {"baseUrl": "https://a.example/v1", "model": model, "dimensions": dimensions}}})
}

fn storage(storage: Value) -> Value {
    json!({"postgres": {"managed": {"storage": storage}}})
}

fn parameters(parameters: Value) -> Value {
    json!({"postgres": {"managed": {"parameters": parameters}}})
}

fn allowed(peer: Value) -> Value {
    json!({"networkPolicy": {"allowFrom": [peer]}})
}

fn cases() -> Vec<Case> {
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("a{n}"), json!("1"))).collect();
    vec![
        new("an empty spec is a pipeline", json!({}), Taken),
        new("one embedding model", json!({"embedding": {"builtin": {}, "batchSize": 5}}), Taken),
        new("no embedding model named", json!({"embedding": {"batchSize": 5}}), Taken),
        new(
            "two embedding models",
            json!({"embedding": {"builtin": {}, "openAiCompatible": {"baseUrl": "http://a/v1", "model": "m", "dimensions": 3}}}),
            Refused("name only one of builtin and openAiCompatible"),
        ),
        new("one generator", json!({"generation": {"openAiCompatible": {"baseUrl": "http://a:8000/v1", "model": "m"}}}), Taken),
        new(
            "two generators",
            json!({"generation": {"builtin": {}, "openAiCompatible": {"baseUrl": "http://a/v1", "model": "m"}}}),
            Refused("name only one of builtin and openAiCompatible"),
        ),
        new("a prompt with both places", json!({"generation": {"promptTemplate": "{context} {question}"}}), Taken),
        new(
            "a prompt without the question",
            json!({"generation": {"promptTemplate": "{context}"}}),
            Refused("must contain {context} and {question}"),
        ),
        new("a managed cache", json!({"cache": {"managed": {}}}), Taken),
        new("no cache", json!({"cache": {"disabled": {}}}), Taken),
        new(
            "a cache and none",
            json!({"cache": {"managed": {}, "disabled": {}}}),
            Refused("name only one of managed, external and disabled"),
        ),
        new("a cache of somebody else's", json!({"cache": {"external": {"host": "redis.example.com", "tls": true}}}), Taken),
        new("a database of somebody else's", json!({"postgres": {"external": {"secretName": "a"}}}), Taken),
        new(
            "a database of one's own and of somebody else's",
            json!({"postgres": {"managed": {}, "external": {"secretName": "a"}}}),
            Refused("name only one of managed, cloudNativePg and external"),
        ),
        new("a database of CloudNativePG", json!({"postgres": {"cloudNativePg": {"instances": 9}}}), Taken),
        new("load decides", json!({"gateway": {"autoscaling": {"maxReplicas": 2}}}), Taken),
        new(
            "load decides and a number too",
            json!({"gateway": {"replicas": 2, "autoscaling": {}}}),
            Refused("name only one of replicas and autoscaling"),
        ),
        new(
            "more at least than at most",
            json!({"gateway": {"autoscaling": {"minReplicas": 11}}}),
            Refused("must be at most maxReplicas"),
        ),
        new("a caller by its labels", allowed(json!({"podSelector": {"matchLabels": {"app": "a"}}})), Taken),
        new("any caller", allowed(json!({"namespaceSelector": {}})), Taken),
        new("a caller that is not named", allowed(json!({})), Refused("name namespaceSelector, podSelector or both")),
        new(
            "a route without a name",
            json!({"gateway": {"route": {"parentRef": {"name": "a"}, "hostnames": []}}}),
            Refused("should have at least 1 items"),
        ),
        new("rising borders", json!({"index": {"exactBelow": 10, "smallBelow": 20, "mediumBelow": 30}}), Taken),
        new("a border beyond the default of the next", json!({"index": {"exactBelow": 100_001}}), Refused("must not decrease")),
        new(
            "falling borders",
            json!({"index": {"smallBelow": 20, "mediumBelow": 10, "exactBelow": 1}}),
            Refused("must not decrease"),
        ),
        new("an index of one's own", json!({"index": {"mode": "Manual", "ivfFlat": {"lists": 10}}}), Taken),
        new("no index named", json!({"index": {"mode": "Manual"}}), Refused("mode Manual takes ivfFlat or hnsw")),
        new("an index that is not asked for", json!({"index": {"hnsw": {}}}), Refused("mode Manual takes ivfFlat or hnsw")),
        new(
            "a graph that pgvector refuses",
            json!({"index": {"mode": "Manual", "hnsw": {"m": 40}}}),
            Refused("must be at least twice m"),
        ),
        new("known kinds of settings", parameters(json!({"work_mem": "8MB", "pg_stat_statements.max": "100"})), Taken),
        new("a setting with a capital", parameters(json!({"Work_Mem": "8MB"})), Refused("a setting's name holds")),
        new("a setting that breaks the line", parameters(json!({"a\nb": "1"})), Refused("a setting's name holds")),
        new("too many settings", parameters(Value::Object(many)), Refused("must have at most 64 items")),
        new("a null", json!({"chunking": {"maxTokens": null}}), Refused("must be of type integer")),
        new("too small a chunk", json!({"chunking": {"maxTokens": 63}}), Refused("greater than or equal to 64")),
        new("an unknown choice", json!({"index": {"mode": "Sometimes"}}), Refused("Unsupported value: \"Sometimes\"")),
        new(
            "an unknown field",
            json!({"chunking": {"maxToken": 100}}),
            Refused("spec.chunking.maxToken: field not declared in schema"),
        ),
        new("a size that is no amount", storage(json!({"size": "big"})), Refused("should match")),
        new("an address without a scheme", open_ai_at("a.example"), Refused("should match")),
        new("an address with a port", open_ai_at("http://a.example:8080/v1"), Taken),
        new("too many gateways", json!({"gateway": {"replicas": 51}}), Refused("less than or equal to 50")),
        change("the same model", open_ai("m", 3), open_ai("m", 3), Taken),
        change("another model", open_ai("m", 3), open_ai("n", 3), Refused("stored vectors of two models cannot be compared")),
        change("other dimensions", open_ai("m", 3), open_ai("m", 4), Refused("stored vectors have the old length")),
        change("from the built-in model", json!({}), open_ai("m", 3), Refused("the embedding model cannot change")),
        change("to the built-in model", open_ai("m", 3), json!({}), Refused("the embedding model cannot change")),
        change("naming the built-in model", json!({}), json!({"embedding": {"builtin": {}}}), Taken),
        change("another batch", json!({"embedding": {"batchSize": 5}}), json!({"embedding": {"batchSize": 6}}), Taken),
        change(
            "from a managed database to somebody else's",
            json!({}),
            json!({"postgres": {"external": {"secretName": "a"}}}),
            Refused("postgres cannot change between managed, cloudNativePg and external"),
        ),
        change(
            "from CloudNativePG to a managed database",
            json!({"postgres": {"cloudNativePg": {}}}),
            json!({"postgres": {"managed": {}}}),
            Refused("the data would stay behind"),
        ),
        change(
            "another Secret of the same database",
            json!({"postgres": {"external": {"secretName": "a"}}}),
            json!({"postgres": {"external": {"secretName": "b"}}}),
            Taken,
        ),
        change("a growing volume", storage(json!({"size": "1Gi"})), storage(json!({"size": "1.5Gi"})), Taken),
        change("the same size in other words", storage(json!({"size": "1Gi"})), storage(json!({"size": "1024Mi"})), Taken),
        change(
            "a shrinking volume",
            storage(json!({"size": "20Gi"})),
            storage(json!({"size": "19Gi"})),
            Refused("cannot shrink"),
        ),
        change("less than the default", json!({}), storage(json!({"size": "9Gi"})), Refused("cannot shrink")),
        change("more than the default", json!({}), storage(json!({"size": "11Gi"})), Taken),
        change("back to a smaller default", storage(json!({"size": "11Gi"})), json!({}), Refused("cannot shrink")),
        change("back to a larger default", storage(json!({"size": "9Gi"})), json!({}), Taken),
        change(
            "another storage class",
            storage(json!({"storageClassName": "a"})),
            storage(json!({"storageClassName": "b"})),
            Refused("storageClassName cannot change"),
        ),
        change(
            "a storage class later",
            json!({}),
            storage(json!({"storageClassName": "b"})),
            Refused("storageClassName cannot change"),
        ),
        change(
            "the same storage class",
            storage(json!({"storageClassName": "a"})),
            storage(json!({"storageClassName": "a", "size": "11Gi"})),
            Taken,
        ),
    ]
}

fn open_ai_at(base_url: &str) -> Value {
    json!({"embedding": {"openAiCompatible": {"baseUrl": base_url, "model": "m", "dimensions": 3}}})
}

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

/// An API server: one that is there, or one of its own, which is stopped at the end.
enum Server {
    There(PathBuf),
    Own(tempfile::TempDir),
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/apiserver.sh");

impl Server {
    fn start() -> Self {
        if let Some(kubeconfig) = std::env::var_os("RAGLINE_APISERVER_KUBECONFIG") {
            return Self::There(kubeconfig.into());
        }
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(SCRIPT).arg("start").arg(folder.path()).status().unwrap();
        assert!(status.success(), "{SCRIPT} start: {status}");
        Self::Own(folder)
    }

    async fn client(&self) -> Client {
        let file = match self {
            Self::There(file) => file.clone(),
            Self::Own(folder) => folder.path().join("kubeconfig"),
        };
        let file = Kubeconfig::read_from(file).unwrap();
        Client::try_from(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Own(folder) = self {
            let stopped = Command::new(SCRIPT).arg("stop").arg(folder.path()).status();
            assert!(stopped.is_ok_and(|status| status.success()), "{SCRIPT} stop failed");
        }
    }
}

#[tokio::test]
async fn the_api_server_takes_the_definition_and_keeps_its_rules() {
    let server = Server::start();
    let client = server.client().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let apply = PatchParams::apply("test").force();
    definitions.patch(RagPipeline::crd_name(), &apply, &Patch::Apply(definition())).await.unwrap();
    let classes = class_definition();
    definitions.patch(RagPipelineClass::crd_name(), &apply, &Patch::Apply(classes)).await.unwrap();
    let established = await_condition(definitions, RagPipeline::crd_name(), conditions::is_crd_established());
    tokio::time::timeout(Duration::from_secs(30), established).await.unwrap().unwrap();
    let resource = ApiResource::erase::<RagPipeline>(&());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"generateName": "rules-"}})).unwrap();
    let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap().metadata.name.unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    served(&api).await;
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
    let classes: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<RagPipelineClass>(&()));
    served(&classes).await;
    let class: Value = serde_saphyr::from_str(include_str!("../../../crds/examples/class.yaml")).unwrap();
    let strict = PatchParams::apply("test").validation_strict();
    classes.patch("standard", &strict, &Patch::Apply(class)).await.unwrap();
    classes.delete("standard", &DeleteParams::default()).await.unwrap();
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
}

/// An established definition is served a moment later.
async fn served(api: &Api<DynamicObject>) {
    for _ in 0..100 {
        if api.list(&kube::api::ListParams::default()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the resource is not served after ten seconds");
}

/// The examples are taken as they are.
async fn examples(api: &Api<DynamicObject>) {
    for text in [include_str!("../../../crds/examples/quickstart.yaml"), include_str!("../../../crds/examples/full.yaml")] {
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
