//! TLS between the parts of a pipeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS with a certificate that the operator makes, signed by an authority of the pipeline's own, and renews in time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedTls {
    /// Whether nothing but TLS is spoken. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}
