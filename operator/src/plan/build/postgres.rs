//! The managed PostgreSQL: one primary on one volume. The operator owns its command, so the image need only bring PostgreSQL 17
//! with pgvector.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec},
        core::v1::{
            ConfigMap, Container, Lifecycle, LifecycleHandler, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSpec,
            Service, ServicePort, ServiceSpec, VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use ragline_config::ports;
use ragline_crds::spec::DeletionPolicy;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    datadog, meta,
    pod::{self, DATA_USER, Mounted, Pace, SecretFile},
    postgres_settings as settings, replica, secrets,
};
use crate::plan::{
    certificates::{AUTHORITY_KEY, CERTIFICATE_KEY, PRIVATE_KEY},
    credentials::{Credentials, Login, PASSWORD_KEY, USER_KEY},
    names::{self, Component},
    pipeline::{ManagedPostgres, Pipeline},
    quantity::MIB,
};

pub(super) const CONTAINER: &str = "postgres";
pub(super) const PORT: &str = "postgres";
/// Where the ConfigMap is mounted; the scripts know it too.
pub(super) const CONFIG: &str = "/etc/ragline/postgres";
/// Where the volume is mounted, and the folder in it that holds the data: a volume's own root may hold `lost+found`.
pub(super) const VOLUME: &str = "/var/lib/postgresql/data";
pub(super) const DATA: &str = "/var/lib/postgresql/data/pgdata";
/// Shared memory that is not for building an index.
const SHARED_MEMORY: u64 = 64 * MIB;

/// Settings, scripts, and who may connect.
pub fn config_map(pipeline: &Pipeline, postgres: &ManagedPostgres) -> ConfigMap {
    let data =
        files(pipeline, postgres).into_iter().chain(replica::scripts()).map(|(name, text)| (name.to_owned(), text)).collect();
    ConfigMap {
        metadata: meta::owned(pipeline, names::postgres_config(&pipeline.name), Component::Postgres),
        data: Some(data),
        ..ConfigMap::default()
    }
}

/// Those of the primary. The replicas' are beside them in the ConfigMap and change nothing about its pod.
pub(super) fn files(pipeline: &Pipeline, postgres: &ManagedPostgres) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("postgresql.conf", settings::file(pipeline, postgres)),
        ("pg_hba.conf", callers(postgres)),
        ("start.sh", include_str!("files/postgres_start.sh").to_owned()),
        ("ready.sh", include_str!("files/postgres_ready.sh").to_owned()),
        ("stop.sh", include_str!("files/postgres_stop.sh").to_owned()),
    ])
}

/// Who may connect, and how.
fn callers(postgres: &ManagedPostgres) -> String {
    let file = include_str!("files/pg_hba.conf");
    if postgres.tls.is_some() { file.replace("\nhost ", "\nhostssl ") } else { file.to_owned() }
}

/// The certificate that a PostgreSQL serves with, if it does. The probe has it read again when it changes.
pub(super) fn certificate(pipeline: &Pipeline, postgres: &ManagedPostgres, component: Component) -> Option<Mounted> {
    let keys = [CERTIFICATE_KEY, PRIVATE_KEY, AUTHORITY_KEY];
    postgres.tls.as_ref().map(|_| pod::certificate(pipeline, component, &keys))
}

/// The Service that gives the pod its name.
pub fn headless_service(pipeline: &Pipeline) -> Service {
    Service {
        metadata: meta::owned(pipeline, names::postgres_headless(&pipeline.name), Component::Postgres),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            ..service_spec(pipeline, Component::Postgres)
        }),
        ..Service::default()
    }
}

/// The Service that clients use.
pub fn service(pipeline: &Pipeline, login: Login) -> Service {
    let mut metadata = meta::owned(pipeline, names::postgres(&pipeline.name), Component::Postgres);
    let mut instance = json!({
        "host": "%%host%%", "port": ports::POSTGRES, "dbname": secrets::DATABASE, "username": login.name(),
        "password": "%%env_POSTGRES_PASSWORD%%",
    });
    if pipeline.has_postgres_tls() {
        // The agent does not have the authority's certificate.
        instance["ssl"] = json!("require");
    }
    metadata.annotations = Some(datadog::service("postgres", instance));
    Service { metadata, spec: Some(service_spec(pipeline, Component::Postgres)), ..Service::default() }
}

pub(super) fn service_spec(pipeline: &Pipeline, component: Component) -> ServiceSpec {
    ServiceSpec {
        selector: Some(meta::selector_labels(pipeline, component)),
        ports: Some(vec![ServicePort {
            name: Some(PORT.to_owned()),
            port: i32::from(ports::POSTGRES),
            target_port: Some(IntOrString::String(PORT.to_owned())),
            protocol: Some("TCP".to_owned()),
            ..ServicePort::default()
        }]),
        ..ServiceSpec::default()
    }
}

