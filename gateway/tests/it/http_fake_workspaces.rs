//! Workspaces and keys in memory: there are `default` and `theirs`, and nothing that is made is kept.

use async_trait::async_trait;
use chrono::DateTime;
use ragline_gateway::traits::{
    search::StoreError,
    workspaces::{ApiKey, NewKey, Page, Workspace, WorkspaceName, WorkspaceStore},
};
use uuid::Uuid;

use crate::http_fakes::FakeStore;

fn workspace(name: &str) -> Workspace {
    Workspace { name: name.to_owned(), created_at: DateTime::UNIX_EPOCH, deleting: false }
}

#[async_trait]
impl WorkspaceStore for FakeStore {
    async fn create_workspace(&self, name: &WorkspaceName) -> Result<Option<Workspace>, StoreError> {
        Ok(self.find(name).await?.is_none().then(|| workspace(name.as_str())))
    }

    async fn workspaces(&self, after: Option<&WorkspaceName>, limit: u32) -> Result<Page<Workspace>, StoreError> {
        let names = ["default", "theirs"].into_iter().filter(|name| after.is_none_or(|after| *name > after.as_str()));
        let items: Vec<_> = names.map(workspace).collect();
        Ok(Page { has_more: items.len() > limit as usize, items: items.into_iter().take(limit as usize).collect() })
    }

    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>, StoreError> {
        Ok(["default", "theirs"].contains(&name.as_str()).then(|| workspace(name.as_str())))
    }

    async fn delete_workspace(&self, name: &WorkspaceName) -> Result<bool, StoreError> {
        Ok(self.find(name).await?.is_some())
    }

    async fn create_key(&self, workspace: &WorkspaceName, key: NewKey) -> Result<Option<ApiKey>, StoreError> {
        let NewKey { name, scope, sha256: _, expires_in_days: _ } = key;
        let made = ApiKey { id: Uuid::nil(), name, scope, created_at: DateTime::UNIX_EPOCH, expires_at: None, revoked_at: None };
        Ok(self.find(workspace).await?.map(|_| made))
    }

    async fn keys(&self, workspace: &WorkspaceName, _: Option<Uuid>, _: u32) -> Result<Option<Page<ApiKey>>, StoreError> {
        Ok(self.find(workspace).await?.map(|_| Page { items: Vec::new(), has_more: false }))
    }

    async fn revoke_key(&self, _: Uuid) -> Result<bool, StoreError> {
        Ok(false)
    }
}
