//! Where traces are sent.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// Where traces are sent. No secret has a place in here: the collector's headers are in OTEL_EXPORTER_OTLP_HEADERS.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tracing {
    /// An OpenTelemetry collector that takes OTLP over HTTP, as in `http://otel-collector:4318`; `/v1/traces` is asked below it. Absent: no
    /// traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Url>,
    /// Share of the traces that begin in the gateway, 0 to 1. One that a caller began is traced if the caller says so.
    pub sampling_ratio: f64,
    /// PEM certificates that the collector's is trusted by, beside the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { endpoint: None, sampling_ratio: 1.0, tls_ca_file: None }
    }
}
