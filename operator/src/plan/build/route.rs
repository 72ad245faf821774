//! The HTTPRoute of the Gateway API that leads to the gateways. The Gateway API is no part of Kubernetes itself, so its kind is
//! written out here as far as it is used.

use k8s_openapi::{Metadata, NamespaceResourceScope, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use ragline_config::ports;
use ragline_crds::spec;
use serde::Serialize;
use serde_json::{Value, json};

use super::meta;
use crate::plan::{
    names::{self, Component},
    pipeline::Pipeline,
};

/// An HTTPRoute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    spec: Value,
}

impl Resource for HttpRoute {
    const API_VERSION: &'static str = "gateway.networking.k8s.io/v1";
    const GROUP: &'static str = "gateway.networking.k8s.io";
    const KIND: &'static str = "HTTPRoute";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "httproutes";
    type Scope = NamespaceResourceScope;
}

impl Metadata for HttpRoute {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The HTTPRoute that the spec asks for.
pub fn route(pipeline: &Pipeline, asked: &spec::Route) -> HttpRoute {
    let spec::Route { parent_ref, hostnames } = asked;
    let spec::ParentRef { name, namespace, section_name } = parent_ref;
    let mut parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name});
    for (field, value) in [("namespace", namespace), ("sectionName", section_name)] {
        if let Some(value) = value {
            parent[field] = json!(value);
        }
    }
    let backend =
        json!({"group": "", "kind": "Service", "name": names::gateway(&pipeline.name), "port": ports::GATEWAY_HTTP, "weight": 1});
    let spec = json!({
        "hostnames": hostnames,
        "parentRefs": [parent],
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [backend]}],
    });
    HttpRoute {
        api_version: HttpRoute::API_VERSION,
        kind: HttpRoute::KIND,
        metadata: meta::owned(pipeline, names::gateway(&pipeline.name), Component::Gateway),
        spec,
    }
}
