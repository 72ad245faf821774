//! The read replicas of the managed PostgreSQL: each copies the primary onto a volume of its own and follows it. Searches go to them. The
//! primary's pod is the same with replicas and without.

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec},
        core::v1::{
            Affinity, Container, EnvVar, EnvVarSource, Lifecycle, LifecycleHandler, ObjectFieldSelector, PodAffinityTerm,
            PodAntiAffinity, PodSpec, Service, ServiceSpec, TopologySpreadConstraint, VolumeMount, WeightedPodAffinityTerm,
        },
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use ragline_config::ports;

use super::{
    meta,
    pod::{self, DATA_USER, Pace, SecretFile},
    postgres::{self, CONFIG, CONTAINER, DATA, PORT, VOLUME},
};
use crate::plan::{
    credentials::{Credentials, PASSWORD_KEY},
    names::{self, Component},
    pipeline::{ManagedPostgres, Pipeline},
};

/// The container that makes the first copy, which no probe cuts short.
const CLONE: &str = "clone";
const NODE: &str = "kubernetes.io/hostname";

/// The scripts, which lie beside the primary's.
pub(super) fn scripts() -> [(&'static str, String); 4] {
    [
        ("replica.sh", include_str!("files/replica.sh").to_owned()),
        ("replica_alive.sh", include_str!("files/replica_alive.sh").to_owned()),
        ("replica_clone.sh", include_str!("files/replica_clone.sh").to_owned()),
        ("replica_start.sh", include_str!("files/replica_start.sh").to_owned()),
    ]
}

/// The Service that gives each replica its name. Gateways watch each by itself, so one that is not ready has its name too.
pub fn service(pipeline: &Pipeline) -> Service {
    Service {
        metadata: meta::owned(pipeline, names::replica(&pipeline.name), Component::Replica),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            ..postgres::service_spec(pipeline, Component::Replica)
        }),
        ..Service::default()
    }
}

/// Lets a drain of nodes take one replica at a time: the primary takes its searches meanwhile.
pub fn disruption_budget(pipeline: &Pipeline) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta::owned(pipeline, names::replica(&pipeline.name), Component::Replica),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(meta::selector(pipeline, Component::Replica)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

/// The replicas themselves. Their volumes hold copies, so they go when their replica goes.
pub fn stateful_set(pipeline: &Pipeline, postgres: &ManagedPostgres, credentials: &Credentials) -> StatefulSet {
    let Credentials { superuser: _, owner: _, application: _, replication, valkey: _, api_key: _, certificates: _ } = credentials;
    let files = postgres::files(pipeline, postgres);
    let texts = files.into_iter().chain(scripts()).map(|(_, text)| text).collect::<Vec<_>>();
    let hashes = [("config", names::hash(texts.iter().map(String::as_str))), ("secrets", Credentials::hash(&[replication]))];
    let name = names::replica(&pipeline.name);
    StatefulSet {
        metadata: meta::owned(pipeline, name.clone(), Component::Replica),
        spec: Some(StatefulSetSpec {
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Delete".to_owned()),
                when_scaled: Some("Delete".to_owned()),
            }),
            // One that cannot start holds up no other.
            pod_management_policy: Some("Parallel".to_owned()),
            replicas: Some(i32::try_from(postgres.replicas).expect("replicas are at most 3")),
            revision_history_limit: Some(3),
            selector: meta::selector(pipeline, Component::Replica),
            service_name: Some(name),
            template: pod::template(pipeline, Component::Replica, &hashes, pod_spec(pipeline, postgres)),
            volume_claim_templates: Some(vec![postgres::claim(pipeline, postgres, Component::Replica)]),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn pod_spec(pipeline: &Pipeline, postgres: &ManagedPostgres) -> PodSpec {
    let name = &pipeline.name;
    let password = names::replication_secret(name);
    let mut mounted = vec![
        pod::config(names::postgres_config(name), CONFIG),
        SecretFile { name: "replication", secret: &password, key: PASSWORD_KEY }.mounted(),
        pod::scratch(),
        pod::empty("socket", "/var/run/postgresql"),
        postgres::shared_memory(postgres),
    ];
    mounted.extend(postgres::certificate(pipeline, postgres, Component::Replica));
    let (volumes, mut mounts) = pod::split(mounted);
    mounts.push(pod::mount(names::POSTGRES_VOLUME, VOLUME, false));
    let script = |name: &str| format!("{CONFIG}/{name}");
    let (ready, alive, stop) = (script("ready.sh"), script("replica_alive.sh"), script("stop.sh"));
    let container = Container {
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: Some(pod::exec(&["/bin/sh", stop.as_str()])),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        ports: Some(vec![pod::port(PORT, ports::POSTGRES)]),
        // A copy that has to be made anew is made before the server starts, and a large one takes hours.
        startup_probe: Some(Pace { period_seconds: 2, timeout_seconds: 5, failures: 43_200 }.command(&["/bin/sh", &ready])),
        liveness_probe: Some(Pace { period_seconds: 10, timeout_seconds: 10, failures: 6 }.command(&["/bin/sh", &alive])),
        readiness_probe: Some(Pace { period_seconds: 5, timeout_seconds: 5, failures: 3 }.command(&["/bin/sh", &ready])),
        ..running(pipeline, postgres, CONTAINER, &script("replica_start.sh"), &mounts)
    };
    PodSpec {
        affinity: Some(away_from_others(pipeline)),
        init_containers: Some(vec![running(pipeline, postgres, CLONE, &script("replica_clone.sh"), &mounts)]),
        termination_grace_period_seconds: Some(120),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            label_selector: Some(meta::selector(pipeline, Component::Replica)),
            max_skew: 1,
            topology_key: NODE.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        }]),
        ..pod::pod(DATA_USER, names::postgres(name), container, volumes)
    }
}