/// PostgreSQL itself.
pub fn stateful_set(pipeline: &Pipeline, postgres: &ManagedPostgres, credentials: &Credentials) -> StatefulSet {
    let Credentials { superuser, owner, application, replication, valkey: _, api_key: _, certificates: _ } = credentials;
    let files = files(pipeline, postgres);
    // The start command sets the passwords, so a new one takes a new start; but for the application's, where roles take turns.
    let passwords = [superuser, owner, replication].map(ExposeSecret::expose_secret);
    let secrets = names::hash(passwords.into_iter().chain([application.origin.as_str()]));
    let hashes = [("config", names::hash(files.values().map(String::as_str))), ("secrets", secrets)];
    let whenever = match pipeline.deletion_policy {
        DeletionPolicy::Retain => "Retain",
        DeletionPolicy::Delete => "Delete",
    };
    StatefulSet {
        metadata: meta::owned(pipeline, names::postgres(&pipeline.name), Component::Postgres),
        spec: Some(StatefulSetSpec {
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some(whenever.to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            // With the other policy a pod that never became ready, as with a wrong image, is not replaced when the spec is mended.
            pod_management_policy: Some("Parallel".to_owned()),
            replicas: Some(1),
            revision_history_limit: Some(3),
            selector: meta::selector(pipeline, Component::Postgres),
            service_name: Some(names::postgres_headless(&pipeline.name)),
            template: pod::template(pipeline, Component::Postgres, &hashes, pod_spec(pipeline, postgres)),
            volume_claim_templates: Some(vec![claim(pipeline, postgres, Component::Postgres)]),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

/// The claim as it is made. A StatefulSet cannot change it later: a growing size is written to the claim itself.
pub(super) fn claim(pipeline: &Pipeline, postgres: &ManagedPostgres, component: Component) -> PersistentVolumeClaim {
    let size = Quantity(postgres.storage_size.0.clone());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::POSTGRES_VOLUME.to_owned()),
            labels: Some(meta::labels(pipeline, component)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), size)])),
                limits: None,
            }),
            storage_class_name: postgres.storage_class.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// Where parallel workers meet, to build an index above all.
pub(super) fn shared_memory(postgres: &ManagedPostgres) -> Mounted {
    pod::memory("shared-memory", "/dev/shm", settings::maintenance_memory_bytes(postgres) + SHARED_MEMORY)
}

fn pod_spec(pipeline: &Pipeline, postgres: &ManagedPostgres) -> PodSpec {
    let name = &pipeline.name;
    let (superuser, owner) = (names::superuser_secret(name), names::owner_secret(name));
    let (application, replication) = (names::application_secret(name), names::replication_secret(name));
    let password = |name, secret| SecretFile { name, secret, key: PASSWORD_KEY }.mounted();
    let mut mounted = vec![
        pod::config(names::postgres_config(name), CONFIG),
        password("superuser", &superuser),
        password("owner", &owner),
        pod::secret_folder("application", application, &[USER_KEY, PASSWORD_KEY]),
        password("replication", &replication),
        pod::scratch(),
        pod::empty("socket", "/var/run/postgresql"),
        shared_memory(postgres),
    ];
    mounted.extend(certificate(pipeline, postgres, Component::Postgres));
    let (volumes, mut mounts) = pod::split(mounted);
    mounts.push(pod::mount(names::POSTGRES_VOLUME, VOLUME, false));
    let script = |name: &str| format!("{CONFIG}/{name}");
    let ready = script("ready.sh");
    let ready = ["/bin/sh", ready.as_str()];
    let stop = script("stop.sh");
    let container = Container {
        command: Some(vec!["/bin/sh".to_owned(), script("start.sh")]),
        env: Some(vec![pod::variable("PGDATA", DATA), pod::variable("PGHOST", "/var/run/postgresql")]),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: Some(pod::exec(&["/bin/sh", stop.as_str()])),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        ports: Some(vec![pod::port(PORT, ports::POSTGRES)]),
        // Recovery after a crash may take long, and must not be cut short.
        startup_probe: Some(Pace { period_seconds: 2, timeout_seconds: 5, failures: 1_800 }.command(&ready)),
        liveness_probe: Some(Pace { period_seconds: 10, timeout_seconds: 5, failures: 6 }.tcp(PORT)),
        readiness_probe: Some(Pace { period_seconds: 5, timeout_seconds: 5, failures: 3 }.command(&ready)),
        volume_mounts: Some(mounts),
        ..pod::container(CONTAINER, &postgres.image, &postgres.resources)
    };
    PodSpec { termination_grace_period_seconds: Some(120), ..pod::pod(DATA_USER, names::postgres(name), container, volumes) }
}

#[cfg(test)]
mod tests {
    use ragline_crds::RagPipeline;
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{pipeline::Defaults, validate::validate};

    fn pipeline(managed: &Value) -> Pipeline {
        let spec = serde_json::from_value(json!({"postgres": {"managed": managed}})).unwrap();
        validate(&RagPipeline::new("a", spec), &Defaults::of_tests()).unwrap()
    }

    #[test]
    fn with_tls_nobody_is_let_in_from_elsewhere_without() {
        let pipeline = pipeline(&json!({"tls": {"enabled": true}}));
        let files = files(&pipeline, pipeline.managed_postgres().unwrap());
        let rules: Vec<_> = files["pg_hba.conf"].lines().filter(|line| !line.starts_with('#')).collect();
        assert!(
            rules.len() > 4 && rules.iter().all(|rule| rule.starts_with("local ") || rule.starts_with("hostssl ")),
            "{rules:?}"
        );
        assert!(files["postgresql.conf"].contains("ssl_key_file = '/etc/ragline/secrets/certificate/tls.key'"));
    }

    #[test]
    fn without_tls_there_is_no_certificate() {
        let pipeline = pipeline(&json!({"tls": {"enabled": false}}));
        let postgres = pipeline.managed_postgres().unwrap();
        let files = files(&pipeline, postgres);
        assert!(!files["postgresql.conf"].contains("ssl") && !files["pg_hba.conf"].contains("hostssl"));
        assert!(certificate(&pipeline, postgres, Component::Postgres).is_none());
    }
}
