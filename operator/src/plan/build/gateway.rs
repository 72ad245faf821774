//! The gateways. They hold the application role's password only; what may change tables or indexes runs as a Job.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            ConfigMap, Container, EnvVar, Lifecycle, LifecycleHandler, PodSpec, Service, ServicePort, ServiceSpec,
            TopologySpreadConstraint,
        },
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use ragline_config::{env, paths, ports};

use super::{
    datadog, meta,
    pod::{self, GATEWAY_USER, Mounted, Pace},
    secret_files::{self, OwnedFile, generated, generated_key},
    secrets,
};
use crate::plan::{
    certificates::OWN_KEYS,
    credentials::{API_KEY_KEY, Credentials, PASSWORD_KEY},
    names::{self, Component},
    pipeline::{Pipeline, Scale, SecretUser, Sizing},
};

/// Name of the container and of its port.
const CONTAINER: &str = "gateway";
pub(super) const PORT: &str = "http";
/// The annotation of pods by which a Prometheus knows that it is to speak TLS; the chart's monitors go by it.
const SCHEME: (&str, &str) = ("prometheus.io/scheme", "https");
/// The role of gateways that leave the documents to workers.
const API: &str = "api";
/// Seconds that a gateway still serves after it was told to end, until no Service sends to it any more.
const DRAIN_SECONDS: &str = "3";
/// Seconds that requests under way may still take.
const GRACE_SECONDS: i64 = 150;

/// The gateway's configuration file.
pub fn config_map(pipeline: &Pipeline) -> ConfigMap {
    ConfigMap {
        metadata: meta::owned(pipeline, names::gateway_config(&pipeline.name), Component::Gateway),
        data: Some(BTreeMap::from([(paths::CONFIG_FILE.to_owned(), config_file(pipeline))])),
        ..ConfigMap::default()
    }
}

fn config_file(pipeline: &Pipeline) -> String {
    pipeline.config.to_yaml().expect("a checked configuration writes as YAML")
}

/// Where the gateway is reached inside the cluster.
pub fn endpoint(pipeline: &Pipeline) -> String {
    let scheme = if pipeline.gateway.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}.{}.svc:{}", names::gateway(&pipeline.name), pipeline.namespace, ports::GATEWAY_HTTP)
}

