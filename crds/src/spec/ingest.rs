//! What comes in, how it is cut, and what stays at the end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known about the documents before they come.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// How many vectors the pipeline is expected to hold. A passage has one vector or, with the built-in model, several (one for
    /// each 160 tokens). It shows in `status.index.desired` which index such a count deserves; what is built follows the
    /// measured count. When the data outgrows it, the condition `ConfigurationWarning` says so. Default: unknown.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_vectors: Option<u64>,
}

/// How documents are cut into passages. Tokens are those of the embedding model's tokenizer. A change counts for documents that
/// are ingested afterwards; those that are stored stay as they were cut and are shown as `stale` until they are cut anew with
/// `POST /v1/documents/rechunk`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chunking {
    /// Tokens that a passage should have at least; smaller pieces are joined with their neighbours where the document
    /// allows. At most half of `maxTokens`, else the spec is refused. Default: `512`.
    #[schemars(range(min = 1, max = 4_096))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<u32>,
    /// Tokens that a passage has at most, 64 to 8192. Default: `1024`.
    #[schemars(range(min = 64, max = 8_192))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Share of a passage, in percent, that the next one repeats, 10 to 20. Default: `15`.
    #[schemars(range(min = 10, max = 20))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_percent: Option<u32>,
}

/// What becomes of the data when the pipeline is deleted. `Retain` keeps the database's volume and the generated Secrets;
/// a pipeline of the same name takes them over again. `Delete` removes them for good.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DeletionPolicy {
    #[default]
    Retain,
    Delete,
}
