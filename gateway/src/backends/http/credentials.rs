//! A server's key: how it is sent, and who can mend it.

use std::sync::Arc;

use reqwest::{
    RequestBuilder,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

/// Gives the API key as it is now; asked before each request, so a rotated key takes effect.
pub type KeySource = Arc<dyn Fn() -> Option<SecretString> + Send + Sync>;

/// How a provider wants its key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scheme {
    /// `Authorization: Bearer`.
    #[default]
    Bearer,
    /// `api-key`, Azure's.
    ApiKey,
    /// `x-api-key` beside the version of the API, Anthropic's.
    Anthropic,
    /// `x-goog-api-key`, Google's.
    Google,
}

/// The version of Anthropic's API that we speak.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A key and how it is sent.
#[derive(Clone)]
pub struct Credentials {
    pub key: KeySource,
    pub scheme: Scheme,
    /// The environment variables that hold it, for messages: one of them is the mend of a refusal.
    pub variables: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl From<KeySource> for Credentials {
    fn from(key: KeySource) -> Self {
        Self { key, scheme: Scheme::Bearer, variables: String::new() }
    }
}

impl Credentials {
    /// Puts the key on a request. It is marked as sensitive, so that nothing below writes it into a log.
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let Some(key) = (self.key)() else { return self.unsigned(request) };
        let (name, text) = match self.scheme {
            Scheme::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose_secret())),
            Scheme::ApiKey => (HeaderName::from_static("api-key"), key.expose_secret().to_owned()),
            Scheme::Anthropic => (HeaderName::from_static("x-api-key"), key.expose_secret().to_owned()),
            Scheme::Google => (HeaderName::from_static("x-goog-api-key"), key.expose_secret().to_owned()),
        };
        let request = self.unsigned(request);
        // A key with characters that no header can carry is a wrong key: the server says so.
        let Ok(mut value) = HeaderValue::from_str(&text) else { return request };
        value.set_sensitive(true);
        request.header(name, value)
    }

    fn unsigned(&self, request: RequestBuilder) -> RequestBuilder {
        match self.scheme {
            Scheme::Anthropic => request.header("anthropic-version", ANTHROPIC_VERSION),
            Scheme::Bearer | Scheme::ApiKey | Scheme::Google => request,
        }
    }
}
