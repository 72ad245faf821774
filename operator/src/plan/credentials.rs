//! The passwords of a pipeline: drawn once, then kept in Secrets, which are the only place that knows them.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use secrecy::{ExposeSecret, SecretString};

use super::{certificates::Certificates, names};

/// The key of each generated Secret that holds what was drawn.
pub const PASSWORD_KEY: &str = "password";
/// Keys of the Secret of the application's role beside its URLs: who logs in; the password that is to come and the URL with it,
/// while a rotation is under way; the last rotation that was made; and what tells a Secret from one that was lost.
pub const USER_KEY: &str = "username";
pub const NEXT_PASSWORD_KEY: &str = "next-password";
pub const NEXT_URL_KEY: &str = "NEXT_DATABASE_URL";
pub const ROTATION_KEY: &str = "rotation";
pub const ORIGIN_KEY: &str = "origin";
/// The key of the Secret with the first API key.
pub const API_KEY_KEY: &str = "api-key";

/// What was drawn for a pipeline. All passwords must be letters and digits, at least [`LENGTH_MIN`], since they stand in URLs and
/// in SQL as they are.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub superuser: SecretString,
    pub owner: SecretString,
    pub application: Application,
    pub replication: SecretString,
    pub valkey: SecretString,
    pub api_key: SecretString,
    /// None before they have been made; see [`crate::certificate::keep`].
    pub certificates: Certificates,
}

/// How the gateways log in to the database.
#[derive(Clone, Debug)]
pub struct Application {
    pub login: Login,
    pub password: SecretString,
    /// The password that the other role gets, while a rotation is under way.
    pub next: Option<SecretString>,
    /// The rotation that was made last.
    pub rotation: Option<String>,
    /// Stays the same over all rotations; that of a Secret which takes the place of a lost one is another.
    pub origin: String,
}

/// The two roles that take turns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Login {
    First,
    Second,
}

impl Login {
    /// The role's name; the start command of PostgreSQL knows both.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "ragline_app",
            Self::Second => "ragline_app_2",
        }
    }

    /// The one that has the next turn.
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl Application {
    /// With a password that no rotation has changed yet.
    pub fn new(password: SecretString) -> Self {
        let origin = names::hash([password.expose_secret()]);
        Self { login: Login::First, password, next: None, rotation: None, origin }
    }

    /// Of a Secret that can be used.
    fn of(secret: &Secret) -> Option<Self> {
        let login = [Login::First, Login::Second].into_iter().find(|login| text(secret, USER_KEY) == Some(login.name()));
        let first = Self::new(value(secret, PASSWORD_KEY)?);
        Some(Self {
            login: login.unwrap_or(Login::First),
            next: value(secret, NEXT_PASSWORD_KEY),
            rotation: text(secret, ROTATION_KEY).map(str::to_owned),
            origin: text(secret, ORIGIN_KEY).map_or(first.origin, str::to_owned),
            password: first.password,
        })
    }
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
            application: existing.get(&names::application_secret(pipeline)).and_then(Application::of).unwrap_or(application),
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
            application: Application::new(text("APPLICATION")),
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

fn text<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
    std::str::from_utf8(bytes).ok()
}

/// A usable value of a Secret.
fn value(secret: &Secret, key: &str) -> Option<SecretString> {
    let text = text(secret, key)?;
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
        assert_eq!(kept.application.password.expose_secret(), "kept0kept0kept0kept0kept0");
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
