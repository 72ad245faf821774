//! A pipeline whose spec has been checked and whose gaps are filled. Code that holds one cannot meet an invalid value.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use ragline_config::Config;
use ragline_crds::spec::{DeletionPolicy, Ingress, Peer, Quantity, Route, SecretKeyRef};

/// What the operator was installed with, and what fills the gaps of a spec.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Defaults {
    pub gateway_image: String,
    pub postgres_image: String,
    pub valkey_image: String,
    /// Namespace that the operator's own pods are in; they ask the gateways how their index stands.
    pub operator_namespace: String,
}

#[cfg(test)]
impl Defaults {
    pub(crate) fn of_tests() -> Self {
        Self {
            gateway_image: "example.org/ragline-gateway:1".to_owned(),
            postgres_image: "pgvector/pgvector:pg17".to_owned(),
            valkey_image: "valkey/valkey:8".to_owned(),
            operator_namespace: "ragline-system".to_owned(),
        }
    }
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
    /// Secrets of the user's, mounted into the pods.
    pub secrets: Vec<UserSecret>,
    pub postgres: Postgres,
    pub cache: Cache,
    pub gateway: Gateway,
    /// `None`: the gateways take documents in themselves.
    pub workers: Option<Workers>,
    /// When index Jobs may begin; `None`: at any time.
    pub index_window: Option<Window>,
    /// `None`: no NetworkPolicies.
    pub network: Option<Network>,
    /// No gateway and no worker, whatever else is asked for.
    pub stopped: bool,
    pub deletion_policy: DeletionPolicy,
    /// A hash of what the pipeline's annotation says; another one asks for another password of the application. `None`: never.
    pub rotation: Option<String>,
}

impl Pipeline {
    /// The PostgreSQL that the operator runs, if it does.
    pub fn managed_postgres(&self) -> Option<&ManagedPostgres> {
        match &self.postgres {
            Postgres::Managed(managed) => Some(managed),
            Postgres::CloudNativePg { .. } | Postgres::External { .. } => None,
        }
    }

    /// The PostgreSQL that the operator runs, if it has read replicas.
    pub fn replicated_postgres(&self) -> Option<&ManagedPostgres> {
        self.managed_postgres().filter(|postgres| postgres.replicas > 0)
    }

    /// The PostgreSQL that is made for the pipeline, whoever runs it; its passwords are drawn by the operator.
    pub fn own_postgres(&self) -> Option<&ManagedPostgres> {
        match &self.postgres {
            Postgres::Managed(own) | Postgres::CloudNativePg { each: own, .. } => Some(own),
            Postgres::External { .. } => None,
        }
    }

    /// Whether the managed PostgreSQL speaks TLS, and its read replicas.
    pub fn has_postgres_tls(&self) -> bool {
        self.managed_postgres().is_some_and(|postgres| postgres.tls.is_some())
    }

    /// Whether the managed Valkey speaks TLS.
    pub fn has_cache_tls(&self) -> bool {
        self.managed_cache().is_some_and(|cache| cache.tls.is_some())
    }

    /// The Valkey that the operator runs, if it does.
    pub fn managed_cache(&self) -> Option<&ManagedCache> {
        match &self.cache {
            Cache::Managed(managed) => Some(managed),
            Cache::External | Cache::Disabled => None,
        }
    }
}

/// A key of a Secret that the user made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserSecret {
    /// Path of the field that names it, as in `spec.embedding.openAiCompatible.secretRef`.
    pub field: String,
    /// Name of the folder that it is mounted in.
    pub folder: &'static str,
    /// The environment variable that the gateway reads; with the suffix for files it names the mounted file. `None`: the
    /// configuration names the file.
    pub variable: Option<&'static str>,
    pub user: SecretUser,
    pub secret: SecretKeyRef,
}

/// Who mounts a Secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretUser {
    /// Gateways and workers.
    Serving,
    /// The Jobs, whose role may do more.
    Jobs,
    /// Both.
    All,
}

/// Where documents and vectors are.
#[derive(Clone, Debug, PartialEq)]
pub enum Postgres {
    Managed(ManagedPostgres),
    /// Run by CloudNativePG.
    CloudNativePg {
        instances: u32,
        /// Number of the image's user.
        user: u32,
        each: ManagedPostgres,
    },
    /// Somebody else's; its URLs are among the user's Secrets.
    External {
        port: u16,
    },
}

