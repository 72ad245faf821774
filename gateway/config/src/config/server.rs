//! Where the gateway listens.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ports;

/// Where the gateway listens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Server {
    /// `host:port`.
    pub listen: String,
    /// PEM certificate chain; with `tlsKeyFile` the API is served over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: format!("0.0.0.0:{}", ports::GATEWAY_HTTP), tls_certificate_file: None, tls_key_file: None }
    }
}
