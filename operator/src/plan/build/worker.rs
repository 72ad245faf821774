//! The workers: the gateway's program in the role that takes documents in. No Service leads to them.

use k8s_openapi::api::apps::v1::Deployment;

use super::gateway::{Serving, serving};
use crate::plan::{
    credentials::Credentials,
    names::{self, Component},
    pipeline::{Pipeline, Workers},
};

/// The role of the pods.
const WORKER: &str = "worker";

/// The workers themselves. A file that one of them held when it ended is taken over by another.
pub fn deployment(pipeline: &Pipeline, workers: &Workers, credentials: &Credentials) -> Deployment {
    let Workers { replicas, resources } = workers;
    let replicas = Some(if pipeline.stopped { 0 } else { *replicas });
    let name = names::worker(&pipeline.name);
    let roles = Some(WORKER);
    serving(pipeline, credentials, Serving { component: Component::Worker, name, roles, replicas, resources })
}
