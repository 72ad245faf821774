//! The database that holds documents and vectors.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Quantity, Resources};

/// The database that holds documents and vectors. Left out or empty, it is `managed`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Postgres {
    /// One PostgreSQL 17 with pgvector that the operator runs. It is a single primary: while its pod restarts, the pipeline does
    /// not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedPostgres>,
}

/// A PostgreSQL that the operator runs.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedPostgres {
    /// Image with PostgreSQL 17 and pgvector 0.8 or newer, whose user 999 can run `postgres` and `initdb`, as in
    /// `pgvector/pgvector:pg17`. Another major version of PostgreSQL cannot read the data and does not start.
    /// Default: the one that the operator was installed with.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The volume for the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// CPU and memory. PostgreSQL's own memory settings follow the memory limit. Default: requests of `250m` and `1Gi`, and a
    /// memory limit of `1Gi`. For a million vectors and more, give 16Gi to 32Gi and 4 to 8 CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Settings of PostgreSQL, as in `work_mem: 16MB`, at most 64. They win over those that the operator derives from the
    /// memory limit. A setting that PostgreSQL does not know keeps it from starting; its pod's log says which. Settings that
    /// the operator depends upon (where data, files and sockets lie, ports, TLS, authentication, preloaded libraries,
    /// commands) are refused. Default: none.
    #[schemars(schema_with = "super::resources::bounded_strings::<64, 512>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)?$') && name.size() <= 63)")
        .message("a setting's name holds lower-case letters, digits and _, at most 63"))]
    pub parameters: Option<BTreeMap<String, String>>,
}

/// The volume for the data.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size of the volume, as in `50Gi`. A million vectors of 1536 dimensions take about 10Gi with their index. It can grow
    /// where the storage class allows it, and never shrink. Default: `10Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
    /// Storage class of the volume. Cannot be changed later. A class that does not exist leaves the volume pending, and the
    /// condition `DatabaseReady` says so. Default: the cluster's default class.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
}
