//! What runs of a pipeline, so that one can tell that nothing of it was started again.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Pod,
};
use kube::api::ListParams;

use crate::e2e::world::World;

/// Pods with the starts of their containers, and the generations of what makes them.
#[derive(Debug, PartialEq)]
pub(super) struct Operands {
    pub(super) pods: BTreeMap<String, i32>,
    generations: BTreeMap<String, i64>,
}

impl Operands {
    /// Those of the namespace. A pod of a Job runs once, so it tells nothing.
    pub(super) async fn of(world: &World) -> Self {
        let all = ListParams::default();
        let serving = ListParams::default().labels("app.kubernetes.io/component in (gateway,postgres,replica,cache,worker)");
        let starts = |pod: &Pod| -> i32 {
            let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
            statuses.into_iter().flatten().map(|status| status.restart_count).sum()
        };
        let pods = world.api::<Pod>().list(&serving).await.unwrap().items;
        let pods = pods.into_iter().map(|pod| {
            let starts = starts(&pod);
            (format!("{} {}", pod.metadata.name.unwrap(), pod.metadata.uid.unwrap()), starts)
        });
        let deployments = world.api::<Deployment>().list(&all).await.unwrap().items.into_iter().map(|one| one.metadata);
        let stateful_sets = world.api::<StatefulSet>().list(&all).await.unwrap().items.into_iter().map(|one| one.metadata);
        let made = deployments.chain(stateful_sets);
        Self { pods: pods.collect(), generations: made.map(|one| (one.name.unwrap(), one.generation.unwrap())).collect() }
    }
}
