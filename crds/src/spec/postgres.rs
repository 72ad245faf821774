//! The database that holds documents and vectors.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ManagedTls, Quantity, Resources, SecretKeyRef};

/// The database that holds documents and vectors. Name at most one of `managed`, `cloudNativePg` and `external`; with none, it is
/// managed.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.managed), has(self.cloudNativePg), has(self.external)].filter(named, named).size() <= 1")
    .message("name only one of managed, cloudNativePg and external"))]
pub struct Postgres {
    /// One PostgreSQL 17 with pgvector that the operator runs. It is a single primary: while its pod restarts, nothing can be written, and
    /// without `replicas` nothing is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedPostgres>,
    /// A PostgreSQL with standbys that the CloudNativePG operator runs, which the cluster must have. The kind of PostgreSQL cannot be
    /// changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_native_pg: Option<CloudNativePg>,
    /// A PostgreSQL 15 to 18 with pgvector 0.8 or newer that somebody else runs. Each pipeline needs a database of its own there;
    /// many databases may share a server. The kind of PostgreSQL cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalPostgres>,
    /// Connections that each gateway and each worker keeps at most, 1 to 50. The `max_connections` of `managed` and `cloudNativePg` follow;
    /// an `external` server must take those of all. Default: `10`.
    #[schemars(range(min = 1, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_size: Option<u32>,
    /// Seconds after which a statement of the gateways is cancelled, and its request answered 503, 1 to 3600. Default: `30`.
    #[schemars(range(min = 1, max = 3_600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_timeout_seconds: Option<u64>,
}

/// A PostgreSQL that the CloudNativePG operator runs: a Cluster named after the pipeline, with `-postgres` behind. With
/// `deletionPolicy: Retain` it goes on running when the pipeline is deleted, since CloudNativePG keeps no data without it.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudNativePg {
    /// One primary and the others standbys, 1 to 9. Default: `3`.
    #[schemars(range(min = 1, max = 9))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    /// Image with PostgreSQL 15 or newer and pgvector 0.8 or newer. The major version is read off the tag, as in `17.6-trixie` or
    /// `pg17`; a tag that does not tell counts as 17. Default: the one that the operator was installed with.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Number of the image's user `postgres`, 1 to 65535: 999 in Debian's and Docker's images, 26 in those of CloudNativePG. Default:
    /// `999`.
    #[schemars(range(min = 1, max = 65_535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    /// The volume of each instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// CPU and memory of each instance. Default: as of `managed.resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Settings of PostgreSQL, as in `managed.parameters`, at most 64. CloudNativePG refuses those that it depends upon. Default:
    /// none.
    #[schemars(schema_with = "super::resources::bounded_strings::<64, 512>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)?$') && name.size() <= 63)")
        .message("a setting's name holds lower-case letters, digits and _, at most 63"))]
    pub parameters: Option<BTreeMap<String, String>>,
}

/// A PostgreSQL that somebody else runs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalPostgres {
    /// Secret in the pipeline's namespace with two keys: `DATABASE_URL`, the URL of the role that the gateways serve with, and
    /// `DATABASE_OWNER_URL`, that of the role which owns the tables; as in `postgresql://user:password@host:5432/database`. The
    /// operator's README has the SQL that makes both roles. While Secret or keys are missing, the pipeline waits.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: String,
    /// Its port, as in the URLs; NetworkPolicies let the pods reach no other. Default: `5432`.
    #[schemars(range(min = 1, max = 65_535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The schema of the database that holds the tables. Pipelines that share a database need one each. Default: `public`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z_][a-z0-9_]*$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// How the connection is protected, where the URL does not say it by `sslmode`: `Disable` not at all, `Require` encrypts without
    /// looking at the certificate, `VerifyCa` wants one of a known authority, and `VerifyFull` one that has the server's name too.
    /// Default: `VerifyFull`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_mode: Option<TlsMode>,
    /// Certificates of the authorities that may have signed the server's certificate, as PEM. Left out, those of the public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TlsMode {
    Disable,
    Require,
    VerifyCa,
    #[default]
    VerifyFull,
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
    /// CPU and memory. PostgreSQL's own memory settings follow the memory limit. Default: by `dataset.expectedVectors`, requests
    /// of `250m` and `1Gi`; from 100,000 on 1 CPU and 4Gi, from a million on 4 CPUs and 16Gi, from ten million on 8 CPUs and 32Gi;
    /// the memory limit is the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Read replicas, 0 to 3, that follow the primary by streaming, each with a volume, CPU and memory as the primary's. Searches go to
    /// them, and go on while the primary is away; writes wait for it. One that is more than a second behind, or away, is left out at
    /// once. No replica ever takes the primary's place. Their volumes are copies and go with them. Changing the number does not restart
    /// the primary. Default: `0`.
    #[schemars(range(min = 0, max = 3))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Whether gateways, Jobs and read replicas speak TLS to it and accept no other certificate than its own. The image must be built
    /// with TLS, as the public ones are. A renewed certificate takes effect without a restart. When this setting changes, PostgreSQL
    /// starts anew and the gateways are rolled; requests fail until both have come to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ManagedTls>,
    /// Settings of PostgreSQL, as in `work_mem: 16MB`, at most 64. They win over those that the operator derives from the
    /// memory limit. A setting that PostgreSQL does not know keeps it from starting; its pod's log says which. Settings that
    /// the operator depends upon (where data, files and sockets lie, ports, TLS, authentication, preloaded libraries,
    /// commands, replication) are refused. Default: none.
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
    /// where the storage class allows it, and never shrink. Default: `10Gi`; 50Gi from 100,000 expected vectors on, and 500Gi from
    /// a million on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
    /// Storage class of the volume. Cannot be changed later. A class that does not exist leaves the volume pending, and the
    /// condition `DatabaseReady` says so. Default: the cluster's default class.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// `Required` makes nothing before the storage class declares that its volumes are encrypted: by a parameter such as `encrypted:
    /// "true"` or a key of its provisioner's, or by the label `ragline.dev/encrypted: "true"` that its administrator gives it. `Ready` is
    /// False with the reason `StorageNotEncrypted` until then. Default: `Optional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<StorageEncryption>,
}

/// Whether volumes must be encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum StorageEncryption {
    #[default]
    Optional,
    Required,
}
