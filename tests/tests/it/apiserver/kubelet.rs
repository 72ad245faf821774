//! Stands in for the kubelets of a cluster without nodes: every pod runs and is ready at once, and one of a Job ends well. Nothing
//! else is simulated: Deployments, StatefulSets, Jobs and the collection of garbage are Kubernetes' own.

use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use tokio::task::JoinHandle;

/// Works until it is dropped.
pub(super) struct Kubelet(JoinHandle<()>);

impl Kubelet {
    /// For the pods of one namespace.
    pub(super) fn start(client: Client, namespace: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        Self(tokio::spawn(async move {
            loop {
                let touched = watcher(pods.clone(), watcher::Config::default()).touched_objects();
                let done = touched.try_for_each(|pod| {
                    let pods = pods.clone();
                    async move {
                        run(&pods, &pod).await;
                        Ok(())
                    }
                });
                if done.await.is_err() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }))
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(pods: &Api<Pod>, pod: &Pod) {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Pending") || pod.metadata.deletion_timestamp.is_some() {
        return;
    }
    let now = Timestamp::now().to_string();
    let is_job = pod.owner_references().iter().any(|owner| owner.kind == "Job");
    let status = if is_job {
        json!({"phase": "Succeeded", "startTime": now})
    } else {
        let condition = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now});
        json!({"phase": "Running", "startTime": now, "conditions": [condition("Ready"), condition("ContainersReady")]})
    };
    // A pod that is gone meanwhile needs none.
    let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await;
}
