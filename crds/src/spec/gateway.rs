//! The service that callers speak to: its size, what it logs and what it accepts.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Autoscaling, Ingress, ManagedTls, Resources, Route};

/// The service that callers speak to. Name at most one of `replicas` and `autoscaling`.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.replicas) && has(self.autoscaling))")
    .message("name only one of replicas and autoscaling; with autoscaling set minReplicas and maxReplicas instead"))]
pub struct Gateway {
    /// Image of the gateway. Default: the one that the operator was installed with. A change rolls the pods one by one after the
    /// new image's schema migrations have run.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Number of gateways, 0 to 50; with 0 the pipeline keeps its data and answers nothing. `kubectl scale` sets this field and
    /// needs it to be written. Default: `2`.
    #[schemars(range(min = 0, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Lets the load decide the number of gateways, in place of `replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// CPU and memory of one gateway. Default: requests of `100m` and `384Mi`, and a memory limit of `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// An Ingress that leads to the gateways from outside the cluster. Left out, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// An HTTPRoute of the Gateway API that leads to the gateways. Left out, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Whether the gateways and workers speak TLS on their port, to callers inside the cluster too. Callers trust `ca.crt` of the Secret
    /// that is named after the pipeline, with `-gateway-tls` behind; an Ingress controller must be told by an annotation of its own
    /// that it calls HTTPS, and an HTTPRoute needs a BackendTLSPolicy. A renewed certificate takes effect without a restart. When this
    /// setting changes, the gateways are rolled, and until all are, some speak TLS and others do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ManagedTls>,
}

/// What the gateway logs, as one JSON object a line.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// How much is logged. Default: `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// Log one line for each question: times, counts and whether the cache had it. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<bool>,
    /// Put the question's text into that line. Questions may hold personal data. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_text: Option<bool>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Bounds on what a caller may send. What goes beyond them is refused with an error that names the bound.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of one file; at most `requestBytes`. Default: `67108864` (64 MiB).
    #[schemars(range(min = 1, max = 1_099_511_627_776_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Bytes of one upload request. Default: `1073741824` (1 GiB).
    #[schemars(range(min = 1, max = 1_099_511_627_776_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// Bytes of a JSON body; a request for embeddings of 300,000 tokens, as many as OpenAI takes, has about 1.5 MB.
    /// Default: `2097152` (2 MiB).
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_bytes: Option<u64>,
    /// Requests that one gateway works on at once; one more is answered 429. Default: `256`.
    #[schemars(range(min = 1, max = 65_536))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u32>,
    /// Seconds that one request may take. Default: `120`.
    #[schemars(range(min = 1, max = 3_600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_timeout_seconds: Option<u64>,
    /// Files in one upload request. Default: `100`.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_per_request: Option<u32>,
    /// Seconds that reading the text out of one file may take; a file that takes longer fails alone. Default: `120`.
    #[schemars(range(min = 1, max = 3_600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract_timeout_seconds: Option<u64>,
    /// How much each API key and each workspace may ask for in a minute. What goes beyond is answered 429 with the time to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// How much may be asked in a minute. A share fills up evenly, and a minute's worth can be saved up and spent at once. The gateways
/// count together in Valkey; while it does not answer, or where the cache is disabled, each gateway allows the whole share by itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// Of each API key, and of each subject of `auth.oidc`. Default: `6000` requests and `2000000` tokens, which a single program that
    /// asks one question after another does not reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_key: Option<RateLimit>,
    /// Of all keys of a workspace together. Default: `12000` requests and `4000000` tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_workspace: Option<RateLimit>,
}

/// What one minute allows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Requests a minute, 0 to 60000000; 0 means no limit. Default: that of the section.
    #[schemars(range(min = 0, max = 60_000_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute that models read and write for answers and for `/v1/embeddings`, and those that `/v1/responses/input_tokens`
    /// counts, 0 to 60000000; 0 means no limit. They are taken once they are known, so the request after the one that spent too much is
    /// refused. Default: that of the section.
    #[schemars(range(min = 0, max = 60_000_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u32>,
}
