//! What is taken out of texts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Personal data and secrets that are taken out, each replaced by the name of its kind, as `[EMAIL]`; nothing leads back from that to the
/// value. It happens to the text of documents before it is cut, embedded and stored, to questions and what was said before them, so
/// that no provider, cache or log gets them, and to answers. What is known by its check digits or its form is found nearly always, a
/// telephone number without a word before it is not; no rule finds everything. The bytes of a document stay as they were uploaded until
/// it is deleted, since documents are cut anew from them; so do its `source`, its `metadata` and filters. A change counts for documents that are
/// ingested afterwards; those that are stored are shown as `stale` until they are cut anew with `POST /v1/documents/rechunk`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redaction {
    /// Addresses of e-mail, replaced by `[EMAIL]`. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emails: Option<bool>,
    /// Telephone numbers, replaced by `[PHONE]`: with a country's code, or as a country writes them, or behind a word such as `Tel.`.
    /// Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phones: Option<bool>,
    /// Numbers of bank accounts (IBAN) whose length and check digits are right, replaced by `[IBAN]`. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ibans: Option<bool>,
    /// Numbers of payment cards whose issuer, length and check digit are right, replaced by `[CARD]`. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cards: Option<bool>,
    /// Addresses of IPv4 and IPv6, replaced by `[IP_ADDRESS]`; not those of the machine itself, nor masks, nor versions. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<bool>,
    /// Numbers that a state gives to a person, replaced by `[NATIONAL_ID]`: SSN (United States), National Insurance number (United
    /// Kingdom), Steuer-ID (Germany), NIR (France), DNI and NIE (Spain), codice fiscale (Italy). Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national_ids: Option<bool>,
    /// Keys and tokens, replaced by `[API_KEY]`: those of known services and of this gateway, JWTs, private keys in PEM, passwords in
    /// addresses, and what looks drawn by chance behind a name such as `token:`. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_keys: Option<bool>,
}
