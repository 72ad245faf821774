//! The Certificates of cert-manager, typed as far as they are used here, and what their status tells.

use serde::Deserialize;
use serde_json::json;

use super::{foreign::foreign_kind, meta};
use crate::plan::{
    certificates::{self, Wanted},
    names,
    pipeline::{Pipeline, Tls},
};

foreign_kind! {
    /// What cert-manager issues and renews.
    Certificate: "cert-manager.io" / "v1", "Certificate", "certificates"
}

/// A Certificate as it is read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct CertificateSeen {
    pub status: CertificateStatus,
}

/// What cert-manager tells of a Certificate.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct CertificateStatus {
    pub conditions: Vec<CertificateCondition>,
}

/// One thing that it tells.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct CertificateCondition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
    pub message: String,
}

impl CertificateSeen {
    /// Why the certificate is not ready, if that is told.
    pub fn trouble(&self) -> Option<&str> {
        let ready = self.status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
        (ready.status == "False").then_some(ready.message.as_str())
    }
}

/// Those that the spec asks cert-manager for. Each fills the Secret of its name.
pub fn certificates(pipeline: &Pipeline) -> Vec<Certificate> {
    certificates::issued(pipeline).into_iter().filter_map(|wanted| certificate(pipeline, wanted)).collect()
}

fn certificate(pipeline: &Pipeline, wanted: Wanted) -> Option<Certificate> {
    let Wanted { part, names, by } = wanted;
    let Tls::Issuer { name: issuer, kind, group } = by else { return None };
    let name = names::certificate_secret(&pipeline.name, part);
    let spec = json!({
        "secretName": name,
        "dnsNames": names,
        "usages": ["digital signature", "server auth"],
        "privateKey": {"algorithm": "ECDSA", "encoding": "PKCS8", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"name": issuer, "kind": kind, "group": group},
    });
    Some(Certificate::new(meta::owned(pipeline, name, part), spec))
}
