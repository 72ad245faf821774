//! Who asks: the bearer key's holder. A key is compared and looked up by its SHA-256 alone and is never logged.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use moka::future::Cache;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    error::{ApiError, ErrorCode},
    state::ApiState,
};
use crate::traits::{
    ingest::Hash,
    search::{Principal, StoreError},
};

/// Holders by the hash of their key; `None`: a key that nobody holds.
pub(super) type KeyHolders = Cache<Hash, Option<Arc<Principal>>>;

/// The workspace of the first key.
const FIRST_WORKSPACE: &str = "default";
/// A longer header is no key of ours.
const MOST_KEY_BYTES: usize = 512;

/// Lets a request through when its key has a holder, who goes along as an extension.
pub(super) async fn authenticate(State(state): State<Arc<ApiState>>, mut request: Request, next: Next) -> Response {
    match holder(&state, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn holder(state: &ApiState, headers: &HeaderMap) -> Result<Arc<Principal>, ApiError> {
    let key = bearer(headers)?;
    let hash: Hash = Sha256::digest(key.as_bytes()).into();
    let is_first = (state.parts.first_key)().is_some_and(|first| {
        let first_hash = Sha256::digest(first.expose_secret().trim().as_bytes());
        first_hash.as_slice().ct_eq(hash.as_slice()).into()
    });
    // The first key is remembered under a hash of its own, so that taking it away counts at once.
    let remembered = if is_first { Sha256::digest(hash).into() } else { hash };
    let directory = &state.parts.directory;
    let find = async {
        if !is_first {
            return directory.principal(&hash).await.map(|found| found.map(Arc::new));
        }
        let workspace = directory.workspace(FIRST_WORKSPACE).await?.ok_or(StoreError::NotFound { what: "workspace" })?;
        let principal = Principal { workspace, workspace_name: FIRST_WORKSPACE.to_owned(), admin: true };
        Ok::<_, StoreError>(Some(Arc::new(principal)))
    };
    match state.holders.try_get_with(remembered, find).await {
        Ok(Some(principal)) => Ok(principal),
        Ok(None) => Err(ApiError::new(ErrorCode::InvalidApiKey, "this API key is not known")),
        Err(error) => Err(unavailable(error)),
    }
}

/// A shared failure of the look-up; the error itself cannot be moved out.
fn unavailable(error: Arc<StoreError>) -> ApiError {
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
    if key.len() > MOST_KEY_BYTES {
        return Err(ApiError::new(ErrorCode::InvalidApiKey, "this API key is not known"));
    }
    Ok(key)
}
