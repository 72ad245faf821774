//! Where traces are sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;

/// Where gateways and workers send traces: one span for each request and for each file that is taken in, and one below it for each of its
/// stages, with the workspace and the question's id. Never the text of a question, a passage or an answer. NetworkPolicies let them out to
/// the collector's port. A collector that does not answer costs no request; `ragline_spans_dropped_total` counts what it missed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// Address of an OpenTelemetry collector, or of whatever else takes OTLP over HTTP, as in `http://otel-collector.monitoring:4318`;
    /// begins with `http://` or `https://` and holds no password. Spans are sent to `/v1/traces` below it, as protobuf.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https?://[^\s/]+(/\S*)?$"))]
    pub endpoint: String,
    /// Share of the traces that begin in the pipeline which are sent, 0 to 1. A request that comes with a `traceparent` is sent if that says so,
    /// whatever the share. Default: `1`.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_ratio: Option<f64>,
    /// The key of the Secret, in the namespace of the pipeline, that holds headers for the collector, as in
    /// `authorization=Bearer%20KEY,x-scope-orgid=docs`; values are percent-encoded. It is read again when it changes. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_secret_ref: Option<SecretKeyRef>,
    /// Certificates of the authorities that may have signed the collector's certificate, as PEM, besides those of the public. Default:
    /// none. A change takes effect when the gateways are restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
}
