//! The Cluster of CloudNativePG, typed as far as it is used here, and what its status tells.

use serde::Deserialize;
use serde_json::json;

use super::{foreign::foreign_kind, meta, pod, postgres_settings as settings, secrets};
use crate::plan::{
    credentials::Login,
    names::{self, Component},
    pipeline::{ManagedPostgres, Pipeline},
};

/// The label of a Cluster's pods.
pub const CLUSTER_LABEL: &str = "cnpg.io/cluster";

foreign_kind! {
    /// A PostgreSQL with standbys.
    PostgresCluster: "postgresql.cnpg.io" / "v1", "Cluster", "clusters"
}

/// A Cluster as it is read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct PostgresClusterSeen {
    pub status: PostgresClusterStatus,
}

/// What CloudNativePG tells of a Cluster.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct PostgresClusterStatus {
    /// The primary among them.
    pub ready_instances: u32,
    /// Text for people.
    pub phase: Option<String>,
    pub phase_reason: Option<String>,
    /// Name of its pod.
    pub current_primary: Option<String>,
}

impl PostgresClusterStatus {
    /// Whether a primary takes connections. It does also while a standby is missing, when the condition `Ready` is False.
    pub fn serves(&self) -> bool {
        self.current_primary.as_ref().is_some_and(|primary| !primary.is_empty()) && self.ready_instances > 0
    }
}

/// What only a superuser may do, once, in the new database.
const AS_SUPERUSER: [&str; 3] = [
    "CREATE EXTENSION IF NOT EXISTS vector",
    "GRANT pg_monitor TO ragline_owner",
    "GRANT USAGE, CREATE ON SCHEMA public TO ragline_owner WITH GRANT OPTION",
];

/// The Cluster that the spec asks for. Its passwords are those that the operator drew.
pub fn cluster(pipeline: &Pipeline, instances: u32, user: u32, each: &ManagedPostgres) -> PostgresCluster {
    let name = &pipeline.name;
    let mut storage = json!({"size": each.storage_size, "resizeInUseVolumes": true});
    if let Some(class) = &each.storage_class {
        storage["storageClass"] = json!(class);
    }
    let spec = json!({
        "instances": instances,
        "imageName": each.image,
        "postgresUID": user,
        "postgresGID": user,
        "storage": storage,
        "resources": pod::requirements(&each.resources),
        "bootstrap": {"initdb": {
            "database": secrets::DATABASE,
            "owner": secrets::OWNER,
            "secret": {"name": names::owner_secret(name)},
            "postInitApplicationSQL": AS_SUPERUSER,
        }},
        "managed": {"roles": [{
            "name": Login::First.name(),
            "ensure": "present",
            "login": true,
            "passwordSecret": {"name": names::application_secret(name)},
        }]},
        "postgresql": {"parameters": settings::of_cloud_native_pg(pipeline, each)},
    });
    PostgresCluster::new(meta::kept(pipeline, names::postgres(name), Component::Postgres), spec)
}
