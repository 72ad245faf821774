//! The names of all objects of a pipeline. Names are at most 40 characters, so every suffix of at most 22 leaves a Service's
//! name within 63.

use sha2::{Digest, Sha256};

/// Label with the pipeline's name, by which everything of a pipeline is found.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// Label with the part's name: a value of [`Component`].
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// Label with the operator's name.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY_LABEL`], and the field manager of all objects.
pub const MANAGER: &str = "ragline-operator";
/// Selects the children of all pipelines.
pub const CHILDREN_SELECTOR: &str = "app.kubernetes.io/managed-by=ragline-operator";

/// Annotation of pods with a hash of the generated Secrets that they hold.
pub const SECRETS_HASH: &str = "ragline.dev/secrets-hash";

/// The parts of a pipeline.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Component {
    Postgres,
    Cache,
    Gateway,
    Worker,
    Schema,
    Index,
    Replica,
}

impl Component {
    /// The value of [`COMPONENT_LABEL`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Cache => "cache",
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Schema => "schema",
            Self::Index => "index",
            Self::Replica => "replica",
        }
    }
}

/// The gateway's Deployment, Service, ServiceAccount and PodDisruptionBudget.
pub fn gateway(pipeline: &str) -> String {
    format!("{pipeline}-gateway")
}

/// The ConfigMap with the gateway's configuration file.
pub fn gateway_config(pipeline: &str) -> String {
    format!("{pipeline}-gateway-config")
}

/// The workers' Deployment and ServiceAccount.
pub fn worker(pipeline: &str) -> String {
    format!("{pipeline}-worker")
}

/// PostgreSQL's StatefulSet, Service and ServiceAccount.
pub fn postgres(pipeline: &str) -> String {
    format!("{pipeline}-postgres")
}

/// Folder of the certificates that PostgreSQL's is checked with.
pub const DATABASE_CA_FOLDER: &str = "database-ca";
/// Folder of the certificate and the key that a part speaks TLS with.
pub const CERTIFICATE_FOLDER: &str = "certificate";

/// The Secret in which CloudNativePG keeps the certificate of the Cluster's authority, under the same key as we do.
pub fn cloud_native_pg_ca(pipeline: &str) -> String {
    format!("{}-ca", postgres(pipeline))
}

/// The Service of the primary of CloudNativePG's Cluster.
pub fn cloud_native_pg_primary(pipeline: &str) -> String {
    format!("{}-rw", postgres(pipeline))
}

/// The Service without an address that the StatefulSet needs.
pub fn postgres_headless(pipeline: &str) -> String {
    format!("{pipeline}-postgres-pods")
}

/// The StatefulSet of the read replicas, their Service without an address, PodDisruptionBudget and NetworkPolicy. Short, since the label of
/// a StatefulSet's revision on its pods is this and eleven letters more.
pub fn replica(pipeline: &str) -> String {
    format!("{pipeline}-replica")
}

/// The claim for the volume of a read replica.
pub fn replica_claim(pipeline: &str, number: u32) -> String {
    format!("{POSTGRES_VOLUME}-{}-{number}", replica(pipeline))
}

/// The Service of the standbys of CloudNativePG's Cluster.
pub fn cloud_native_pg_standbys(pipeline: &str) -> String {
    format!("{}-ro", postgres(pipeline))
}

/// The ConfigMap with PostgreSQL's configuration and start command.
pub fn postgres_config(pipeline: &str) -> String {
    format!("{pipeline}-postgres-config")
}

/// The template of the claim for PostgreSQL's volume.
pub const POSTGRES_VOLUME: &str = "data";

/// The claim for PostgreSQL's volume.
pub fn postgres_claim(pipeline: &str) -> String {
    format!("{POSTGRES_VOLUME}-{}-0", postgres(pipeline))
}

/// Valkey's Deployment, Service and ServiceAccount.
pub fn valkey(pipeline: &str) -> String {
    format!("{pipeline}-valkey")
}

/// The ConfigMap with Valkey's configuration and start command.
pub fn valkey_config(pipeline: &str) -> String {
    format!("{pipeline}-valkey-config")
}

/// The Secret of the database's superuser.
pub fn superuser_secret(pipeline: &str) -> String {
    format!("{pipeline}-postgres-superuser")
}

