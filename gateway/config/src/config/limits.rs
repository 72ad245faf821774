//! Bounds on what a caller may send.

use serde::{Deserialize, Deserializer, Serialize};

use crate::Seconds;

/// Bounds on what a caller may send.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of one upload request.
    pub request_bytes: u64,
    /// Bytes of a JSON body.
    pub json_bytes: u64,
    /// Requests under way at once; one more is answered 429.
    pub concurrent_requests: u32,
    /// One request may take this long.
    pub request_timeout_seconds: Seconds,
    /// Files of one upload request.
    pub files_per_request: u32,
    /// Extraction of one file may take this long.
    pub extract_timeout_seconds: Seconds,
    pub rate: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            request_bytes: 1 << 30,
            json_bytes: 2 << 20,
            concurrent_requests: 256,
            request_timeout_seconds: Seconds(120),
            files_per_request: 100,
            extract_timeout_seconds: Seconds(120),
            rate: Rate::default(),
        }
    }
}

/// How much may be asked in a minute. A budget fills up evenly; what was saved up may be spent at once, a minute's worth at most.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rate {
    /// Of each key, and of each subject of an identity provider.
    #[serde(deserialize_with = "per_key")]
    pub per_key: RateLimit,
    /// Of all keys of a workspace together.
    #[serde(deserialize_with = "per_workspace")]
    pub per_workspace: RateLimit,
}

/// What one minute allows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Requests; 0: as many as come.
    pub requests_per_minute: u32,
    /// Tokens that models read and write for requests, and those that are only counted; 0: as many as come.
    pub tokens_per_minute: u32,
}

impl Default for Rate {
    /// One program that asks one question after another stays below a key's share: 100 a second, and more tokens than a person can
    /// read or the built-in model can embed. Several that run away together do not starve the other workspaces.
    fn default() -> Self {
        Self {
            per_key: RateLimit { requests_per_minute: 6_000, tokens_per_minute: 2_000_000 },
            per_workspace: RateLimit { requests_per_minute: 12_000, tokens_per_minute: 4_000_000 },
        }
    }
}

/// A limit of which a part may be left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
}

impl Written {
    fn over(self, default: RateLimit) -> RateLimit {
        RateLimit {
            requests_per_minute: self.requests_per_minute.unwrap_or(default.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.unwrap_or(default.tokens_per_minute),
        }
    }
}

fn per_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    Written::deserialize(deserializer).map(|written| written.over(Rate::default().per_key))
}

fn per_workspace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    Written::deserialize(deserializer).map(|written| written.over(Rate::default().per_workspace))
}
