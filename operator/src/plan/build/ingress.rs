//! The Ingress that leads to the gateways.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressSpec, IngressTLS,
    ServiceBackendPort,
};
use ragline_crds::spec;

use super::meta;
use crate::plan::{
    names::{self, Component},
    pipeline::Pipeline,
};

/// The Ingress that the spec asks for.
pub fn ingress(pipeline: &Pipeline, asked: &spec::Ingress) -> Ingress {
    let spec::Ingress { host, class_name, tls_secret_name, annotations } = asked;
    let backend = IngressServiceBackend {
        name: names::gateway(&pipeline.name),
        port: Some(ServiceBackendPort { name: Some(super::gateway::PORT.to_owned()), number: None }),
    };
    let path = HTTPIngressPath {
        backend: IngressBackend { service: Some(backend), resource: None },
        path: Some("/".to_owned()),
        path_type: "Prefix".to_owned(),
    };
    let tls = |secret: &String| vec![IngressTLS { hosts: Some(vec![host.clone()]), secret_name: Some(secret.clone()) }];
    let mut metadata = meta::owned(pipeline, names::gateway(&pipeline.name), Component::Gateway);
    metadata.annotations.clone_from(annotations);
    Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: class_name.clone(),
            rules: Some(vec![IngressRule { host: Some(host.clone()), http: Some(HTTPIngressRuleValue { paths: vec![path] }) }]),
            tls: tls_secret_name.as_ref().map(tls),
            ..IngressSpec::default()
        }),
        status: None,
    }
}
