//! A namespace in which pipelines are brought up by operators that a test lets live and die, and what is found in it then.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    batch::v1::Job,
    core::v1::{Namespace, PersistentVolumeClaim, Pod},
    events::v1::Event,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, DeserializeGuard},
};
use ragline_crds::{RagPipeline, RagPipelineClass};
use ragline_operator::cluster::access;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    door::Door,
    kubelet::Kubelet,
    normal::{self, Exactness, Snapshot},
    operator::{Operator, Trip},
    server::{Server, namespace},
};

/// What is waited for takes less than this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(90);
/// Trips that a pipeline may take to its rest.
const TRIPS: usize = 12;
/// The class of these pipelines, so that classes of other tests do not concern them.
const CLASS: &str = "faults";

/// See above.
pub(super) struct World {
    pub(super) server: Arc<Server>,
    pub(super) client: Client,
    pub(super) namespace: String,
    _kubelet: Kubelet,
}

impl World {
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) async fn new(server: &Arc<Server>, what: &str) -> Self {
        let client = server.client().await;
        let class = json!({
            "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipelineClass", "metadata": {"name": CLASS}, "spec": {},
        });
        let classes: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<RagPipelineClass>(&()));
        classes.patch(CLASS, &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap();
        let namespace = namespace(&client, what).await;
        let kubelet = Kubelet::start(client.clone(), &namespace);
        Self { server: Arc::clone(server), client, namespace, _kubelet: kubelet }
    }

    pub(super) async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await.unwrap();
    }

    pub(super) fn pipelines(&self) -> Api<RagPipeline> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes the pipeline, or gives it another spec as a whole: an object that server-side apply empties would become null.
    pub(super) async fn apply(&self, name: &str, spec: &Value) -> kube::Result<()> {
        let mut spec = spec.clone();
        spec["className"] = json!(CLASS);
        let resource = ApiResource::erase::<RagPipeline>(&());
        let pipelines: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let mut object = DynamicObject::new(name, &resource).data(json!({"spec": spec}));
        match pipelines.get_opt(name).await? {
            Some(before) => {
                object.metadata.resource_version = before.metadata.resource_version;
                pipelines.replace(name, &PostParams::default(), &object).await.map(drop)
            }
            None => pipelines.create(&PostParams::default(), &object).await.map(drop),
        }
    }

    /// An operator without memory and without trouble.
    pub(super) async fn operator(&self) -> Operator {
        Operator::new(Door::open(&self.server).await)
    }

    /// The pipeline as the API server has it.
    pub(super) async fn view(&self, name: &str) -> DeserializeGuard<RagPipeline> {
        let pipelines: Api<DeserializeGuard<RagPipeline>> = Api::namespaced(self.client.clone(), &self.namespace);
        pipelines.get(name).await.unwrap()
    }

    /// One trip for the pipeline as the API server has it.
    pub(super) async fn trip(&self, operator: &Operator, name: &str) -> Trip {
        Box::pin(operator.trip(self.view(name).await)).await
    }

    /// Trip after trip until one writes nothing and the workloads stand; gives whether the operator lived to see it. What fails
    /// is tried again.
    pub(super) async fn converge(&self, operator: &Operator, name: &str) -> bool {
        let mut failures = Vec::new();
        let mut trips = 0;
        // What a trip saw may have moved on by its end: only one that began when all stood can say that nothing is left to do.
        let mut stands = false;
        while trips < TRIPS {
            match self.trip(operator, name).await {
                Trip::Crashed => return false,
                Trip::Failed(error) => {
                    failures.push(format!("{error:?}"));
                    assert!(failures.len() < 500, "{}/{name} fails on and on: {:?}", self.namespace, failures.last());
                }
                Trip::Done { writes } => {
                    trips += 1;
                    if stands && writes == 0 {
                        return true;
                    }
                    self.settle(name).await;
                    stands = true;
                }
            }
        }
        panic!("{}/{name} is not at rest after {TRIPS} trips: {:#?}", self.namespace, operator.door.calls().split_off(40))
    }

    /// Waits until Kubernetes' controllers have done what the workloads ask for.
    pub(super) async fn settle(&self, name: &str) {
        let begun = Instant::now();
        loop {
            let unsettled = self.unsettled(name).await;
            if unsettled.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{}/{name} does not settle: {unsettled:?}", self.namespace);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    async fn unsettled(&self, name: &str) -> Vec<String> {
        let mut unsettled = Vec::new();
        for one in self.list::<Deployment>(name).await {
            let (wanted, status) = (one.spec.unwrap().replicas.unwrap_or(1), one.status.unwrap_or_default());
            let seen = status.observed_generation == one.metadata.generation;
            let counts = [status.replicas, status.updated_replicas, status.available_replicas];
            if !seen || counts.iter().any(|count| count.unwrap_or(0) != wanted) {
                unsettled.push(format!("Deployment {:?}", one.metadata.name));
            }
        }
        for one in self.list::<StatefulSet>(name).await {
            let (wanted, status) = (one.spec.unwrap().replicas.unwrap_or(1), one.status.unwrap_or_default());
            let seen = status.observed_generation == one.metadata.generation && status.current_revision == status.update_revision;
            if !seen || status.ready_replicas.unwrap_or(0) != wanted || status.updated_replicas.unwrap_or(0) != wanted {
                unsettled.push(format!("StatefulSet {:?}", one.metadata.name));
            }
        }
        for one in self.list::<Job>(name).await {
            let conditions = one.status.and_then(|status| status.conditions).unwrap_or_default();
            if !conditions.iter().any(|condition| condition.type_ == "Complete") {
                unsettled.push(format!("Job {:?}", one.metadata.name));
            }
        }
        unsettled
    }

    async fn list<K>(&self, name: &str) -> Vec<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        api.list(&ListParams::default().labels(&format!("app.kubernetes.io/instance={name}"))).await.unwrap().items
    }

    /// Everything that belongs to the pipeline, whoever made it: what the operator applies, claims, and how many pods and
    /// ReplicaSets of each part.
    pub(super) async fn snapshot(&self, name: &str, exactness: Exactness) -> Snapshot {
        let mut found = Snapshot::new();
        let kinds = access::APPLIED.iter().filter(|access| !access::is_optional(access.kind));
        let lists = kinds.map(|access| async move {
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &access.resource());
            let of_pipeline = ListParams::default().labels(&format!("app.kubernetes.io/instance={name}"));
            api.list(&of_pipeline).await.map(|list| (access.kind, list.items))
        });
        for (kind, objects) in try_join_all(lists).await.unwrap() {
            for object in objects {
                let mut key = normal::words(&format!("{kind} {}", object.name_any()), &self.namespace);
                while found.contains_key(&key) {
                    key.push_str(", another");
                }
                found.insert(key, normal::normal(kind, &object, &self.namespace, exactness));
            }
        }
        for claim in self.list::<PersistentVolumeClaim>(name).await {
            found.insert(format!("PersistentVolumeClaim {}", claim.name_any()), json!(claim.spec.unwrap().resources));
        }
        let part = |labels: &BTreeMap<String, String>| labels.get("app.kubernetes.io/component").cloned().unwrap_or_default();
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for pod in self.list::<Pod>(name).await {
            *counts.entry(format!("pods of {}", part(pod.labels()))).or_default() += 1;
        }
        if exactness == Exactness::Way {
            for set in self.list::<ReplicaSet>(name).await {
                *counts.entry(format!("ReplicaSets of {}", part(set.labels()))).or_default() += 1;
            }
        }
        found.extend(counts.into_iter().map(|(what, count)| (what, json!(count))));
        found
    }

    /// The objects with the pipeline's status among them.
    pub(super) async fn told(&self, name: &str, exactness: Exactness) -> Snapshot {
        let mut found = self.snapshot(name, exactness).await;
        let status = self.pipelines().get(name).await.unwrap().status;
        found.insert("status".to_owned(), normal::status(json!(status), &self.namespace, exactness));
        found
    }

    /// What the Events about the pipeline say, in order.
    pub(super) async fn events(&self, name: &str) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut told: Vec<_> = events.list(&ListParams::default()).await.unwrap().items;
        told.retain(|event| event.regarding.as_ref().is_some_and(|of| of.name.as_deref() == Some(name)));
        told.sort_by_key(|event| event.metadata.name.clone());
        let words = |event: Event| format!("{} {}", event.reason.unwrap_or_default(), event.note.unwrap_or_default());
        told.into_iter().map(words).map(|text| normal::words(&text, &self.namespace)).collect()
    }
}
