//! A pipeline whose spec has been checked and whose gaps are filled. Code that holds one cannot meet an invalid value.

use std::collections::BTreeMap;

use ragline_config::Config;
use ragline_crds::spec::{DeletionPolicy, Quantity, SecretKeyRef};

/// What the operator was installed with, and what fills the gaps of a spec.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Defaults {
    pub gateway_image: String,
    pub postgres_image: String,
    pub valkey_image: String,
}

/// A checked pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub generation: i64,
    /// The gateway's configuration file.
    pub config: Config,
    pub expected_vectors: Option<u64>,
    /// Secrets of the user's, mounted into the gateway.
    pub secrets: Vec<UserSecret>,
    pub postgres: Postgres,
    /// `None`: disabled.
    pub cache: Option<Cache>,
    pub gateway: Gateway,
    /// `None`: the gateways take documents in themselves.
    pub workers: Option<Workers>,
    pub deletion_policy: DeletionPolicy,
}

/// A key of a Secret that the user made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserSecret {
    /// Path of the field that names it, as in `spec.embedding.openAiCompatible.secretRef`.
    pub field: &'static str,
    /// The environment variable that the gateway reads; with the suffix for files it names the mounted file.
    pub variable: &'static str,
    pub secret: SecretKeyRef,
}

/// The managed PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Postgres {
    pub image: String,
    pub storage_size: Quantity,
    pub storage_class: Option<String>,
    pub resources: Sizing,
    /// The user's settings.
    pub parameters: BTreeMap<String, String>,
}

/// The managed Valkey.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    pub image: String,
    pub max_memory_bytes: u64,
    pub resources: Sizing,
}

/// The gateways.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    pub image: String,
    pub replicas: u32,
    pub resources: Sizing,
}

/// The pods that only take documents in. Their image is the gateway's.
#[derive(Clone, Debug, PartialEq)]
pub struct Workers {
    pub replicas: u32,
    pub resources: Sizing,
}

/// CPU and memory of a container, gaps filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizing {
    pub cpu_request: Quantity,
    pub cpu_limit: Option<Quantity>,
    pub memory_request: Quantity,
    pub memory_limit: Quantity,
    /// The memory limit in bytes.
    pub memory_bytes: u64,
}
