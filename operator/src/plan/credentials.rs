//! The passwords of a pipeline: drawn once, then kept in Secrets, which are the only place that knows them.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use secrecy::{ExposeSecret, SecretString};

use super::{certificates::Certificates, names};

/// The key of each generated Secret that holds what was drawn.
pub const PASSWORD_KEY: &str = "password";
/// The key of the Secret with the first API key.
pub const API_KEY_KEY: &str = "api-key";

/// What was drawn for a pipeline. All passwords must be letters and digits, at least [`LENGTH_MIN`], since they stand in URLs and
/// in SQL as they are.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub superuser: SecretString,
    pub owner: SecretString,
    pub application: SecretString,
    pub replication: SecretString,
    pub valkey: SecretString,
    pub api_key: SecretString,
    /// None before they have been made; see [`crate::certificate::keep`].
    pub certificates: Certificates,
}

/// Fewest characters of a drawn password.
pub const LENGTH_MIN: usize = 24;

impl Credentials {
    /// Takes from `existing` (Secrets by name) what is there already, and the rest from `drawn`. A value that was put there by
    /// hand and cannot be used counts as missing.
    pub fn keep(pipeline: &str, existing: &BTreeMap<String, Secret>, drawn: Self) -> Self {
        let kept =
            |name: String, key: &str, drawn: SecretString| existing.get(&name).and_then(|s| value(s, key)).unwrap_or(drawn);
        let Self { superuser, owner, application, replication, valkey, api_key, certificates } = drawn;
        Self {
            superuser: kept(names::superuser_secret(pipeline), PASSWORD_KEY, superuser),
            owner: kept(names::owner_secret(pipeline), PASSWORD_KEY, owner),
            application: kept(names::application_secret(pipeline), PASSWORD_KEY, application),
            replication: kept(names::replication_secret(pipeline), PASSWORD_KEY, replication),
            valkey: kept(names::valkey_secret(pipeline), PASSWORD_KEY, valkey),
            api_key: kept(names::api_key_secret(pipeline), API_KEY_KEY, api_key),
            certificates,
        }
    }

    /// What `render` shows in place of the drawn ones.
    pub fn placeholders() -> Self {
        let text = |what: &str| SecretString::from(format!("PLACEHOLDER{what}DRAWNINTHECLUSTER"));
        Self {
            superuser: text("SUPERUSER"),
            owner: text("OWNER"),
            application: text("APPLICATION"),
            replication: text("REPLICATION"),
            valkey: text("VALKEY"),
            api_key: text("APIKEY"),
            certificates: Certificates::default(),
        }
    }

    /// A hash that changes with any of the given ones. It goes onto pod templates, so it must not give them away: what it covers
    /// was drawn at random.
    pub fn hash(of: &[&SecretString]) -> String {
        names::hash(of.iter().map(|secret| secret.expose_secret()))
    }
}

/// A usable value of a Secret.
fn value(secret: &Secret, key: &str) -> Option<SecretString> {
    let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
    let text = std::str::from_utf8(bytes).ok()?;
    let usable = text.len() >= LENGTH_MIN && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    usable.then(|| SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(key: &str, text: &str) -> Secret {
        let data = BTreeMap::from([(key.to_owned(), ByteString(text.as_bytes().to_vec()))]);
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn what_is_there_is_kept_and_the_rest_is_drawn() {
        let existing = BTreeMap::from([
            ("a-postgres-app".to_owned(), secret(PASSWORD_KEY, "kept0kept0kept0kept0kept0")),
            ("a-api-key".to_owned(), secret(API_KEY_KEY, "rag_kept0kept0kept0kept0kept0")),
        ]);
        let kept = Credentials::keep("a", &existing, Credentials::placeholders());
        assert_eq!(kept.application.expose_secret(), "kept0kept0kept0kept0kept0");
        assert_eq!(kept.api_key.expose_secret(), "rag_kept0kept0kept0kept0kept0");
        assert_eq!(kept.owner.expose_secret(), Credentials::placeholders().owner.expose_secret());
    }

    #[test]
    fn a_value_that_would_break_a_url_or_sql_counts_as_missing() {
        for bad in ["short", "with'quote00000000000000000000", "with@at000000000000000000000000", ""] {
            let existing = BTreeMap::from([("a-postgres-owner".to_owned(), secret(PASSWORD_KEY, bad))]);
            let kept = Credentials::keep("a", &existing, Credentials::placeholders());
            assert_eq!(kept.owner.expose_secret(), Credentials::placeholders().owner.expose_secret(), "{bad}");
        }
    }
}
