//! TLS between the parts of a pipeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS with a certificate that is renewed in time: one that the operator makes, signed by an authority of the pipeline's own, or one of
/// cert-manager's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedTls {
    /// Whether nothing but TLS is spoken. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Has cert-manager issue and renew the certificate, which the cluster must have. What needs it is not made before it is issued;
    /// `SecretsResolved` says what is waited for. Left out, the pipeline has an authority of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,
}

impl ManagedTls {
    /// Whether nothing but TLS is spoken.
    pub fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or_default()
    }
}

/// An issuer of cert-manager's. It must give the certificate of its authority (`ca.crt`) too, as those of the kinds CA and Vault do, and
/// certificates for names inside the cluster. One authority must sign those of a primary and of its read replicas.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Name of the issuer, as in `internal-ca`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// `Issuer` of the pipeline's namespace, `ClusterIssuer`, or a kind that is no part of cert-manager. Default: `Issuer`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Group of the kind. Default: `cert-manager.io`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}
