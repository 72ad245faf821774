//! Responses: answers that are kept, so that a caller can come back to them and go on from them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::search::{StoreError, WorkspaceId};

/// Responses of one workspace; of more, the oldest give way.
pub const MOST_RESPONSES: u32 = 10_000;

/// Who said something to a response.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
}

/// A message that came with a response.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Said {
    pub id: Uuid,
    pub role: Role,
    pub text: String,
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResponse {
    pub id: Uuid,
    /// The one that it goes on from.
    pub previous: Option<Uuid>,
    /// Still being written.
    pub open: bool,
    pub input: Vec<Said>,
    /// The answer's text; empty while it is written.
    pub answer: String,
    /// What the caller sees.
    pub body: Value,
}

/// What one response adds to a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exchange {
    /// The response that this one went on from, which may be gone.
    pub previous: Option<Uuid>,
    pub input: Vec<Said>,
    pub answer: String,
}

/// How far back a conversation is read.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    pub exchanges: u32,
    /// Of text; the exchange that goes beyond it is the last.
    pub bytes: u32,
}

/// Keeps responses for 30 days, at most [`MOST_RESPONSES`] of a workspace.
#[async_trait]
pub trait ResponseStore: Send + Sync + std::fmt::Debug {
    async fn keep(&self, workspace: WorkspaceId, response: &StoredResponse) -> Result<(), StoreError>;

    /// Ends a response that is being written. `false`: it is not, or not any more.
    async fn end(&self, workspace: WorkspaceId, id: Uuid, answer: &str, body: &Value) -> Result<bool, StoreError>;

    async fn response(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<StoredResponse>, StoreError>;

    /// The conversation up to a response that has ended, oldest first, as far back as `reach`; none where there is no such response.
    /// Ends where an earlier one is gone.
    async fn conversation(&self, workspace: WorkspaceId, id: Uuid, reach: Reach) -> Result<Vec<Exchange>, StoreError>;

    /// `false`: there is no such response.
    async fn forget(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError>;
}
