//! How the gateway speaks to PostgreSQL.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Seconds;

/// How the gateway speaks to PostgreSQL. The URLs come from the environment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Database {
    /// Connections in the pool, 1 to 50.
    pub pool_size: u32,
    /// Schema that holds the tables.
    pub schema: String,
    pub tls_mode: TlsMode,
    /// PEM certificates that `verifyCa` and `verifyFull` trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
    /// A statement that runs longer is cancelled.
    pub statement_timeout_seconds: Seconds,
}

/// TLS towards PostgreSQL; the names are libpq's `sslmode` values.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            pool_size: 10,
            schema: "public".into(),
            tls_mode: TlsMode::default(),
            tls_ca_file: None,
            statement_timeout_seconds: Seconds(30),
        }
    }
}
