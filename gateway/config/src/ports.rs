//! The ports on which the parts of a pipeline listen.

/// The gateway's HTTP API.
pub const GATEWAY_HTTP: u16 = 8080;
/// PostgreSQL.
pub const POSTGRES: u16 = 5432;
/// Valkey.
pub const VALKEY: u16 = 6379;
/// The operator's metrics and probes.
pub const OPERATOR_HTTP: u16 = 8081;
