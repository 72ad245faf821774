//! What the cluster holds: pipelines as a quick start makes them, ten to a namespace, and the volumes that they claim.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    api::core::v1::{Namespace, PersistentVolume},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    runtime::{conditions, wait::await_condition},
};
use ragline_crds::{RagPipeline, class_definition, definition};
use serde_json::json;

use crate::operator::Operator;

const PER_NAMESPACE: usize = 10;
/// Requests of ours at a time.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(3_600);

pub(crate) struct Pipelines {
    client: Client,
    count: usize,
}

impl Pipelines {
    pub(crate) async fn new(count: usize) -> Self {
        Self { client: Client::try_default().await.unwrap(), count }
    }

    /// Definitions, namespaces and volumes.
    pub(crate) async fn prepare(&self) {
        let apply = PatchParams::apply("scale").force();
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for definition in [definition(), class_definition()] {
            let name = definition.name_any();
            definitions.patch(&name, &apply, &Patch::Apply(definition)).await.unwrap();
            await_condition(definitions.clone(), &name, conditions::is_crd_established()).await.unwrap();
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for at in 0..self.count.div_ceil(PER_NAMESPACE) {
            let name = namespace(at * PER_NAMESPACE);
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            namespaces.patch(&name, &apply, &Patch::Apply(object)).await.unwrap();
        }
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        stream::iter(0..self.count)
            .map(|at| {
                let (volumes, apply) = (volumes.clone(), apply.clone());
                async move {
                    let name = format!("volume-{at}");
                    let object = json!({
                        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
                        "spec": {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}},
                    });
                    volumes.patch(&name, &apply, &Patch::Apply(object)).await.map(drop)
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
            .unwrap();
    }

    /// All of them, as fast as they are taken.
    pub(crate) async fn create(&self) {
        stream::iter(0..self.count)
            .map(|at| {
                let pipelines: Api<RagPipeline> = Api::namespaced(self.client.clone(), &namespace(at));
                async move {
                    let name = format!("docs-{at}");
                    let object = json!({
                        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline", "metadata": {"name": name},
                        "spec": {"generation": {"builtin": {}}},
                    });
                    pipelines.patch(&name, &PatchParams::apply("scale"), &Patch::Apply(object)).await.map(drop)
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
            .unwrap();
    }

    /// Waits until all are Ready.
    pub(crate) async fn all_ready(&self, operator: &Operator) {
        let begun = Instant::now();
        let mut told = Instant::now();
        loop {
            // The operator counts them, so that the API server need not list them again and again.
            let ready = operator.sample().await.sum("ragline_operator_pipeline_condition", "condition=\"Ready\"");
            if ready >= self.count as f64 {
                return;
            }
            if told.elapsed() > Duration::from_secs(30) {
                println!("  {ready} of {} are Ready after {} s", self.count, begun.elapsed().as_secs());
                told = Instant::now();
            }
            assert!(begun.elapsed() < PATIENCE, "{ready} pipelines are Ready");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The versions of all pipelines, which change with every write.
    pub(crate) async fn versions(&self) -> BTreeMap<String, String> {
        let pipelines: Api<RagPipeline> = Api::all(self.client.clone());
        let all = pipelines.list(&ListParams::default()).await.unwrap();
        assert_eq!(all.items.len(), self.count);
        let phase = |pipeline: &RagPipeline| serde_json::to_value(&pipeline.status).unwrap()["phase"] == "Ready";
        assert!(all.items.iter().all(phase), "not all are Ready");
        all.into_iter().map(|pipeline| (pipeline.name_any(), pipeline.resource_version().unwrap())).collect()
    }
}

fn namespace(pipeline: usize) -> String {
    format!("team-{}", pipeline / PER_NAMESPACE)
}
