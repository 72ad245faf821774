//! From what a user wrote to a checked [`Pipeline`]: every gap filled, every choice made, every contradiction named by its path.

mod cache;
mod config;
mod gateway;
mod identity;
mod providers;
mod secrets;
mod sizing;
mod tracing;

use std::{collections::BTreeMap, fmt};

use kube::ResourceExt;
use ragline_config::ports;
use ragline_crds::{
    NAME_LENGTH_MAX, ROTATE_PASSWORD_ANNOTATION, RagPipeline,
    spec::{self, Quantity},
};

use super::{
    names,
    pipeline::{Cache, Defaults, ManagedCache, ManagedPostgres, Network, Pipeline, Postgres, Tls, Window, Workers},
    quantity::{self, MIB},
};
use sizing::{Preset, Standard};

/// Why a spec cannot be used. The conditions show it with the reason `SpecInvalid`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", join(.problems))]
pub struct Refusal {
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and what would be right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Path of the field, as in `spec.chunking.maxTokens`.
    pub field: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What has been found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    fn require(&mut self, ok: bool, field: &str, message: &str) {
        if !ok {
            self.0.push(Problem { field: field.to_owned(), message: message.to_owned() });
        }
    }
}

/// Replicas where the spec names none.
const WORKER_REPLICAS: u32 = 1;
/// Instances of CloudNativePG's PostgreSQL where the spec names no number, and the user of its image.
const INSTANCES: u32 = 3;
const POSTGRES_USER: u32 = 999;
/// Most read replicas.
pub(super) const REPLICAS_MAX: u32 = 3;
/// Issuers of cert-manager's where the spec names no kind and no group.
const ISSUER_KIND: &str = "Issuer";
const ISSUER_GROUP: &str = "cert-manager.io";
/// CPU and memory of the gateway's program, whatever it does.
const GATEWAY: Standard = Standard { cpu_request: "100m", memory_request_bytes: 384 * MIB, memory_limit_bytes: 1_024 * MIB };
/// Below this PostgreSQL does not start with the settings that are derived from it.
const POSTGRES_MEMORY_MIN: u64 = 256 * MIB;
/// Settings that the operator depends upon.
const RESERVED_PARAMETERS: [&str; 25] = [
    "allow_alter_system",
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "dynamic_library_path",
    "external_pid_file",
    "hba_file",
    "hot_standby",
    "ident_file",
    "listen_addresses",
    "local_preload_libraries",
    "logging_collector",
    "password_encryption",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_end_command",
    "restore_command",
    "session_preload_libraries",
    "shared_preload_libraries",
    "unix_socket_directories",
    "unix_socket_permissions",
];

/// Checks a pipeline and fills its gaps.
///
/// # Errors
/// Every problem that was found.
pub fn validate(pipeline: &RagPipeline, defaults: &Defaults) -> Result<Pipeline, Refusal> {
    let mut problems = Problems::default();
    let name = pipeline.name_any();
    problems.require(
        is_name(&name),
        "metadata.name",
        "must begin with a letter, hold only lower-case letters, digits and '-', and have at most 40 characters",
    );
    let spec = &pipeline.spec;
    let config = config::config(spec, &name, &mut problems);
    let preset = Preset::of(spec.dataset.as_ref().and_then(|dataset| dataset.expected_vectors));
    let postgres = postgres(spec, defaults, &preset, &mut problems);
    let cache = cache(spec, defaults, &preset, &mut problems);
    let gateway = gateway::gateway(spec, defaults, &mut problems);
    let network = network(spec, defaults, &mut problems);
    let index_window = window(spec, &mut problems);
    let workers = workers(spec, &mut problems);
    if !problems.0.is_empty() {
        return Err(Refusal { problems: problems.0 });
    }
    Ok(Pipeline {
        namespace: pipeline.namespace().unwrap_or_default(),
        uid: pipeline.uid().unwrap_or_default(),
        generation: pipeline.metadata.generation.unwrap_or_default(),
        config,
        expected_vectors: spec.dataset.as_ref().and_then(|dataset| dataset.expected_vectors),
        secrets: secrets::secrets(spec),
        postgres,
        cache,
        gateway,
        workers,
        index_window,
        network,
        stopped: spec.stopped.unwrap_or_default(),
        deletion_policy: spec.deletion_policy.unwrap_or_default(),
        rotation: rotation(pipeline),
        name,
    })
}

