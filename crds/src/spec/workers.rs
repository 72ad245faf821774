//! Who takes documents in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Resources;

/// How documents are taken in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingest {
    /// Pods of their own that read, cut and embed documents, so that a large ingest takes no CPU from questions. Left out, each
    /// gateway does it beside its requests; that is enough for small amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Workers>,
}

/// Pods that take documents in and answer nothing. They run the gateway's image with the gateway's configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workers {
    /// Number of workers, 0 to 50; with 0 uploaded files wait in the queue. Each works on one file at a time. Default: `1`.
    #[schemars(range(min = 0, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// CPU and memory of one worker. Default: requests of `100m` and `384Mi`, and a memory limit of `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}
