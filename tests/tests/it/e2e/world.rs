//! What every test starts from: the operator installed by Helm, and a namespace of its own that enforces PodSecurity
//! "restricted" and is deleted in the end.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::core::v1::{Event, Namespace},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use ragline_crds::{ConditionType, RagPipeline};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    forward::Forward,
    programs::{image, kubeconfig, kubectl, program, repository, run},
};

pub(crate) const RELEASE: &str = "ragline";
pub(crate) const OPERATOR_NAMESPACE: &str = "ragline-system";

/// A namespace with a client.
pub(crate) struct World {
    pub(crate) namespace: String,
    pub(crate) client: Client,
    _turn: Turn,
}

/// All tests share the operator; one that restarts it runs alone.
static OPERATOR: RwLock<()> = RwLock::const_new(());

enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// Installs the chart once for all tests of the run.
fn install() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (repository_of_image, tag) = {
            let image = image("operator");
            let (name, tag) = image.rsplit_once(':').unwrap();
            (name.to_owned(), tag.to_owned())
        };
        let sets = [
            "replicas=1".to_owned(),
            format!("image.repository={repository_of_image}"),
            format!("image.tag={tag}"),
            format!("pipelineImages.gateway={}", image("gateway")),
            format!("pipelineImages.postgres={}", image("postgres")),
            format!("pipelineImages.valkey={}", image("valkey")),
            "logLevel=info\\,ragline_operator=debug".to_owned(),
        ];
        helm(&sets);
        // The tag of a development image stays the same when the image changes.
        let before = kubectl(&["-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "name"]);
        kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "restart", "deployment", RELEASE]);
        kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment", RELEASE, "--timeout=120s"]);
        // An operator that is still ending would do some of the work, and its metrics would end with it.
        for pod in before.lines() {
            kubectl(&["-n", OPERATOR_NAMESPACE, "wait", "--for=delete", pod, "--timeout=60s"]);
        }
    });
}

/// Installs or changes the release. What somebody changed by hand is set right.
fn helm(sets: &[String]) {
    helm_of(&repository().join("charts/ragline"), sets);
}

/// The same with another chart.
pub(crate) fn helm_of(chart: &Path, sets: &[String]) {
    let mut helm = program("helm");
    helm.args(["upgrade", "--install", RELEASE]).arg(chart);
    helm.args(["--namespace", OPERATOR_NAMESPACE, "--create-namespace", "--wait", "--timeout", "3m"]);
    helm.args(["--reuse-values", "--force-conflicts"]);
    for set in sets {
        helm.args(["--set", set]);
    }
    run(&mut helm);
}

/// Runs so many operators.
pub(crate) fn scale(replicas: u32) {
    helm(&[format!("replicas={replicas}")]);
}

impl World {
    /// A new namespace, with the operator at work.
    pub(crate) async fn new(name: &str) -> Self {
        Self::with(Turn::Shared { _guard: OPERATOR.read().await }, name).await
    }

    /// The same, while no other test runs.
    pub(crate) async fn alone(name: &str) -> Self {
        Self::with(Turn::Alone { _guard: OPERATOR.write().await }, name).await
    }

    async fn with(turn: Turn, name: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        tokio::task::spawn_blocking(install).await.unwrap();
        let config = Kubeconfig::read_from(kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let labels = BTreeMap::from([("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())]);
        let metadata = ObjectMeta { generate_name: Some(format!("e2e-{name}-")), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let made = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        Self { namespace: made.metadata.name.unwrap(), client, _turn: turn }
    }

    /// Deletes the namespace without waiting. A test that fails leaves it, to be looked at.
    pub(crate) async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await.unwrap();
    }

    pub(crate) fn pipelines(&self) -> Api<RagPipeline> {
        self.api()
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a pipeline as a user would.
    pub(crate) async fn apply(&self, name: &str, spec: Value) -> kube::Result<RagPipeline> {
        let object = json!({
            "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "metadata": {"name": name}, "spec": spec,
        });
        self.pipelines().patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(object)).await
    }

    /// Waits until a condition is as told; fails with the whole status.
    pub(crate) async fn wait(&self, name: &str, type_: ConditionType, status: &str, seconds: u64) -> Condition {
        self.wait_for(name, &format!("{type_}={status}"), seconds, |pipeline| {
            condition(pipeline, type_).filter(|condition| condition.status == status)
        })
        .await
    }

    /// Waits until a condition has a reason.
    pub(crate) async fn wait_reason(&self, name: &str, type_: ConditionType, reason: &str, seconds: u64) -> Condition {
        self.wait_for(name, &format!("{type_} {reason}"), seconds, |pipeline| {
            condition(pipeline, type_).filter(|condition| condition.reason == reason)
        })
        .await
    }

    /// Waits until the pipeline holds what `found` looks for. Only a status of the newest generation counts.
    pub(crate) async fn wait_for<T>(&self, name: &str, what: &str, seconds: u64, found: impl Fn(&RagPipeline) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let pipeline = self.pipelines().get(name).await.unwrap();
            let current = pipeline.status.as_ref().and_then(|status| status.observed_generation) == pipeline.metadata.generation;
            if let Some(found) = current.then(|| found(&pipeline)).flatten() {
                return found;
            }
            if begun.elapsed() > Duration::from_secs(seconds) {
                let status = serde_json::to_string_pretty(&pipeline.status).unwrap();
                panic!("{}/{name} did not get to {what} in {seconds} s\n{status}", self.namespace);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Waits until an Event about the pipeline has a reason; gives its note.
    pub(crate) async fn wait_event(&self, name: &str, reason: &str) -> String {
        let events: Api<Event> = self.api();
        let fields = ListParams::default().fields(&format!("involvedObject.name={name},reason={reason}"));
        let begun = Instant::now();
        loop {
            if let Some(event) = events.list(&fields).await.unwrap().items.pop() {
                return event.message.unwrap_or_default();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no Event {reason} about {name}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

pub(crate) fn condition(pipeline: &RagPipeline, type_: ConditionType) -> Option<Condition> {
    let conditions = &pipeline.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.type_ == type_.as_str()).cloned()
}

/// The operator's metrics, as name with labels and value.
pub(crate) async fn operator_metrics() -> BTreeMap<String, f64> {
    let forward = Forward::to(OPERATOR_NAMESPACE, &format!("deployment/{RELEASE}"), 8081);
    let text = reqwest::get(format!("http://{}/metrics", forward.address)).await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}