/// The managed PostgreSQL, or one instance of CloudNativePG's.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedPostgres {
    pub image: String,
    pub storage_size: Quantity,
    pub storage_class: Option<String>,
    /// Nothing is made on a class that does not declare encryption.
    pub encryption_required: bool,
    pub resources: Sizing,
    /// Read replicas that the operator runs beside the primary.
    pub replicas: u32,
    /// Whose certificates TLS is spoken with; `None`: none is spoken.
    pub tls: Option<Tls>,
    /// The user's settings.
    pub parameters: BTreeMap<String, String>,
}

/// Who makes the certificate that a part serves with. Where TLS is spoken, nothing else is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tls {
    /// The operator, by an authority of the pipeline's own.
    OwnAuthority,
    /// cert-manager.
    Issuer { name: String, kind: String, group: String },
}

/// The cache.
#[derive(Clone, Debug, PartialEq)]
pub enum Cache {
    Managed(Box<ManagedCache>),
    /// Somebody else's; the configuration has its address.
    External,
    Disabled,
}

/// The managed Valkey.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedCache {
    pub image: String,
    pub max_memory_bytes: u64,
    pub resources: Sizing,
    /// As of PostgreSQL.
    pub tls: Option<Tls>,
}

/// The gateways.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    pub image: String,
    pub scale: Scale,
    pub resources: Sizing,
    pub ingress: Option<Ingress>,
    pub route: Option<Route>,
    /// As of PostgreSQL.
    pub tls: Option<Tls>,
}

/// How many gateways there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scale {
    Fixed(u32),
    /// Load decides.
    Automatic(Autoscaling),
}

impl Scale {
    /// Fewest that there are when all is well.
    pub fn least(&self) -> u32 {
        match self {
            Self::Fixed(replicas) => *replicas,
            Self::Automatic(autoscaling) => autoscaling.least,
        }
    }

    /// Most that there may be.
    pub fn most(&self) -> u32 {
        match self {
            Self::Fixed(replicas) => *replicas,
            Self::Automatic(autoscaling) => autoscaling.most,
        }
    }
}

/// Between how many gateways load decides, and what it is measured by; one of the two measures at least is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Autoscaling {
    pub least: u32,
    pub most: u32,
    /// Of the requested CPU.
    pub cpu_percent: Option<u32>,
    /// Requests under way in one gateway.
    pub in_flight_requests: Option<u32>,
}

/// A part of each day, in minutes from midnight in UTC. It ends before `end`, which may be of the next day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    pub start: u16,
    pub end: u16,
}

impl Window {
    /// Reads `HH:MM`.
    pub fn minutes(text: &str) -> Option<u16> {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    }

    /// Whether a moment is in it. A window that ends when it begins is the whole day.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let minute = u16::try_from(now.as_second().rem_euclid(86_400) / 60).unwrap_or_default();
        if self.start < self.end { (self.start..self.end).contains(&minute) } else { minute >= self.start || minute < self.end }
    }
}

/// Who may speak to the pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Namespace of the operator's pods.
    pub operator_namespace: String,
    /// To the gateways; `None`: the pods of the pipeline's namespace.
    pub allow_from: Option<Vec<Peer>>,
    /// To gateways, PostgreSQL and Valkey, for their figures.
    pub monitoring_from: Vec<Peer>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let at = |hour: i64, minute: i64| {
            Timestamp::from_second(1_800_000_000 / 86_400 * 86_400 + hour * 3_600 + minute * 60).unwrap()
        };
        let window =
            |start: &str, end: &str| Window { start: Window::minutes(start).unwrap(), end: Window::minutes(end).unwrap() };
        let cases = [
            ("09:00", "17:30", (8, 59), false),
            ("09:00", "17:30", (9, 0), true),
            ("09:00", "17:30", (17, 29), true),
            ("09:00", "17:30", (17, 30), false),
            ("22:00", "04:30", (23, 0), true),
            ("22:00", "04:30", (4, 29), true),
            ("22:00", "04:30", (12, 0), false),
            ("00:00", "00:00", (12, 0), true),
        ];
        for (start, end, (hour, minute), open) in cases {
            assert_eq!(window(start, end).is_open(at(hour, minute)), open, "{start} to {end} at {hour}:{minute}");
        }
        assert_eq!([Window::minutes("24:00"), Window::minutes("1:60"), Window::minutes("x")], [None; 3]);
    }
}
