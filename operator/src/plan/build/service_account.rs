//! Identities of the pods. They have no rights and no token: nothing in a pipeline speaks to the Kubernetes API.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::meta;
use crate::plan::{
    names::{self, Component},
    pipeline::Pipeline,
};

/// One for each part, so that a cluster's own policies can tell them apart.
pub fn service_accounts(pipeline: &Pipeline) -> Vec<ServiceAccount> {
    let mut accounts =
        vec![(names::gateway(&pipeline.name), Component::Gateway), (names::jobs(&pipeline.name), Component::Schema)];
    if pipeline.managed_postgres().is_some() {
        accounts.push((names::postgres(&pipeline.name), Component::Postgres));
    }
    if pipeline.workers.is_some() {
        accounts.push((names::worker(&pipeline.name), Component::Worker));
    }
    if pipeline.managed_cache().is_some() {
        accounts.push((names::valkey(&pipeline.name), Component::Cache));
    }
    let account = |(name, component)| ServiceAccount {
        metadata: meta::owned(pipeline, name, component),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    accounts.into_iter().map(account).collect()
}
