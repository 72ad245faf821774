//! Where new pods go, and the second node cut off.

use std::process::Command;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::ListParams};

use super::until;
use crate::e2e::{
    programs::{kubectl, repository, run},
    world::World,
};

pub(super) const FIRST: &str = "node1";
pub(super) const SECOND: &str = "node2";

/// New pods go to the node of choice while this lives, and to the first one afterwards.
pub(super) struct Placing;

impl Placing {
    pub(super) fn on(node: &str) -> Self {
        let other = if node == FIRST { SECOND } else { FIRST };
        kubectl(&["uncordon", node]);
        kubectl(&["cordon", other]);
        Self
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        kubectl(&["uncordon", FIRST]);
        kubectl(&["cordon", SECOND]);
    }
}

/// The second node, off while this lives.
pub(super) struct CutOff;

impl CutOff {
    pub(super) fn second() -> Self {
        cut("off");
        Self
    }
}

impl Drop for CutOff {
    fn drop(&mut self) {
        cut("on");
    }
}

fn cut(what: &str) {
    let name = std::env::var("RAGLINE_E2E_CLUSTER").expect("tests/nodes/run.sh runs these stories and names the cluster");
    let mut script = Command::new(repository().join("tests/cluster/cut.sh"));
    run(script.args([what, "2"]).env("RAGLINE_CLUSTER_NAME", name));
}

/// Whether the cluster counts the second node as well.
pub(super) async fn second_is_ready(world: &World) -> bool {
    let nodes: Api<Node> = Api::all(world.client.clone());
    let status = nodes.get(SECOND).await.unwrap().status.unwrap();
    status.conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A pod of a part.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) node: Option<String>,
    pub(super) ready: bool,
    /// Told to end.
    pub(super) ending: bool,
}

/// The pods of a part of the pipeline `a`.
pub(super) async fn pods(world: &World, component: &str) -> Vec<Placed> {
    let of_part = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let placed = |pod: Pod| {
        let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
        Placed {
            name: pod.metadata.name.unwrap(),
            node: pod.spec.and_then(|spec| spec.node_name),
            ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
            ending: pod.metadata.deletion_timestamp.is_some(),
        }
    };
    world.api::<Pod>().list(&of_part).await.unwrap().items.into_iter().map(placed).collect()
}

/// Waits until a part has so many pods on a node that are ready, and no others.
pub(super) async fn settled(world: &World, component: &str, wanted: &[&str]) {
    until(&format!("{component} on {wanted:?}"), 180, async || {
        let pods = pods(world, component).await;
        let mut nodes: Vec<_> = pods.iter().filter_map(|pod| pod.node.as_deref()).collect();
        nodes.sort_unstable();
        nodes == wanted && pods.iter().all(|pod| pod.ready && !pod.ending)
    })
    .await;
}
