//! Parameters of the path and of the query string, and the caller, as checked types.

use std::{str::FromStr, sync::Arc};

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{
    error::{ApiError, ErrorCode},
    ids::PublicId,
    state::ApiState,
};
use crate::traits::search::Principal;

/// The id in the path.
#[derive(Debug)]
pub(super) struct PathId<T>(pub(super) T);

impl<T: PublicId + FromStr + Send> FromRequestParts<Arc<ApiState>> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| T::unknown())?;
        text.parse().map(Self).map_err(|_| T::unknown())
    }
}

/// Both ids in the path.
#[derive(Debug)]
pub(super) struct PathIds<A, B>(pub(super) A, pub(super) B);

impl<A: PublicId + FromStr + Send, B: PublicId + FromStr + Send> FromRequestParts<Arc<ApiState>> for PathIds<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| B::unknown())?;
        let first = first.parse().map_err(|_| A::unknown())?;
        Ok(Self(first, second.parse().map_err(|_| B::unknown())?))
    }
}

/// The query string.
#[derive(Debug)]
pub(super) struct QueryString<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<ApiState>> for QueryString<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<ApiState>) -> Result<Self, ApiError> {
        let Query(value) = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            let said = rejection.body_text();
            let code = if said.contains("unknown field") { ErrorCode::UnknownField } else { ErrorCode::InvalidValue };
            ApiError::new(code, said)
        })?;
        Ok(Self(value))
    }
}

/// Who asks. Present on every route behind the authentication.
#[derive(Debug)]
pub(super) struct Caller(pub(super) Arc<Principal>);

impl FromRequestParts<Arc<ApiState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<ApiState>) -> Result<Self, ApiError> {
        parts.extensions.get::<Arc<Principal>>().cloned().map(Self).ok_or_else(ApiError::internal)
    }
}
