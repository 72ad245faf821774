//! Who may call besides the holders of API keys.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::Seconds;

/// Who may call besides the holders of API keys.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Auth {
    /// Absent: API keys alone are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
}

/// An identity provider that speaks OpenID Connect. Its signed tokens are taken as bearer tokens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oidc {
    /// What `iss` of a token must be, to the letter.
    pub issuer: String,
    /// What `aud` of a token must be or hold.
    pub audience: String,
    /// Where the keys are; absent: where `{issuer}/.well-known/openid-configuration` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<Url>,
    /// PEM certificates to trust besides the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
    /// The claim that names the workspace; a path with dots where the claim is inside of another.
    #[serde(default = "workspace_claim")]
    pub workspace_claim: String,
    /// The claim that holds what the caller may do, as words in one text or as a list; a path as above.
    #[serde(default = "scope_claim")]
    pub scope_claim: String,
    /// The word that allows to read.
    #[serde(default = "read_scope")]
    pub read_scope: String,
    /// The word that allows to write, and to read.
    #[serde(default = "write_scope")]
    pub write_scope: String,
    /// The word that makes an administrator, of a token of workspace `default`; absent: no token does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_scope: Option<String>,
    /// By this much the clocks may differ.
    #[serde(default = "leeway")]
    pub leeway_seconds: Seconds,
}

impl Oidc {
    /// With the default of everything else.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            jwks_url: None,
            tls_ca_file: None,
            workspace_claim: workspace_claim(),
            scope_claim: scope_claim(),
            read_scope: read_scope(),
            write_scope: write_scope(),
            admin_scope: None,
            leeway_seconds: leeway(),
        }
    }

    /// The issuer as an address; `None` where it is none.
    pub fn issuer_url(&self) -> Option<Url> {
        self.issuer.parse().ok()
    }
}

fn workspace_claim() -> String {
    "workspace".into()
}

fn scope_claim() -> String {
    "scope".into()
}

fn read_scope() -> String {
    "ragline:read".into()
}

fn write_scope() -> String {
    "ragline:write".into()
}

fn leeway() -> Seconds {
    Seconds(30)
}
