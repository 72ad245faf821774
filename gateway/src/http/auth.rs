//! Who asks: the holder of the bearer's key or token. A key is compared and looked up by its SHA-256 alone; neither is ever logged.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use moka::future::Cache;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    error::{ApiError, ErrorCode},
    state::ApiState,
    tokens,
};
use crate::traits::{
    ingest::Hash,
    search::{Directory, KeyPrint, Principal, StoreError},
    workspaces::{FIRST_WORKSPACE, KeyHolder, Scope},
};

/// Holders by the hash of their key and the state of all keys that it was looked up in; `None`: a key that nobody holds.
pub(super) type KeyHolders = Cache<(u64, Hash), Option<Arc<KeyHolder>>>;

/// A longer header is no key of ours.
const MOST_KEY_BYTES: usize = 512;
/// Tokens carry claims.
const MOST_TOKEN_BYTES: usize = 8 << 10;

/// Whose key or token the request bears.
///
/// # Errors
/// Nobody's; or it could not be looked up.
pub(super) async fn holder(state: &ApiState, headers: &HeaderMap) -> Result<Arc<KeyHolder>, ApiError> {
    let key = bearer(headers)?;
    let is_token = state.parts.tokens.takes(key);
    if key.len() > if is_token { MOST_TOKEN_BYTES } else { MOST_KEY_BYTES } {
        return Err(ApiError::new(ErrorCode::InvalidApiKey, "this API key is not known"));
    }
    let hash: Hash = Sha256::digest(key.as_bytes()).into();
    let is_first = (state.parts.first_key)().is_some_and(|first| {
        let first_hash = Sha256::digest(first.expose_secret().trim().as_bytes());
        first_hash.as_slice().ct_eq(hash.as_slice()).into()
    });
    if is_token && !is_first {
        return tokens::holder(state, key).await;
    }
    let directory = state.parts.directory.as_ref();
    let find = async {
        let found = if is_first { Some(first_holder(directory).await?) } else { directory.key_holder(&hash).await? };
        Ok::<_, StoreError>(found.map(Arc::new))
    };
    // The first key is remembered under a hash of its own, so that taking it away counts at once.
    let remembered = if is_first { Sha256::digest(hash).into() } else { hash };
    // The version is read before the key is looked up: a revocation in between makes what is stored under it useless.
    let found = match directory.keys_version() {
        Some(version) => state.holders.try_get_with((version, remembered), find).await,
        None => find.await.map_err(Arc::new),
    };
    match found {
        Ok(Some(holder)) => Ok(holder),
        Ok(None) => Err(ApiError::new(ErrorCode::InvalidApiKey, "this API key is not known")),
        Err(error) => Err(unavailable(error)),
    }
}

async fn first_holder(directory: &dyn Directory) -> Result<KeyHolder, StoreError> {
    let workspace = directory.workspace(FIRST_WORKSPACE).await?.ok_or(StoreError::NotFound { what: "workspace" })?;
    // The same after it was rotated.
    let key = KeyPrint(Sha256::digest(FIRST_WORKSPACE).into());
    let principal = Principal { workspace, workspace_name: FIRST_WORKSPACE.to_owned(), admin: true, key };
    Ok(KeyHolder { principal, scope: Scope::Admin })
}

/// A shared failure of the look-up; the error itself cannot be moved out.
pub(super) fn unavailable(error: Arc<StoreError>) -> ApiError {
    #[derive(Debug, thiserror::Error)]
    #[error("the holder of the API key could not be looked up")]
    struct LookUp(#[source] Arc<StoreError>);

    let code = if error.is_transient() { ErrorCode::DatabaseUnavailable } else { ErrorCode::DatabaseMisconfigured };
    ApiError::new(code, "API keys cannot be checked since the database does not serve; try again shortly")
        .after(std::time::Duration::from_secs(5))
        .because(LookUp(error))
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let missing = || ApiError::new(ErrorCode::MissingApiKey, "send your API key in the header `Authorization: Bearer KEY`");
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, key) = text.split_once(' ').ok_or_else(missing)?;
    let key = key.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || key.is_empty() {
        return Err(missing());
    }
    Ok(key)
}
