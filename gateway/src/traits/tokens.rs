//! Tokens of an identity provider, by which people and programs call without an API key.

use async_trait::async_trait;

use super::{search::KeyPrint, workspaces::Scope};

/// What a token that holds says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// The name that the token gives; whether there is such a workspace is another question.
    pub workspace: String,
    pub scope: Scope,
    /// The subject at its provider.
    pub subject: KeyPrint,
}

/// Why a token does not hold.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("it is no signed token")]
    Malformed,
    #[error("it is not signed with RS, PS, ES or EdDSA")]
    Algorithm,
    #[error("it names a signing key that the identity provider does not publish")]
    UnknownKey,
    #[error("its signature is not that of its content")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet; check the clocks")]
    NotYet,
    #[error("another issuer made it")]
    Issuer,
    #[error("it was made for another audience")]
    Audience,
    #[error("it lacks the claim {0:?}, or has it in another form")]
    Claim(String),
    #[error("it has none of the scopes that allow anything here")]
    Scope,
    #[error("the keys of the identity provider could not be fetched")]
    NoKeys(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Judges tokens.
#[async_trait]
pub trait TokenVerifier: Send + Sync + std::fmt::Debug {
    /// Whether a bearer's text is a token to be judged here, and no API key.
    fn takes(&self, bearer: &str) -> bool;

    /// What the token says, once it was proven.
    ///
    /// # Errors
    /// [`TokenError::NoKeys`] may pass by itself; with any other the token will never hold.
    async fn verify(&self, token: &str) -> Result<Token, TokenError>;
}
