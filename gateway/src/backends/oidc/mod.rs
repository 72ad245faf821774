//! Tokens of an OpenID Connect provider, verified with the keys that it publishes. Nobody is asked about a single token: what is signed,
//! meant for us and in time holds until it expires. So tokens should be short-lived; API keys are what can be revoked.

mod claims;
mod fetch;
mod keys;

use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use ragline_config::{Auth, Oidc};
use serde_json::{Map, Value};

use self::{claims::Claims, fetch::Provider, keys::Keys};
pub use self::{
    fetch::{FetchError, OidcError},
    keys::Pace,
};
use crate::traits::tokens::{Token, TokenError, TokenVerifier};

/// Signatures that nobody but the provider can make. `none` is unsigned, and the key of HS is no secret where keys are published.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The configured verifier. Asks nobody yet.
///
/// # Errors
/// Certificates that cannot be read.
pub fn open(auth: &Auth) -> Result<Arc<dyn TokenVerifier>, OidcError> {
    Ok(match &auth.oidc {
        None => Arc::new(NoTokens),
        Some(oidc) => Arc::new(OidcVerifier::new(oidc, Pace::default())?),
    })
}

/// Verifies the tokens of one provider.
#[derive(Debug)]
pub struct OidcVerifier {
    keys: Keys,
    claims: Claims,
    /// For any algorithm; each token names its own.
    validation: Validation,
}

impl OidcVerifier {
    /// A verifier that has no keys yet.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(oidc: &Oidc, pace: Pace) -> Result<Self, OidcError> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&oidc.issuer]);
        validation.set_audience(&[&oidc.audience]);
        validation.validate_nbf = true;
        validation.leeway = oidc.leeway_seconds.0;
        Ok(Self { keys: Keys::new(Provider::new(oidc)?, pace), claims: Claims::new(oidc), validation })
    }

    fn proven(&self, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Map<String, Value>, TokenError> {
        let validation = Validation { algorithms: vec![algorithm], ..self.validation.clone() };
        decode::<Map<String, Value>>(token, key, &validation).map(|data| data.claims).map_err(|error| reason(error.into_kind()))
    }
}

#[async_trait]
impl TokenVerifier for OidcVerifier {
    fn takes(&self, bearer: &str) -> bool {
        // A header in base64 begins with `{"`, and no key that we make has a dot.
        bearer.starts_with("eyJ") && bearer.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    async fn verify(&self, token: &str) -> Result<Token, TokenError> {
        let header = decode_header(token).map_err(|error| match error.into_kind() {
            ErrorKind::Json(_) => TokenError::Algorithm,
            _ => TokenError::Malformed,
        })?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenError::Algorithm);
        }
        let (id, algorithm) = (header.kid.as_deref(), header.alg);
        let key = self.keys.find(id, algorithm).await?;
        let proven = match self.proven(token, &key, algorithm) {
            // Either it is forged, or the provider has made another key of that name.
            Err(TokenError::Signature) => {
                let renewed = self.keys.renewed(id, algorithm).await.ok_or(TokenError::Signature)?;
                self.proven(token, &renewed, algorithm)
            }
            proven => proven,
        };
        self.claims.read(&proven?)
    }
}

fn reason(kind: ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYet,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => TokenError::Claim(name),
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat | ErrorKind::UnsupportedAlgorithm => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

/// Takes no tokens.
#[derive(Clone, Copy, Debug)]
pub struct NoTokens;

#[async_trait]
impl TokenVerifier for NoTokens {
    fn takes(&self, _: &str) -> bool {
        false
    }

    async fn verify(&self, _: &str) -> Result<Token, TokenError> {
        Err(TokenError::Malformed)
    }
}
