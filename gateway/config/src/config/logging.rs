//! What is logged.

use serde::{Deserialize, Serialize};

/// What is logged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Logging {
    /// A level, or directives such as `info,ragline_gateway=debug`.
    pub level: String,
    /// One line for each question.
    pub queries: bool,
    /// Put the question's text into that line.
    pub query_text: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: "info".into(), queries: true, query_text: false }
    }
}