/// A container that runs one of the scripts.
fn running(pipeline: &Pipeline, postgres: &ManagedPostgres, container: &str, script: &str, mounts: &[VolumeMount]) -> Container {
    let primary = format!("{}.{}", names::postgres(&pipeline.name), pipeline.namespace);
    Container {
        command: Some(vec!["/bin/sh".to_owned(), script.to_owned()]),
        env: Some(vec![
            pod::variable("PGDATA", DATA),
            pod::variable("PRIMARY", primary),
            pod::variable("PORT", ports::POSTGRES.to_string()),
            pod_name(),
        ]),
        volume_mounts: Some(mounts.to_vec()),
        ..pod::container(container, &postgres.image, &postgres.resources)
    }
}

fn pod_name() -> EnvVar {
    let field = ObjectFieldSelector { api_version: None, field_path: "metadata.name".to_owned() };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    EnvVar { name: "POD".to_owned(), value: None, value_from: Some(source) }
}

/// A node that fails should take neither primary and replica nor two replicas. On a cluster of one node they run all the same.
fn away_from_others(pipeline: &Pipeline) -> Affinity {
    let term = |component| WeightedPodAffinityTerm {
        weight: 100,
        pod_affinity_term: PodAffinityTerm {
            label_selector: Some(meta::selector(pipeline, component)),
            topology_key: NODE.to_owned(),
            ..PodAffinityTerm::default()
        },
    };
    let terms = [Component::Postgres, Component::Replica].map(term).to_vec();
    let avoided =
        PodAntiAffinity { preferred_during_scheduling_ignored_during_execution: Some(terms), ..PodAntiAffinity::default() };
    Affinity { pod_anti_affinity: Some(avoided), ..Affinity::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::{
        build::build,
        credentials::Credentials,
        objects::{Desired, Objects},
        pipeline::Defaults,
        validate::validate,
    };

    fn built(postgres: Value) -> Objects<Desired> {
        let object = json!({
            "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline",
            "metadata": {"name": "docs", "namespace": "team", "uid": "u", "generation": 1}, "spec": {"postgres": postgres},
        });
        let pipeline = validate(&serde_json::from_value(object).unwrap(), &Defaults::of_tests()).unwrap();
        build(&pipeline, &Credentials::placeholders())
    }

    fn managed(replicas: u32) -> Objects<Desired> {
        built(json!({"managed": {"replicas": replicas}}))
    }

    fn value(objects: &Objects<Desired>, kind: &str, name: &str) -> Value {
        objects.find(kind, name).unwrap_or_else(|| panic!("no {kind} {name}")).to_value()
    }

    fn replica_urls(objects: &Objects<Desired>) -> Option<String> {
        use k8s_openapi::ByteString;
        let urls = value(objects, "Secret", "docs-postgres-app")["data"].get("DATABASE_REPLICA_URLS")?.clone();
        let ByteString(bytes) = serde_json::from_value(urls).unwrap();
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_number_of_replicas_changes_nothing_about_the_primary() {
        for (kind, name) in
            [("StatefulSet", "docs-postgres"), ("ConfigMap", "docs-postgres-config"), ("Secret", "docs-postgres-replication")]
        {
            let without = value(&managed(0), kind, name);
            for replicas in 1..=3 {
                assert_eq!(value(&managed(replicas), kind, name), without, "{kind} {name}");
            }
        }
    }

    #[test]
    fn gateways_are_rolled_when_the_replicas_they_search_on_change() {
        let template = |replicas| value(&managed(replicas), "Deployment", "docs-gateway")["spec"]["template"].clone();
        assert_eq!(template(2), template(2));
        for (one, other) in [(0, 1), (1, 2), (2, 3)] {
            assert_ne!(template(one), template(other));
        }
    }

    #[test]
    fn each_replica_has_a_url_of_its_own() {
        assert_eq!(replica_urls(&managed(0)), None);
        let urls = replica_urls(&managed(2)).unwrap();
        let hosts: Vec<_> = urls.split(',').map(|url| url.split_once('@').unwrap().1).collect();
        assert_eq!(hosts, ["docs-replica-0.docs-replica.team:5432/ragline", "docs-replica-1.docs-replica.team:5432/ragline"]);
    }

    #[test]
    fn the_standbys_of_cloud_native_pg_are_searched_by_their_service() {
        assert_eq!(replica_urls(&built(json!({"cloudNativePg": {"instances": 1}}))), None);
        let objects = built(json!({"cloudNativePg": {"instances": 3}}));
        let urls = replica_urls(&objects).unwrap();
        assert!(urls.ends_with("@docs-postgres-ro.team:5432/ragline"), "{urls}");
        assert!(objects.find("StatefulSet", "docs-replica").is_none());
        let container = &value(&objects, "Deployment", "docs-gateway")["spec"]["template"]["spec"]["containers"][0];
        let named = |variable: &Value| variable["name"] == "DATABASE_REPLICA_URLS_FILE";
        assert!(container["env"].as_array().unwrap().iter().any(named), "{container}");
    }
}
