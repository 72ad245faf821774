//! Bounds on what a caller may send.

use serde::{Deserialize, Serialize};

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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            request_bytes: 1 << 30,
            json_bytes: 1 << 20,
            concurrent_requests: 256,
            request_timeout_seconds: Seconds(120),
            files_per_request: 100,
            extract_timeout_seconds: Seconds(120),
        }
    }
}
