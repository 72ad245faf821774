//! The HTTPRoute of the Gateway API that leads to the gateways.

use ragline_config::ports;
use ragline_crds::spec;
use serde_json::json;

use super::{foreign::foreign_kind, meta};
use crate::plan::{
    names::{self, Component},
    pipeline::Pipeline,
};

foreign_kind! {
    /// An HTTPRoute.
    HttpRoute: "gateway.networking.k8s.io" / "v1", "HTTPRoute", "httproutes"
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
    HttpRoute::new(meta::owned(pipeline, names::gateway(&pipeline.name), Component::Gateway), spec)
}
