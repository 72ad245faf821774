//! The certificates of a pipeline, one for each part that speaks TLS: by its own authority, or by an issuer of cert-manager's. What is
//! wanted and where it is kept is decided here; `certificate` makes those of the own authority, cert-manager the others.

use std::collections::BTreeMap;

use ragline_config::paths;
use secrecy::SecretString;

use super::{
    names::{self, Component},
    pipeline::{Pipeline, Tls},
    validate::REPLICAS_MAX,
};

/// Keys of the Secrets: the certificate, its key, and in that of a part the authority's certificate.
pub const CERTIFICATE_KEY: &str = "tls.crt";
pub const PRIVATE_KEY: &str = "tls.key";
pub const AUTHORITY_KEY: &str = "ca.crt";
/// Those that a part serves with.
pub const OWN_KEYS: [&str; 2] = [CERTIFICATE_KEY, PRIVATE_KEY];

/// Where a part has its certificate and what belongs to it, by the key of the Secret.
pub fn file(key: &str) -> String {
    format!("{}/{}/{key}", paths::SECRETS_DIR, names::CERTIFICATE_FOLDER)
}

/// A certificate and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: String,
    pub key: SecretString,
}

/// All of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// `None` where no part has a certificate of the pipeline's own authority.
    pub authority: Option<Pair>,
    pub parts: BTreeMap<Component, Pair>,
    /// What cert-manager has issued so far. Its keys are nothing to us.
    pub issued: BTreeMap<Component, Issued>,
}

/// A certificate of cert-manager's, and that of its authority, as PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    pub certificate: String,
    pub authority: String,
}

/// A certificate that a pipeline needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    pub part: Component,
    /// Names that the part is called by, the shortest first.
    pub names: Vec<String>,
    pub by: Tls,
}

/// What the parts need that speak TLS with a certificate of the pipeline's own authority.
pub fn wanted(pipeline: &Pipeline) -> Vec<Wanted> {
    all(pipeline).filter(|wanted| wanted.by == Tls::OwnAuthority).collect()
}

/// What cert-manager is to issue.
pub fn issued(pipeline: &Pipeline) -> Vec<Wanted> {
    all(pipeline).filter(|wanted| wanted.by != Tls::OwnAuthority).collect()
}

fn all(pipeline: &Pipeline) -> impl Iterator<Item = Wanted> {
    let (name, namespace) = (&pipeline.name, &pipeline.namespace);
    let postgres = pipeline.managed_postgres().and_then(|postgres| postgres.tls.as_ref());
    let cache = pipeline.managed_cache().and_then(|cache| cache.tls.as_ref());
    let parts = [
        (Component::Cache, service_names(&names::valkey(name), namespace), cache),
        (Component::Postgres, service_names(&names::postgres(name), namespace), postgres),
        (Component::Gateway, service_names(&names::gateway(name), namespace), pipeline.gateway.tls.as_ref()),
        (Component::Replica, replica_names(name, namespace), postgres.filter(|_| pipeline.replicated_postgres().is_some())),
    ];
    parts.into_iter().filter_map(|(part, names, by)| Some(Wanted { part, names, by: by?.clone() }))
}

/// The Secrets that certificates are kept in; none where no part speaks TLS.
pub fn secrets(pipeline: &Pipeline) -> Vec<String> {
    let wanted = wanted(pipeline);
    let authority = (!wanted.is_empty()).then(|| names::authority_secret(&pipeline.name));
    let parts = all(pipeline).map(|wanted| names::certificate_secret(&pipeline.name, wanted.part));
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
            issued: BTreeMap::new(),
        }
    }

    /// A hash that changes when a part gets another certificate.
    pub fn hash(&self, part: Component) -> Option<String> {
        let own = self.parts.get(&part).map(|pair| pair.certificate.as_str());
        own.or_else(|| Some(self.issued.get(&part)?.certificate.as_str())).map(|certificate| names::hash([certificate]))
    }

    /// A hash that changes when an authority that gateways trust gets another certificate: those of PostgreSQL and of the cache.
    pub fn authority_hash(&self) -> Option<String> {
        let trusted: Vec<_> =
            [Component::Postgres, Component::Cache].into_iter().filter_map(|part| self.authority_of(part)).collect();
        (!trusted.is_empty()).then(|| names::hash(trusted))
    }

    /// The certificate of the authority that a part's is of, as PEM.
    pub fn authority_of(&self, part: Component) -> Option<&str> {
        let issued = self.issued.get(&part).map(|issued| issued.authority.as_str());
        issued
            .or_else(|| self.authority.as_ref().filter(|_| self.parts.contains_key(&part)).map(|pair| pair.certificate.as_str()))
    }

    /// The Secrets that cert-manager has not filled yet.
    pub fn unissued(&self, pipeline: &Pipeline) -> Vec<String> {
        let missing = issued(pipeline).into_iter().filter(|wanted| !self.issued.contains_key(&wanted.part));
        missing.map(|wanted| names::certificate_secret(&pipeline.name, wanted.part)).collect()
    }
}
