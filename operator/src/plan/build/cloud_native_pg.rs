//! The Cluster of CloudNativePG, typed as far as it is used here, and what its status tells.

use k8s_openapi::{
    Metadata, NamespaceResourceScope, Resource,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{meta, pod, postgres_settings as settings, secrets};
use crate::plan::{
    names::{self, Component},
    pipeline::{ManagedPostgres, Pipeline},
};

/// The label of a Cluster's pods.
pub const CLUSTER_LABEL: &str = "cnpg.io/cluster";

/// A PostgreSQL with standbys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresCluster {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    spec: Value,
}

impl Resource for PostgresCluster {
    const API_VERSION: &'static str = "postgresql.cnpg.io/v1";
    const GROUP: &'static str = "postgresql.cnpg.io";
    const KIND: &'static str = "Cluster";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "clusters";
    type Scope = NamespaceResourceScope;
}

impl Metadata for PostgresCluster {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What CloudNativePG tells of a Cluster.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct PostgresClusterStatus {
    pub ready_instances: u32,
    /// Text for people.
    pub phase: Option<String>,
    pub phase_reason: Option<String>,
    pub current_primary: Option<String>,
    pub conditions: Vec<Condition>,
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
            "name": secrets::APPLICATION,
            "ensure": "present",
            "login": true,
            "passwordSecret": {"name": names::application_secret(name)},
        }]},
        "postgresql": {"parameters": settings::of_cloud_native_pg(pipeline, each)},
    });
    PostgresCluster {
        api_version: PostgresCluster::API_VERSION,
        kind: PostgresCluster::KIND,
        metadata: meta::kept(pipeline, names::postgres(name), Component::Postgres),
        spec,
    }
}
