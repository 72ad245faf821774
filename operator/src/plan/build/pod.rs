//! What all pods have in common: they satisfy PodSecurity "restricted", write to emptyDirs only, and say why they ended.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, ExecAction, HTTPGetAction,
        KeyToPath, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecretVolumeSource,
        SecurityContext, TCPSocketAction, Toleration, Volume, VolumeMount,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use ragline_config::{env, paths};

use super::meta;
use crate::plan::{
    names::{self, Component},
    pipeline::{Pipeline, Sizing},
    quantity,
};

/// User and group of the gateway's image.
pub(super) const GATEWAY_USER: i64 = 65_532;
/// User and group of PostgreSQL and Valkey in their public images.
pub(super) const DATA_USER: i64 = 999;
/// Seconds that a pod without data waits for its node, once that counts as lost, before another takes its place.
const NODE_LOST_SECONDS: i64 = 10;
/// Folder for what a program writes while it runs.
const SCRATCH: &str = "/tmp";

/// A pod template; `hashes` go onto its annotations, so that a change of what they cover rolls the pods.
pub(super) fn template(pipeline: &Pipeline, component: Component, hashes: &[(&str, String)], spec: PodSpec) -> PodTemplateSpec {
    let annotations: BTreeMap<_, _> =
        hashes.iter().map(|(what, hash)| (format!("ragline.dev/{what}-hash"), hash.clone())).collect();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(meta::labels(pipeline, component)),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    }
}

/// A pod with one container that runs as `user`.
pub(super) fn pod(user: i64, service_account: String, container: Container, volumes: Vec<Volume>) -> PodSpec {
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container],
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            fs_group: Some(user),
            // Without it every file of a large volume would be touched at each start.
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            run_as_group: Some(user),
            run_as_non_root: Some(true),
            run_as_user: Some(user),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        service_account_name: Some(service_account),
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

/// For pods that hold nothing and may run twice: Kubernetes would wait five minutes for their node. PostgreSQL's own pods wait as they
/// do, since its volume must not be written by two.
pub(super) fn soon_elsewhere() -> Vec<Toleration> {
    let taint = |key: &str| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(NODE_LOST_SECONDS),
        value: None,
    };
    vec![taint("node.kubernetes.io/not-ready"), taint("node.kubernetes.io/unreachable")]
}

/// A container; commands, ports, probes and mounts are the caller's.
pub(super) fn container(name: &str, image: &str, resources: &Sizing) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        resources: Some(requirements(resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

pub(super) fn requirements(sizing: &Sizing) -> ResourceRequirements {
    let Sizing { cpu_request, cpu_limit, memory_request, memory_limit, memory_bytes: _ } = sizing;
    let quantity = |quantity: &ragline_crds::spec::Quantity| Quantity(quantity.0.clone());
    let requests = [("cpu", cpu_request), ("memory", memory_request)];
    let limits = [("cpu", cpu_limit.as_ref()), ("memory", Some(memory_limit))];
    ResourceRequirements {
        requests: Some(requests.into_iter().map(|(name, amount)| (name.to_owned(), quantity(amount))).collect()),
        limits: Some(limits.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), quantity(amount?)))).collect()),
        ..ResourceRequirements::default()
    }
}

/// A volume and where it is mounted.
#[derive(Clone, Debug)]
pub(super) struct Mounted {
    pub(super) volume: Volume,
    pub(super) mount: VolumeMount,
}

/// Splits into what the pod and what the container lists.
pub(super) fn split(mounted: Vec<Mounted>) -> (Vec<Volume>, Vec<VolumeMount>) {
    mounted.into_iter().map(|Mounted { volume, mount }| (volume, mount)).unzip()
}

/// An empty folder, on disk.
pub(super) fn empty(name: &str, path: &str) -> Mounted {
    empty_dir(name, path, EmptyDirVolumeSource::default())
}

/// An empty folder in memory, counted in the container's memory limit.
pub(super) fn memory(name: &str, path: &str, size_bytes: u64) -> Mounted {
    let size_limit = Some(Quantity(quantity::from_bytes(size_bytes).0));
    empty_dir(name, path, EmptyDirVolumeSource { medium: Some("Memory".to_owned()), size_limit })
}