/// The selector of the gateways' pods as text, for the scale subresource.
pub fn selector(pipeline: &Pipeline) -> String {
    let labels = meta::selector_labels(pipeline, Component::Gateway);
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// The address of all gateways.
pub fn service(pipeline: &Pipeline) -> Service {
    let mut metadata = meta::owned(pipeline, names::gateway(&pipeline.name), Component::Gateway);
    metadata.annotations = Some(datadog::gateway(pipeline.gateway.tls.is_some()));
    Service {
        metadata,
        spec: Some(ServiceSpec {
            selector: Some(meta::selector_labels(pipeline, Component::Gateway)),
            ports: Some(vec![ServicePort {
                name: Some(PORT.to_owned()),
                port: i32::from(ports::GATEWAY_HTTP),
                target_port: Some(IntOrString::String(PORT.to_owned())),
                protocol: Some("TCP".to_owned()),
                // By which some Ingress controllers and meshes know what to speak.
                app_protocol: pipeline.gateway.tls.as_ref().map(|_| "https".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Keeps all gateways but one during a drain of nodes. With a single gateway it would only block the drain.
pub fn disruption_budget(pipeline: &Pipeline) -> Option<PodDisruptionBudget> {
    (!pipeline.stopped && pipeline.gateway.scale.least() > 1).then(|| PodDisruptionBudget {
        metadata: meta::owned(pipeline, names::gateway(&pipeline.name), Component::Gateway),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(meta::selector(pipeline, Component::Gateway)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}

/// The gateways themselves. Their pods change when configuration, image or a generated password changes, and at no other time;
/// the user's Secrets are read again by the gateway itself.
pub fn deployment(pipeline: &Pipeline, credentials: &Credentials) -> Deployment {
    // Where load decides, the autoscaler alone writes the number.
    let replicas = match pipeline.gateway.scale {
        _ if pipeline.stopped => Some(0),
        Scale::Fixed(replicas) => Some(replicas),
        Scale::Automatic(_) => None,
    };
    let resources = &pipeline.gateway.resources;
    // Where there are workers, they alone take documents in.
    let roles = pipeline.workers.is_some().then_some(API);
    let name = names::gateway(&pipeline.name);
    serving(pipeline, credentials, Serving { component: Component::Gateway, name, roles, replicas, resources })
}

/// Pods that run `serve`.
pub(super) struct Serving<'a> {
    pub(super) component: Component,
    /// Of the Deployment and of the ServiceAccount.
    pub(super) name: String,
    /// `None`: all.
    pub(super) roles: Option<&'static str>,
    /// `None`: left to an autoscaler.
    pub(super) replicas: Option<u32>,
    pub(super) resources: &'a Sizing,
}

/// A Deployment of the gateway's program.
pub(super) fn serving(pipeline: &Pipeline, credentials: &Credentials, serving: Serving<'_>) -> Deployment {
    let Credentials { superuser: _, owner: _, application, replication: _, valkey, api_key, certificates } = credentials;
    // What is not managed has no password kept anywhere, so it is another one each time.
    let mut secrets = Vec::new();
    secrets.extend(pipeline.own_postgres().is_some().then_some(&application.password));
    secrets.extend(pipeline.managed_cache().is_some().then_some(valkey));
    secrets.push(api_key);
    let component = serving.component;
    let mut hashes = vec![("config", names::hash([config_file(pipeline).as_str()])), ("secrets", Credentials::hash(&secrets))];
    hashes.extend(certificates.authority_hash().map(|hash| ("authority", hash)));
    if searches_on_replicas(pipeline, component) {
        // The gateway reads at its start where they are.
        hashes.push(("replicas", names::hash(secrets::replica_hosts(pipeline).iter().map(String::as_str))));
    }
    let mut template = pod::template(pipeline, component, &hashes, pod_spec(pipeline, &serving));
    if pipeline.gateway.tls.is_some() {
        let annotations = template.metadata.get_or_insert_default().annotations.get_or_insert_default();
        annotations.insert(SCHEME.0.to_owned(), SCHEME.1.to_owned());
    }
    Deployment {
        metadata: meta::owned(pipeline, serving.name, component),
        spec: Some(DeploymentSpec {
            replicas: serving.replicas.map(|replicas| i32::try_from(replicas).expect("replicas are at most 50")),
            revision_history_limit: Some(3),
            selector: meta::selector(pipeline, component),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pod_spec(pipeline: &Pipeline, serving: &Serving<'_>) -> PodSpec {
    let (mut mounted, mut variables) = configuration(pipeline);
    for file in secret_files(pipeline, serving.component) {
        mounted.push(file.mounted());
        variables.extend(file.variable());
    }
    if pipeline.gateway.tls.is_some() {
        mounted.push(pod::certificate(pipeline, Component::Gateway, &OWN_KEYS));
    }
    variables.extend(traced_as(pipeline));
    mounted.push(pod::scratch());
    let (volumes, mounts) = pod::split(mounted);
    let probe = |pace: Pace, path| {
        let mut probe = pace.http(path, PORT);
        // Whoever probes does not look at the certificate.
        if let Some(get) = probe.http_get.as_mut().filter(|_| pipeline.gateway.tls.is_some()) {
            get.scheme = Some("HTTPS".to_owned());
        }
        Some(probe)
    };
    let container = Container {
        args: Some(arguments(serving.roles)),
        env: Some(variables),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { exec: Some(pod::exec(&["sleep", DRAIN_SECONDS])), ..LifecycleHandler::default() }),
            ..Lifecycle::default()
        }),
        // The model is loaded before the port opens.
        startup_probe: probe(Pace { period_seconds: 1, timeout_seconds: 1, failures: 120 }, "/livez"),
        liveness_probe: probe(Pace { period_seconds: 10, timeout_seconds: 5, failures: 6 }, "/livez"),
        readiness_probe: probe(Pace { period_seconds: 3, timeout_seconds: 3, failures: 2 }, "/readyz"),
        ports: Some(vec![pod::port(PORT, ports::GATEWAY_HTTP)]),
        volume_mounts: Some(mounts),
        ..pod::container(CONTAINER, &pipeline.gateway.image, serving.resources)
    };
    PodSpec {
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        tolerations: Some(pod::soon_elsewhere()),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            label_selector: Some(meta::selector(pipeline, serving.component)),
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        }]),
        ..pod::pod(GATEWAY_USER, serving.name.clone(), container, volumes)
    }
}

/// What traces say of the process beside its own: whose it is.
fn traced_as(pipeline: &Pipeline) -> Option<EnvVar> {
    pipeline.config.tracing.endpoint.as_ref()?;
    let attributes = format!("k8s.namespace.name={},service.namespace={}", pipeline.namespace, pipeline.name);
    Some(pod::variable(env::OTEL_RESOURCE_ATTRIBUTES, attributes))
}

fn arguments(roles: Option<&str>) -> Vec<String> {
    let roles = roles.into_iter().flat_map(|roles| ["--roles", roles]);
    ["serve"].into_iter().chain(roles).map(str::to_owned).collect()
}

/// The configuration file, for the gateways and for the Jobs, which run the same program.
pub(super) fn configuration(pipeline: &Pipeline) -> (Vec<Mounted>, Vec<EnvVar>) {
    let file = format!("{}/{}", paths::CONFIG_DIR, paths::CONFIG_FILE);
    let config = pod::config(names::gateway_config(&pipeline.name), paths::CONFIG_DIR);
    (vec![config], vec![pod::variable(env::CONFIG, file)])
}

/// Workers do not search.
fn searches_on_replicas(pipeline: &Pipeline, component: Component) -> bool {
    component == Component::Gateway && !secrets::replica_hosts(pipeline).is_empty()
}

fn secret_files(pipeline: &Pipeline, component: Component) -> Vec<OwnedFile> {
    let name = &pipeline.name;
    let mut files = Vec::new();
    if pipeline.own_postgres().is_some() {
        files.push(generated("database", names::application_secret(name), env::DATABASE_URL));
    }
    if searches_on_replicas(pipeline, component) {
        files.push(generated("database-replicas", names::application_secret(name), env::DATABASE_REPLICA_URLS));
    }
    files.extend(secret_files::database_ca(pipeline));
    files.push(generated_key("api-key", names::api_key_secret(name), API_KEY_KEY, env::API_KEY));
    if pipeline.managed_cache().is_some() {
        files.push(generated_key("valkey", names::valkey_secret(name), PASSWORD_KEY, env::VALKEY_PASSWORD));
    }
    files.extend(secret_files::cache_ca(pipeline));
    files.extend(secret_files::of_user(pipeline, &[SecretUser::Serving, SecretUser::All]));
    files
}