/// Hashed, since any text may stand there, of any length.
fn rotation(pipeline: &RagPipeline) -> Option<String> {
    let value = pipeline.annotations().get(ROTATE_PASSWORD_ANNOTATION).filter(|value| !value.is_empty())?;
    Some(names::hash([value.as_str()]))
}

/// What a Service can be named after.
fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= NAME_LENGTH_MAX
        && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(inner)
        && !name.ends_with('-')
}

fn postgres(spec: &ragline_crds::RagPipelineSpec, defaults: &Defaults, preset: &Preset, problems: &mut Problems) -> Postgres {
    let spec::Postgres { managed, cloud_native_pg, external, pool_size: _, statement_timeout_seconds: _ } =
        spec.postgres.clone().unwrap_or_default();
    let named = [managed.is_some(), cloud_native_pg.is_some(), external.is_some()].into_iter().filter(|named| *named).count();
    problems.require(named <= 1, "spec.postgres", "name only one of managed, cloudNativePg and external");
    if let Some(external) = external {
        return Postgres::External { port: external.port.unwrap_or(ports::POSTGRES) };
    }
    if let Some(spec::CloudNativePg { instances, image, user_id, storage, resources, parameters }) = cloud_native_pg {
        let instances = instances.unwrap_or(INSTANCES);
        problems.require((1..=9).contains(&instances), "spec.postgres.cloudNativePg.instances", "must be 1 to 9");
        let asked = spec::ManagedPostgres { image, storage, resources, replicas: None, tls: None, parameters };
        let each = own_postgres("spec.postgres.cloudNativePg", asked, defaults, preset, problems);
        return Postgres::CloudNativePg { instances, user: user_id.unwrap_or(POSTGRES_USER), each };
    }
    Postgres::Managed(own_postgres("spec.postgres.managed", managed.unwrap_or_default(), defaults, preset, problems))
}

fn own_postgres(
    at: &str,
    asked: spec::ManagedPostgres,
    defaults: &Defaults,
    preset: &Preset,
    problems: &mut Problems,
) -> ManagedPostgres {
    let spec::ManagedPostgres { image, storage, resources, replicas, tls, parameters } = asked;
    let replicas = replicas.unwrap_or_default();
    problems.require(replicas <= REPLICAS_MAX, &format!("{at}.replicas"), "must be 0 to 3");
    let spec::Storage { size, storage_class_name, encryption } = storage.unwrap_or_default();
    let size = size.unwrap_or_else(|| Quantity(preset.storage.to_owned()));
    problems.require(
        quantity::bytes(&size).is_some_and(|bytes| bytes >= 256 * MIB),
        &format!("{at}.storage.size"),
        "must be an amount of at least 256Mi, as in 10Gi",
    );
    let resources = sizing::sizing(&format!("{at}.resources"), resources, &preset.postgres, problems);
    problems.require(
        resources.memory_bytes >= POSTGRES_MEMORY_MIN,
        &format!("{at}.resources.limits.memory"),
        "must be at least 256Mi",
    );
    let parameters: BTreeMap<String, String> = parameters.unwrap_or_default();
    for (name, value) in &parameters {
        let field = format!("{at}.parameters.{name}");
        let reserved = RESERVED_PARAMETERS.contains(&name.as_str()) || name.starts_with("ssl") || name.starts_with("krb_");
        problems.require(!reserved, &field, "is set by the operator and cannot be changed");
        problems.require(is_parameter(name), &field, "a setting's name holds lower-case letters, digits and _, at most 63");
        let follows = name != "wal_level" || value.trim().to_lowercase() != "minimal";
        problems.require(follows, &field, "must not be minimal, since read replicas could not follow");
        let plain = !value.chars().any(char::is_control);
        problems.require(plain, &field, "must not hold line breaks or other control characters");
    }
    ManagedPostgres {
        image: image.unwrap_or_else(|| defaults.postgres_image.clone()),
        storage_size: size,
        storage_class: storage_class_name,
        encryption_required: encryption == Some(spec::StorageEncryption::Required),
        resources,
        replicas,
        tls: self::tls(tls),
        parameters,
    }
}

