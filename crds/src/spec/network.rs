//! Who may speak to the pipeline, and where it is reached from outside the cluster.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may speak to the pods of the pipeline, kept by NetworkPolicies. They take effect where the cluster's network enforces them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// `false` makes no NetworkPolicies, for a namespace whose traffic somebody else rules. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Pods that may call the gateways, at most 32 entries; an ingress controller has to be among them. An empty list admits
    /// nobody but the operator. Default: the pods of the pipeline's own namespace.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Vec<Peer>>,
    /// Pods that may read figures, such as those of Prometheus and of the Datadog Agent, at most 32 entries. They are admitted to
    /// the gateways, to PostgreSQL and to Valkey. Default: none.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_from: Option<Vec<Peer>>,
}

/// Pods of some namespaces. With both selectors, pods that match the one in namespaces that match the other.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.namespaceSelector) || has(self.podSelector)")
    .message("name namespaceSelector, podSelector or both"))]
pub struct Peer {
    /// The namespaces; `{}` means all. Left out, it is the pipeline's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelMatch>,
    /// The pods; `{}`, or left out, means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelMatch>,
}

/// Matches what has all of the labels.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelMatch {
    /// Labels and their values, at most 16, as in `kubernetes.io/metadata.name: monitoring`.
    #[schemars(schema_with = "super::resources::bounded_strings::<16, 63>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
}

/// An Ingress that leads to the gateways. Its controller must be among `networkPolicy.allowFrom`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Name under which the gateways are reached, as in `docs.example.com`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$"))]
    pub host: String,
    /// The IngressClass. Default: the cluster's default class.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Secret with the certificate of the host, of type `kubernetes.io/tls`. Default: none, which serves plain HTTP.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_secret_name: Option<String>,
    /// Annotations of the Ingress, at most 32, as its controller or cert-manager wants them. Default: none.
    #[schemars(schema_with = "super::resources::bounded_strings::<32, 1024>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// An HTTPRoute of the Gateway API that leads to the gateways. Where the cluster has no Gateway API, the condition
/// `ConfigurationWarning` says so, and the route is made once it is there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The Gateway that the route hangs on.
    pub parent_ref: ParentRef,
    /// Names under which the gateways are reached, 1 to 16, as in `docs.example.com`.
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$"))
    )]
    pub hostnames: Vec<String>,
}

/// A Gateway of the Gateway API, or one of its listeners.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Name of the Gateway.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Its namespace. Default: the pipeline's own.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// One of its listeners. Default: all that admit the route.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}
