//! The managed Valkey: in memory only, so it may be replaced at any time.

use std::{collections::BTreeMap, fmt::Write};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy},
        core::v1::{ConfigMap, Container, PodSpec, Service, ServicePort, ServiceSpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use ragline_config::ports;
use serde_json::json;

use super::{
    datadog, meta,
    pod::{self, DATA_USER, Pace, SecretFile},
};
use crate::plan::{
    certificates::{self, CERTIFICATE_KEY, OWN_KEYS, PRIVATE_KEY},
    credentials::{Credentials, PASSWORD_KEY},
    names::{self, Component},
    pipeline::{ManagedCache, Pipeline},
    quantity::MIB,
};

const CONTAINER: &str = "valkey";
const PORT: &str = "valkey";
/// Where the ConfigMap is mounted; the start command knows it too.
const CONFIG: &str = "/etc/ragline/valkey";

/// Settings and the start command.
pub fn config_map(pipeline: &Pipeline, cache: &ManagedCache) -> ConfigMap {
    let data = files(cache).into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    ConfigMap {
        metadata: meta::owned(pipeline, names::valkey_config(&pipeline.name), Component::Cache),
        data: Some(data),
        ..ConfigMap::default()
    }
}

fn files(cache: &ManagedCache) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("valkey.conf", settings(cache)), ("start.sh", include_str!("files/valkey_start.sh").to_owned())])
}

fn settings(cache: &ManagedCache) -> String {
    let port = ports::VALKEY.to_string();
    let max_memory = cache.max_memory_bytes.to_string();
    let settings = [
        ("bind", "* -::*"),
        ("port", if cache.tls.is_some() { "0" } else { &port }),
        ("dir", "/tmp"),
        ("maxmemory", &max_memory),
        ("maxmemory-policy", "allkeys-lru"),
        ("save", "\"\""),
        ("appendonly", "no"),
        ("tcp-keepalive", "60"),
        // Freeing large values must not hold up the others.
        ("lazyfree-lazy-eviction", "yes"),
        ("lazyfree-lazy-expire", "yes"),
    ];
    // The gateways prove who they are by the password, so no certificate is asked of them.
    let tls = [
        ("tls-port", port.as_str()),
        ("tls-cert-file", &certificates::file(CERTIFICATE_KEY)),
        ("tls-key-file", &certificates::file(PRIVATE_KEY)),
        ("tls-auth-clients", "no"),
    ];
    let mut file = "# Written by the operator.\n".to_owned();
    for (name, value) in settings.into_iter().chain(tls.into_iter().filter(|_| cache.tls.is_some())) {
        writeln!(file, "{name} {value}").expect("text takes text");
    }
    file
}

/// The address of Valkey.
pub fn service(pipeline: &Pipeline) -> Service {
    let mut metadata = meta::owned(pipeline, names::valkey(&pipeline.name), Component::Cache);
    let port = ports::VALKEY;
    let mut instance = json!({"host": "%%host%%", "port": port, "password": "%%env_VALKEY_PASSWORD%%"});
    if pipeline.has_cache_tls() {
        // The agent does not have the authority's certificate.
        instance["ssl"] = json!(true);
        instance["ssl_cert_reqs"] = json!(0);
    }
    metadata.annotations = Some(datadog::service("redisdb", instance));
    Service {
        metadata,
        spec: Some(ServiceSpec {
            selector: Some(meta::selector_labels(pipeline, Component::Cache)),
            ports: Some(vec![ServicePort {
                name: Some(PORT.to_owned()),
                port: i32::from(port),
                target_port: Some(IntOrString::String(PORT.to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Valkey itself.
pub fn deployment(pipeline: &Pipeline, cache: &ManagedCache, credentials: &Credentials) -> Deployment {
    let files = files(cache);
    let mut hashes =
        vec![("config", names::hash(files.values().map(String::as_str))), ("secrets", Credentials::hash(&[&credentials.valkey]))];
    hashes.extend(credentials.certificates.hash(Component::Cache).map(|hash| ("certificate", hash)));
    Deployment {
        metadata: meta::owned(pipeline, names::valkey(&pipeline.name), Component::Cache),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            revision_history_limit: Some(3),
            selector: meta::selector(pipeline, Component::Cache),
            // Two at once would halve the hits; for a moment without one, everything is a miss.
            strategy: Some(DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }),
            template: pod::template(pipeline, Component::Cache, &hashes, pod_spec(pipeline, cache)),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pod_spec(pipeline: &Pipeline, cache: &ManagedCache) -> PodSpec {
    let secret = names::valkey_secret(&pipeline.name);
    let mut mounted = vec![
        pod::config(names::valkey_config(&pipeline.name), CONFIG),
        SecretFile { name: "valkey", secret: &secret, key: PASSWORD_KEY }.mounted(),
        pod::memory("tmp", "/tmp", MIB),
        // The public image declares a volume here; nothing is written to it.
        pod::empty("data", "/data"),
    ];
    mounted.extend(cache.tls.as_ref().map(|_| pod::certificate(pipeline, Component::Cache, &OWN_KEYS)));
    let (volumes, mounts) = pod::split(mounted);
    let container = Container {
        command: Some(vec!["/bin/sh".to_owned(), format!("{CONFIG}/start.sh")]),
        ports: Some(vec![pod::port(PORT, ports::VALKEY)]),
        liveness_probe: Some(Pace { period_seconds: 10, timeout_seconds: 5, failures: 6 }.tcp(PORT)),
        readiness_probe: Some(Pace { period_seconds: 3, timeout_seconds: 3, failures: 2 }.tcp(PORT)),
        volume_mounts: Some(mounts),
        ..pod::container(CONTAINER, &cache.image, &cache.resources)
    };
    PodSpec { tolerations: Some(pod::soon_elsewhere()), ..pod::pod(DATA_USER, names::valkey(&pipeline.name), container, volumes) }
}