/// Whether PostgreSQL could take this as the name of a setting; `.` stands in those of extensions.
fn is_parameter(name: &str) -> bool {
    name.len() <= 63
        && name.split('.').count() <= 2
        && name.split('.').all(|part| {
            part.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
}

fn cache(spec: &ragline_crds::RagPipelineSpec, defaults: &Defaults, preset: &Preset, problems: &mut Problems) -> Cache {
    let cache = spec.cache.clone().unwrap_or_default();
    let named = [cache.managed.is_some(), cache.external.is_some(), cache.disabled.is_some()];
    let named = named.into_iter().filter(|named| *named).count();
    problems.require(named <= 1, "spec.cache", "name only one of managed, external and disabled");
    if cache.disabled.is_some() {
        return Cache::Disabled;
    }
    if cache.external.is_some() {
        return Cache::External;
    }
    let spec::ManagedCache { image, max_memory, resources, tls } = cache.managed.unwrap_or_default();
    let max_memory = max_memory.unwrap_or_else(|| Quantity(preset.cache_memory.to_owned()));
    let max_memory_bytes = quantity::bytes(&max_memory).unwrap_or_default();
    problems.require(max_memory_bytes >= MIB, "spec.cache.managed.maxMemory", "must be an amount of at least 1Mi, as in 256Mi");
    let standard = Standard {
        cpu_request: "50m",
        memory_request_bytes: max_memory_bytes,
        memory_limit_bytes: max_memory_bytes.saturating_add(max_memory_bytes / 2).saturating_add(64 * MIB),
    };
    let resources = sizing::sizing("spec.cache.managed.resources", resources, &standard, problems);
    problems.require(
        resources.memory_bytes >= max_memory_bytes,
        "spec.cache.managed.resources.limits.memory",
        "must be at least spec.cache.managed.maxMemory",
    );
    let image = image.unwrap_or_else(|| defaults.valkey_image.clone());
    Cache::Managed(Box::new(ManagedCache { image, max_memory_bytes, resources, tls: self::tls(tls) }))
}

/// Whose certificates a part speaks TLS with, if it does.
fn tls(asked: Option<spec::ManagedTls>) -> Option<Tls> {
    let spec::ManagedTls { enabled: _, issuer_ref } = asked.filter(spec::ManagedTls::is_enabled)?;
    Some(match issuer_ref {
        None => Tls::OwnAuthority,
        Some(spec::IssuerRef { name, kind, group }) => Tls::Issuer {
            name,
            kind: kind.unwrap_or_else(|| ISSUER_KIND.to_owned()),
            group: group.unwrap_or_else(|| ISSUER_GROUP.to_owned()),
        },
    })
}

fn window(spec: &ragline_crds::RagPipelineSpec, problems: &mut Problems) -> Option<Window> {
    let spec::MaintenanceWindow { start, end } = spec.index.as_ref()?.maintenance_window.as_ref()?;
    let mut minutes = |field: &str, text: &str| {
        let minutes = Window::minutes(text);
        problems.require(minutes.is_some(), &format!("spec.index.maintenanceWindow.{field}"), "must be a time, as in 22:00");
        minutes
    };
    Some(Window { start: minutes("start", start)?, end: minutes("end", end)? })
}

fn network(spec: &ragline_crds::RagPipelineSpec, defaults: &Defaults, problems: &mut Problems) -> Option<Network> {
    let spec::NetworkPolicy { enabled, allow_from, monitoring_from } = spec.network_policy.clone().unwrap_or_default();
    let monitoring_from = monitoring_from.unwrap_or_default();
    for (list, peers) in [("allowFrom", allow_from.as_deref().unwrap_or_default()), ("monitoringFrom", &monitoring_from)] {
        for (at, peer) in peers.iter().enumerate() {
            let named = peer.namespace_selector.is_some() || peer.pod_selector.is_some();
            let field = format!("spec.networkPolicy.{list}[{at}]");
            problems.require(named, &field, "name namespaceSelector, podSelector or both");
        }
    }
    enabled.unwrap_or(true).then(|| Network {
        operator_namespace: defaults.operator_namespace.clone(),
        allow_from,
        monitoring_from,
    })
}

fn workers(spec: &ragline_crds::RagPipelineSpec, problems: &mut Problems) -> Option<Workers> {
    let spec::Workers { replicas, resources } = spec.ingest.clone()?.workers?;
    let replicas = replicas.unwrap_or(WORKER_REPLICAS);
    problems.require(replicas <= 50, "spec.ingest.workers.replicas", "must be 0 to 50");
    let resources = sizing::sizing("spec.ingest.workers.resources", resources, &GATEWAY, problems);
    Some(Workers { replicas, resources })
}