/// The folder for temporary files.
pub(super) fn scratch() -> Mounted {
    empty("tmp", SCRATCH)
}

fn empty_dir(name: &str, path: &str, source: EmptyDirVolumeSource) -> Mounted {
    let volume = Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() };
    Mounted { volume, mount: mount(name, path, false) }
}

/// A ConfigMap as a folder.
pub(super) fn config(config_map: String, path: &str) -> Mounted {
    let source = ConfigMapVolumeSource { name: config_map, ..ConfigMapVolumeSource::default() };
    let volume = Volume { name: "config".to_owned(), config_map: Some(source), ..Volume::default() };
    Mounted { volume, mount: mount("config", path, true) }
}

/// A file that holds one value of a Secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct SecretFile<'a> {
    /// Short name, unique in the pod; also the name of the folder.
    pub(super) name: &'a str,
    pub(super) secret: &'a str,
    pub(super) key: &'a str,
}

impl SecretFile<'_> {
    /// Where the file lies in the container.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.key)
    }

    fn folder(&self) -> String {
        format!("{}/{}", paths::SECRETS_DIR, self.name)
    }

    /// The mount; the group of the pod may read it.
    pub(super) fn mounted(&self) -> Mounted {
        let name = format!("secret-{}", self.name);
        let item = KeyToPath { key: self.key.to_owned(), path: self.key.to_owned(), mode: None };
        let source = SecretVolumeSource {
            secret_name: Some(self.secret.to_owned()),
            default_mode: Some(0o440),
            items: Some(vec![item]),
            optional: None,
        };
        let mount = mount(&name, &self.folder(), true);
        Mounted { volume: Volume { name, secret: Some(source), ..Volume::default() }, mount }
    }

    /// The environment variable that names the file.
    pub(super) fn variable(&self, name: &str) -> EnvVar {
        variable(&format!("{name}{}", env::FILE_SUFFIX), self.path())
    }
}

/// The certificate that a part speaks TLS with, where [`crate::plan::certificates::file`] says.
pub(super) fn certificate(pipeline: &Pipeline, part: Component, keys: &[&str]) -> Mounted {
    secret_folder(names::CERTIFICATE_FOLDER, names::certificate_secret(&pipeline.name, part), keys)
}

/// A folder with several values of a Secret, which change all at once: a certificate must fit its key.
pub(super) fn secret_folder(name: &str, secret: String, keys: &[&str]) -> Mounted {
    let one = SecretFile { name, secret: &secret, key: keys[0] }.mounted();
    let item = |key: &&str| KeyToPath { key: (*key).to_owned(), path: (*key).to_owned(), mode: None };
    let items = Some(keys.iter().map(item).collect());
    let source = one.volume.secret.map(|source| SecretVolumeSource { items, ..source });
    Mounted { volume: Volume { secret: source, ..one.volume }, mount: one.mount }
}

/// A mount of a volume that is declared elsewhere.
pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// A plain environment variable.
pub(super) fn variable(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), value_from: None }
}

/// A named port.
pub(super) fn port(name: &str, port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// How often, how long and how many times in a row a probe fails before it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) period_seconds: i32,
    pub(super) timeout_seconds: i32,
    pub(super) failures: i32,
}

impl Pace {
    fn probe(self) -> Probe {
        Probe {
            period_seconds: Some(self.period_seconds),
            timeout_seconds: Some(self.timeout_seconds),
            failure_threshold: Some(self.failures),
            ..Probe::default()
        }
    }

    /// A GET that answers 2xx.
    pub(super) fn http(self, path: &str, port: &str) -> Probe {
        let get = HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        };
        Probe { http_get: Some(get), ..self.probe() }
    }

    /// A port that takes a connection.
    pub(super) fn tcp(self, port: &str) -> Probe {
        Probe { tcp_socket: Some(TCPSocketAction { port: IntOrString::String(port.to_owned()), host: None }), ..self.probe() }
    }

    /// A command that ends with 0.
    pub(super) fn command(self, command: &[&str]) -> Probe {
        Probe { exec: Some(exec(command)), ..self.probe() }
    }
}

/// A command in the container.
pub(super) fn exec(command: &[&str]) -> ExecAction {
    ExecAction { command: Some(command.iter().map(|&part| part.to_owned()).collect()) }
}
