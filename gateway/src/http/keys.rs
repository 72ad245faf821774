//! `/v1/workspaces/{name}/keys` and `/v1/keys/{id}`: make, list and revoke keys. For the administrator's key. A key is drawn here and
//! shown once; only its SHA-256 is kept.

#![expect(unused_qualifications, reason = "the expansion of utoipa::path qualifies the parameters")]

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::{
    body::JsonBody,
    error::{ApiError, ErrorBody},
    ids::{KeyId, PublicId},
    params::{PathId, QueryString},
    search::check_limit,
    state::ApiState,
    workspaces::{MOST_ON_PAGE, PAGE},
};
use crate::traits::workspaces::{ApiKey, FIRST_WORKSPACE, NewKey, Scope, WorkspaceName};

/// What every key begins with, so that one that leaked is recognised.
const KEY_PREFIX: &str = "rl_";
/// Chance in a key: enough that a plain hash needs no salt.
const KEY_BYTES: usize = 32;
/// Characters of a key's name.
const MOST_NAME_CHARS: usize = 200;
/// Days that a key may be made for.
const MOST_DAYS: u32 = 3_650;

/// What a key may do; each scope includes the one before.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeView {
    /// Search, ask, and look at documents and jobs.
    #[default]
    Read,
    /// Take documents in and delete them.
    Write,
    /// Manage the workspaces and keys of the whole pipeline; for keys of workspace `default`.
    Admin,
}

impl ScopeView {
    /// The word for it.
    pub fn word(self) -> &'static str {
        Scope::from(self).word()
    }
}

/// A key to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "website", "scope": "read", "expires_in_days": 90}))]
pub(super) struct NewKeyBody {
    /// What the key is for, 1 to 200 characters.
    name: String,
    /// What it may do; `read` when absent.
    #[serde(default)]
    scope: ScopeView,
    /// Days until it ends by itself, 1 to 3,650; never when absent.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// A key without its secret.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyView {
    pub id: KeyId,
    #[schema(example = "api_key")]
    pub object: String,
    pub name: String,
    pub scope: ScopeView,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A new key: the only answer that has the secret.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct NewKeyView {
    #[serde(flatten)]
    pub about: KeyView,
    /// The key itself. It is not kept and cannot be shown again.
    #[schema(example = "rl_0m1bW0k5T2ZjY3vJbS1iTzZ4c0dQb2hXcU5uVkxhRTg")]
    pub key: String,
}

impl std::fmt::Debug for NewKeyView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKeyView").field("about", &self.about).finish_non_exhaustive()
    }
}

/// A page of keys, newest first.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyList {
    #[schema(example = "list")]
    pub object: String,
    pub data: Vec<KeyView>,
    pub first_id: Option<KeyId>,
    pub last_id: Option<KeyId>,
    pub has_more: bool,
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyPage {
    /// Keys on the page, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The last id of the page before.
    #[param(value_type = Option<String>)]
    after: Option<KeyId>,
}

/// A key that has no force any more.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RevokedKey {
    pub id: KeyId,
    #[schema(example = "api_key.deleted")]
    pub object: String,
    pub deleted: bool,
}

/// Makes a key to a workspace. The answer shows it for the only time.
#[utoipa::path(post, path = "/v1/workspaces/{name}/keys", tag = "workspaces", operation_id = "create_key",
    params(("name" = String, Path, description = "Name of the workspace.", example = "team-a")), request_body = NewKeyBody,
    responses((status = 201, body = NewKeyView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn create(
    State(state): State<Arc<ApiState>>,
    PathId(workspace): PathId<WorkspaceName>,
    JsonBody(body): JsonBody<NewKeyBody>,
) -> Result<(StatusCode, Json<NewKeyView>), ApiError> {
    let NewKeyBody { name, scope, expires_in_days } = body;
    check_name(&name)?;
    check_days(expires_in_days)?;
    if scope == ScopeView::Admin && workspace.as_str() != FIRST_WORKSPACE {
        let message =
            format!("scope: only keys of workspace {FIRST_WORKSPACE} may be admin, since it reaches the whole pipeline");
        return Err(ApiError::invalid("scope", message));
    }
    let key = draw()?;
    let new = NewKey { name, scope: scope.into(), sha256: Sha256::digest(key.as_bytes()).into(), expires_in_days };
    let made = state.parts.workspaces.create_key(&workspace, new).await?.ok_or_else(WorkspaceName::unknown)?;
    Ok((StatusCode::CREATED, Json(NewKeyView { about: made.into(), key })))
}

/// Lists the keys of a workspace, without their secrets. Those that ended are listed for a month.
#[utoipa::path(get, path = "/v1/workspaces/{name}/keys", tag = "workspaces", operation_id = "list_keys",
    params(("name" = String, Path, description = "Name of the workspace.", example = "team-a"), KeyPage),
    responses((status = 200, body = KeyList), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    PathId(workspace): PathId<WorkspaceName>,
    QueryString(page): QueryString<KeyPage>,
) -> Result<Json<KeyList>, ApiError> {
    check_limit(page.limit, MOST_ON_PAGE)?;
    let after = page.after.map(|id| id.0);
    let found = state.parts.workspaces.keys(&workspace, after, page.limit.unwrap_or(PAGE)).await?;
    let found = found.ok_or_else(WorkspaceName::unknown)?;
    let data: Vec<KeyView> = found.items.into_iter().map(Into::into).collect();
    Ok(Json(KeyList {
        object: "list".into(),
        first_id: data.first().map(|key| key.id),
        last_id: data.last().map(|key| key.id),
        data,
        has_more: found.has_more,
    }))
}

/// Revokes a key. Every gateway refuses it within a second.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "workspaces", operation_id = "revoke_key", params(("id" = KeyId, Path)),
    responses((status = 200, body = RevokedKey), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn revoke(State(state): State<Arc<ApiState>>, PathId(id): PathId<KeyId>) -> Result<Json<RevokedKey>, ApiError> {
    if !state.parts.workspaces.revoke_key(id.0).await? {
        return Err(KeyId::unknown());
    }
    Ok(Json(RevokedKey { id, object: "api_key.deleted".into(), deleted: true }))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name.trim().is_empty() || name.chars().nth(MOST_NAME_CHARS).is_some() || name.chars().any(char::is_control) {
        let message = format!("name must have 1 to {MOST_NAME_CHARS} characters, none of them a control character");
        return Err(ApiError::invalid("name", message));
    }
    Ok(())
}

fn check_days(days: Option<u32>) -> Result<(), ApiError> {
    match days {
        Some(days) if !(1..=MOST_DAYS).contains(&days) => {
            Err(ApiError::invalid("expires_in_days", format!("expires_in_days is {days}; it must be 1 to {MOST_DAYS}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A key out of the system's chance.
fn draw() -> Result<String, ApiError> {
    let mut bytes = [0; KEY_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| ApiError::internal().because(error))?;
    Ok(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

impl From<ScopeView> for Scope {
    fn from(scope: ScopeView) -> Self {
        match scope {
            ScopeView::Read => Self::Read,
            ScopeView::Write => Self::Write,
            ScopeView::Admin => Self::Admin,
        }
    }
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
            Scope::Admin => Self::Admin,
        }
    }
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, name, scope, created_at, expires_at, revoked_at } = key;
        Self { id: KeyId(id), object: "api_key".into(), name, scope: scope.into(), created_at, expires_at, revoked_at }
    }
}
