//! Workspaces and the keys to them.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ingest::Hash,
    search::{Principal, StoreError},
};

/// The workspace of the first key; it cannot be deleted, and its keys alone may be an administrator's.
pub const FIRST_WORKSPACE: &str = "default";
/// Characters of a workspace's name.
pub const MOST_NAME_CHARS: usize = 63;

/// What a key may do; each scope includes those before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Search, ask, and look at documents and jobs.
    Read,
    /// Take documents in and delete them.
    Write,
    /// Manage the workspaces and keys of the whole pipeline.
    Admin,
}

impl Scope {
    /// The word for it everywhere.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// Who holds a key, and what for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyHolder {
    pub principal: Principal,
    pub scope: Scope,
}

/// A name that a workspace may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkspaceName(String);

/// Text that no workspace may be called.
#[derive(Debug, thiserror::Error)]
#[error("a workspace's name has 1 to {MOST_NAME_CHARS} characters a-z, 0-9 and -, and neither begins nor ends with -")]
pub struct NotAName;

impl WorkspaceName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkspaceName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return Err(NotAName) };
        let fits = bytes.len() <= MOST_NAME_CHARS && plain(first) && plain(last);
        if fits && bytes.iter().all(|&byte| plain(byte) || byte == b'-') { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl fmt::Display for WorkspaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workspace as an administrator sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Workspace {
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// Its keys are gone and its documents are being removed.
    pub deleting: bool,
}

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for, in words.
    pub name: String,
    pub scope: Scope,
    /// All that is kept of the secret.
    pub sha256: Hash,
    /// Days until it ends by itself.
    pub expires_in_days: Option<u32>,
}

/// A key without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub scope: Scope,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

/// Keeps the workspaces and keys of a pipeline. Only an administrator's request may come here.
#[async_trait]
pub trait WorkspaceStore: Send + Sync + fmt::Debug {
    /// `None`: the name is taken.
    async fn create_workspace(&self, name: &WorkspaceName) -> Result<Option<Workspace>, StoreError>;
    /// By name, from the one after `after`.
    async fn workspaces(&self, after: Option<&WorkspaceName>, limit: u32) -> Result<Page<Workspace>, StoreError>;
    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>, StoreError>;
    /// Ends the workspace's keys at once and has its rows removed in the background; it can be found until then. `false`: there is
    /// none that may be deleted.
    async fn delete_workspace(&self, name: &WorkspaceName) -> Result<bool, StoreError>;
    /// `None`: there is no such workspace, or it is being deleted.
    async fn create_key(&self, workspace: &WorkspaceName, key: NewKey) -> Result<Option<ApiKey>, StoreError>;
    /// Newest first, from the one after `after`; `None` as for [`WorkspaceStore::create_key`].
    async fn keys(&self, workspace: &WorkspaceName, after: Option<Uuid>, limit: u32) -> Result<Option<Page<ApiKey>>, StoreError>;
    /// Ends a key; every gateway that hears the database refuses it at once. `false`: none in force has this id.
    async fn revoke_key(&self, id: Uuid) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_table_takes() {
        let longest = "a".repeat(MOST_NAME_CHARS);
        for good in ["a", "7", "team-a", "a--b", &longest] {
            assert_eq!(good.parse::<WorkspaceName>().unwrap().as_str(), good);
        }
        for bad in ["", "-", "-a", "a-", "A", "a_b", "a b", "ä", "a\n", "a/b", &format!("{longest}a")] {
            assert!(bad.parse::<WorkspaceName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_scope_includes_those_before() {
        assert!(Scope::Read < Scope::Write && Scope::Write < Scope::Admin);
    }
}
