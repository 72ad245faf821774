//! What is taken out of texts.

use serde::{Deserialize, Serialize};

/// What is taken out of documents before they are stored, of questions before a model sees them, and of answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Redaction {
    pub emails: bool,
    pub phones: bool,
    pub ibans: bool,
    pub cards: bool,
    pub ip_addresses: bool,
    pub national_ids: bool,
    pub api_keys: bool,
}

impl Default for Redaction {
    fn default() -> Self {
        Self { emails: false, phones: false, ibans: false, cards: true, ip_addresses: false, national_ids: false, api_keys: true }
    }
}
