//! Callers with a token of an identity provider. What it says of the workspace is looked up; none is ever made for a token.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{
    auth,
    error::{ApiError, ErrorCode},
    state::ApiState,
};
use crate::traits::{
    ingest::Hash,
    search::{Principal, StoreError},
    tokens::{Token, TokenError},
    workspaces::{KeyHolder, Scope},
};

/// Who holds the token. It is proven each time, which takes microseconds; the workspace is remembered as the holders of keys are.
pub(super) async fn holder(state: &ApiState, token: &str) -> Result<Arc<KeyHolder>, ApiError> {
    let token = state.parts.tokens.verify(token).await.map_err(refusal)?;
    let directory = state.parts.directory.as_ref();
    let remembered = print(&token);
    let name = token.workspace.clone();
    let find = async {
        let found = directory.workspace(&token.workspace).await?;
        Ok::<_, StoreError>(found.map(|workspace| {
            let Token { workspace: workspace_name, scope, subject } = token;
            let principal = Principal { workspace, workspace_name, admin: scope == Scope::Admin, key: subject };
            Arc::new(KeyHolder { principal, scope })
        }))
    };
    let found = match directory.keys_version() {
        Some(version) => state.holders.try_get_with((version, remembered), find).await,
        None => find.await.map_err(Arc::new),
    };
    match found {
        Ok(Some(holder)) => Ok(holder),
        Ok(None) => {
            let name: String = name.chars().take(100).collect();
            let message =
                format!("the token is for workspace {name:?}, which this pipeline does not have; an administrator makes it");
            Err(ApiError::new(ErrorCode::TokenNotAdmitted, message))
        }
        Err(error) => Err(auth::unavailable(error)),
    }
}

/// Everything that the holder is made of; no key's hash is equal to it.
fn print(token: &Token) -> Hash {
    let Token { workspace, scope, subject } = token;
    let mut hash = Sha256::new();
    hash.update("token");
    hash.update(subject.0);
    hash.update(scope.word());
    hash.update([0]);
    hash.update(workspace);
    hash.finalize().into()
}

fn refusal(error: TokenError) -> ApiError {
    match &error {
        TokenError::NoKeys(_) => {
            let message = "tokens cannot be checked since the identity provider does not answer; try again shortly";
            ApiError::new(ErrorCode::IdentityProviderUnavailable, message).because(error)
        }
        TokenError::Scope => ApiError::new(ErrorCode::TokenNotAdmitted, format!("the token is not admitted: {error}")),
        TokenError::Claim(name) if !["exp", "nbf", "iss", "aud", "sub"].contains(&name.as_str()) => {
            ApiError::new(ErrorCode::TokenNotAdmitted, format!("the token is not admitted: {error}"))
        }
        TokenError::Malformed
        | TokenError::Algorithm
        | TokenError::UnknownKey
        | TokenError::Signature
        | TokenError::Expired
        | TokenError::NotYet
        | TokenError::Issuer
        | TokenError::Audience
        | TokenError::Claim(_) => ApiError::new(ErrorCode::InvalidToken, format!("the token does not hold: {error}")),
    }
}