/// The Secret of the role that owns the tables.
pub fn owner_secret(pipeline: &str) -> String {
    format!("{pipeline}-postgres-owner")
}

/// The Secret of the role that the gateway serves with.
pub fn application_secret(pipeline: &str) -> String {
    format!("{pipeline}-postgres-app")
}

/// The Secret of the role that read replicas copy the primary with.
pub fn replication_secret(pipeline: &str) -> String {
    format!("{pipeline}-postgres-replication")
}

/// The Secret with Valkey's password.
pub fn valkey_secret(pipeline: &str) -> String {
    format!("{pipeline}-valkey")
}

/// Folder of the certificates that Valkey's is checked with.
pub const VALKEY_CA_FOLDER: &str = "valkey-ca";

/// The Secret with the certificate and the key of the pipeline's own authority.
pub fn authority_secret(pipeline: &str) -> String {
    format!("{pipeline}-ca")
}

/// The Secret with the certificate and the key of a part, and the certificate of the authority.
pub fn certificate_secret(pipeline: &str, part: Component) -> String {
    let service = match part {
        Component::Cache => valkey(pipeline),
        Component::Postgres => postgres(pipeline),
        Component::Replica => replica(pipeline),
        Component::Gateway | Component::Worker | Component::Schema | Component::Index => format!("{pipeline}-{}", part.as_str()),
    };
    format!("{service}-tls")
}

/// The Secret with the first API key.
pub fn api_key_secret(pipeline: &str) -> String {
    format!("{pipeline}-api-key")
}

/// All Secrets that the operator generates for a pipeline.
pub fn generated_secrets(pipeline: &str) -> [String; 6] {
    [
        superuser_secret(pipeline),
        owner_secret(pipeline),
        application_secret(pipeline),
        replication_secret(pipeline),
        valkey_secret(pipeline),
        api_key_secret(pipeline),
    ]
}

/// The Job that brings the schema up to date. `hash` is one of what it does; see [`hash`].
pub fn schema_job(pipeline: &str, hash: &str) -> String {
    format!("{pipeline}-schema-{hash}")
}

/// A Job that builds an index.
pub fn index_job(pipeline: &str, hash: &str) -> String {
    format!("{pipeline}-index-{hash}")
}

/// A Job that makes a login role of the database, or locks one out.
pub fn role_job(pipeline: &str, hash: &str) -> String {
    format!("{pipeline}-roles-{hash}")
}

/// The ServiceAccount of the Jobs.
pub fn jobs(pipeline: &str) -> String {
    format!("{pipeline}-jobs")
}

/// Ten hexadecimal digits over the given texts. Each counts by itself: moving a letter from one to the next gives another hash.
pub fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    hex::encode(&digest.finalize()[..5])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest name of a Service, and of a pod's host name, which a Job's and a StatefulSet's pods get.
    const LABEL_MAX: usize = 63;
    /// What a Job or a Deployment appends to the names of its pods.
    const POD_SUFFIX: usize = "-0123456789-01234".len();

    #[test]
    fn the_longest_name_leaves_room_for_every_suffix() {
        let pipeline = "p".repeat(ragline_crds::NAME_LENGTH_MAX);
        let hash = hash(["x"]);
        let services =
            [gateway(&pipeline), postgres(&pipeline), postgres_headless(&pipeline), replica(&pipeline), valkey(&pipeline)];
        assert!(services.iter().all(|name| name.len() <= LABEL_MAX));
        // The label of a StatefulSet's revision on its pods.
        let revisions = [postgres(&pipeline), replica(&pipeline)].map(|name| format!("{name}-0123456789"));
        assert!(revisions.iter().all(|name| name.len() <= LABEL_MAX), "{revisions:?}");
        // Names of pods are cut to fit by Kubernetes, but the Job's own is a label on its pods.
        let jobs = [schema_job(&pipeline, &hash), index_job(&pipeline, &hash), role_job(&pipeline, &hash)];
        assert!(jobs.iter().all(|name| name.len() <= LABEL_MAX), "{jobs:?}");
        assert!(gateway(&pipeline).len() + POD_SUFFIX <= 253);
        assert!(postgres_claim(&pipeline).len() <= 253);
    }

    #[test]
    fn the_hash_knows_where_one_text_ends() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_eq!(hash(["ab", "c"]).len(), 10);
    }
}
