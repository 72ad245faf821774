//! How many gateways there are, where load decides.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Lets the load decide how many gateways there are, by a HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.minReplicas) ? self.minReplicas : 2) <= (has(self.maxReplicas) ? self.maxReplicas : 10)")
    .message("minReplicas (left out, it is 2) must be at most maxReplicas (left out, it is 10)"))]
pub struct Autoscaling {
    /// Fewest gateways, 1 to 50. Default: `2`.
    #[schemars(range(min = 1, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<u32>,
    /// Most gateways, 1 to 50. PostgreSQL is given as many connections as they may open. Default: `10`.
    #[schemars(range(min = 1, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u32>,
    /// Percent of its requested CPU that a gateway shall use on average, 10 to 1000; needs the metrics server. Default: `80`, and
    /// nothing where `inFlightRequests` is named.
    #[schemars(range(min = 10, max = 1_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// Requests that a gateway shall have under way on average, 1 to 65536; needs an adapter that serves the gateways' metric
    /// `ragline_http_requests_in_flight` as a metric of pods. Default: none.
    #[schemars(range(min = 1, max = 65_536))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_requests: Option<u32>,
}
