//! The certificates of a pipeline: its own authority, and one for each part that speaks TLS. What is wanted and where it is kept is
//! decided here; `certificate` makes them.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{
    names::{self, Component},
    pipeline::Pipeline,
    validate::REPLICAS_MAX,
};

/// Keys of the Secrets: the certificate, its key, and in that of a part the authority's certificate.
pub const CERTIFICATE_KEY: &str = "tls.crt";
pub const PRIVATE_KEY: &str = "tls.key";
pub const AUTHORITY_KEY: &str = "ca.crt";

/// A certificate and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: String,
    pub key: SecretString,
}

/// All of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// `None` where no part speaks TLS.
    pub authority: Option<Pair>,
    pub parts: BTreeMap<Component, Pair>,
}

/// A certificate that a pipeline needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    pub part: Component,
    /// Names that the part is called by, the shortest first.
    pub names: Vec<String>,
}

/// What the parts that speak TLS need.
pub fn wanted(pipeline: &Pipeline) -> Vec<Wanted> {
    let (name, namespace) = (&pipeline.name, &pipeline.namespace);
    let postgres = pipeline.has_postgres_tls();
    let parts = [
        (Component::Cache, service_names(&names::valkey(name), namespace), pipeline.has_cache_tls()),
        (Component::Postgres, service_names(&names::postgres(name), namespace), postgres),
        (Component::Gateway, service_names(&names::gateway(name), namespace), pipeline.gateway.tls),
        (Component::Replica, replica_names(name, namespace), postgres && pipeline.replicated_postgres().is_some()),
    ];
    parts.into_iter().filter(|(.., speaks)| *speaks).map(|(part, names, _)| Wanted { part, names }).collect()
}

/// The Secrets that they are kept in; none where no part speaks TLS.
pub fn secrets(pipeline: &Pipeline) -> Vec<String> {
    let wanted = wanted(pipeline);
    let authority = (!wanted.is_empty()).then(|| names::authority_secret(&pipeline.name));
    let parts = wanted.into_iter().map(|wanted| names::certificate_secret(&pipeline.name, wanted.part));
    authority.into_iter().chain(parts).collect()
}

/// By which read replicas are called, each by its own; as many as there may be, so that one more needs no other certificate.
fn replica_names(pipeline: &str, namespace: &str) -> Vec<String> {
    let set = names::replica(pipeline);
    let pods = (0..REPLICAS_MAX).flat_map(|number| service_names(&format!("{set}-{number}.{set}"), namespace));
    std::iter::once(set.clone()).chain(pods).collect()
}

/// By which a Service is called inside the cluster.
fn service_names(service: &str, namespace: &str) -> Vec<String> {
    let short = [service.to_owned(), format!("{service}.{namespace}")];
    let long = ["svc", "svc.cluster.local"].map(|domain| format!("{service}.{namespace}.{domain}"));
    short.into_iter().chain(long).collect()
}

impl Certificates {
    /// What `render` shows in place of those that are made in the cluster.
    pub fn placeholders(wanted: &[Wanted]) -> Self {
        let pair = |what: &str| Pair {
            certificate: format!("PLACEHOLDER CERTIFICATE OF {what}\n"),
            key: SecretString::from(format!("PLACEHOLDER KEY OF {what}\n")),
        };
        Self {
            authority: (!wanted.is_empty()).then(|| pair("THE AUTHORITY")),
            parts: wanted.iter().map(|wanted| (wanted.part, pair(&wanted.names[0]))).collect(),
        }
    }

    /// A hash that changes when a part gets another certificate.
    pub fn hash(&self, part: Component) -> Option<String> {
        self.parts.get(&part).map(|pair| names::hash([pair.certificate.as_str()]))
    }

    /// A hash that changes when the authority gets another certificate.
    pub fn authority_hash(&self) -> Option<String> {
        self.authority.as_ref().map(|pair| names::hash([pair.certificate.as_str()]))
    }
}
