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
    pub reason: String,
    pub message: String,
}

impl CertificateCondition {
    /// What it says, without the full stop at its end.
    fn words(&self) -> &str {
        if self.message.is_empty() { &self.reason } else { self.message.trim_end_matches('.') }
    }
}

/// The condition that holds while the certificate is issued, and is False once that has failed.
const ISSUING: &str = "Issuing";
/// The condition that the certificate can be used.
const READY: &str = "Ready";
/// Reasons for which it cannot be, although it is not merely being issued: what a CertificateRequest fails by, and a certificate that
/// nothing has renewed in time.
const FAILURES: [&str; 4] = ["Denied", "Expired", "Failed", "InvalidRequest"];

impl CertificateSeen {
    /// Why no certificate comes, in cert-manager's words. While one is being issued there is none to be ready either, which is no refusal.
    pub fn refusal(&self) -> Option<&str> {
        let failed = |condition: &&CertificateCondition| FAILURES.contains(&condition.reason.as_str());
        self.is_not(ISSUING).or_else(|| self.is_not(READY).filter(failed)).map(CertificateCondition::words)
    }

    /// Whether cert-manager is content with it.
    pub fn is_ready(&self) -> bool {
        self.condition(READY).is_some_and(|condition| condition.status == "True")
    }

    /// What it says of a certificate that is not ready.
    pub fn progress(&self) -> Option<&str> {
        self.is_not(READY).map(CertificateCondition::words).filter(|words| !words.is_empty())
    }

    fn is_not(&self, type_: &str) -> Option<&CertificateCondition> {
        self.condition(type_).filter(|condition| condition.status == "False")
    }

    fn condition(&self, type_: &str) -> Option<&CertificateCondition> {
        self.status.conditions.iter().find(|condition| condition.type_ == type_)
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
