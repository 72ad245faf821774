//! Looking into the store as the application role sees it, for `verify` alone. Nothing here changes what is stored: what is tried
//! out in a [`Inspector::rehearse`] is rolled back.

use async_trait::async_trait;
use ragline_config::index::IndexKind;
use uuid::Uuid;

use super::search::{NearestQuery, SearchPlan, StoreError, WorkspaceId};

/// The server and what is installed on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFacts {
    /// As in `17.6`.
    pub server_version: String,
    /// The role that this program is connected as.
    pub role: String,
    /// Version of the extension `vector`; `None` where it is not installed.
    pub vector_version: Option<String>,
    /// Whether it is a version that can scan an index iteratively, 0.8 or later.
    pub iterative_scans: bool,
}

/// Rows of one workspace. Two tallies are equal when nothing was left behind between them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    pub documents: i64,
    pub chunks: i64,
    pub embeddings: i64,
    pub jobs: i64,
    pub blobs: i64,
}

/// How the vectors of one workspace can be reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Serving {
    /// Rows of its relation.
    pub rows: u64,
    pub kind: IndexKind,
    pub rows_at_build: u64,
    /// The index that serves; `None`: every row is compared.
    pub index_name: Option<String>,
    /// Whether that index is valid.
    pub index_valid: bool,
    /// Another index is being built beside it.
    pub building: bool,
}

/// What PostgreSQL's planner does with a search.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// What the search asked for.
    pub plan: SearchPlan,
    /// The indexes that the plan scans, of any kind.
    pub index_names: Vec<String>,
    /// What was explained, with places `$1` for the vector and `$2`, `$3`, … for `parameters`.
    pub statement: String,
    pub parameters: Vec<i64>,
}

/// What an insert and a search gave that were rolled back.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    pub insert_ms: f64,
    pub search_ms: f64,
    pub inserted: u64,
    pub plan: SearchPlan,
    /// What was found, best first.
    pub found: Vec<RehearsedMatch>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RehearsedMatch {
    /// Which of the inserted vectors; `None`: a row that was there before.
    pub inserted: Option<usize>,
    pub similarity: f32,
}

/// A chunk as it is stored, with its vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChunk {
    pub position: u32,
    pub text: String,
    pub tokens: u32,
    /// One vector a window, in order.
    pub vectors: Vec<Vec<f32>>,
}

/// Looks into the store.
#[async_trait]
pub trait Inspector: Send + Sync + std::fmt::Debug {
    async fn server(&self) -> Result<ServerFacts, StoreError>;

    async fn tally(&self, workspace: WorkspaceId) -> Result<Tally, StoreError>;

    /// Whether any row of another workspace can be seen from this one, or any row at all without a workspace.
    async fn sees_foreign_rows(&self, workspace: WorkspaceId) -> Result<bool, StoreError>;

    async fn serving(&self, workspace: WorkspaceId) -> Result<Serving, StoreError>;

    /// How the planner would carry the search out.
    async fn explain(&self, query: &NearestQuery) -> Result<Explained, StoreError>;

    /// Some stored vector, `None` for an empty workspace.
    async fn some_vector(&self, workspace: WorkspaceId) -> Result<Option<Vec<f32>>, StoreError>;

    /// Inserts a document with one chunk a vector and searches it, all in a transaction that is rolled back.
    async fn rehearse(&self, vectors: &[Vec<f32>], query: &NearestQuery) -> Result<Rehearsal, StoreError>;

    /// The chunks of a document in order.
    async fn chunks(&self, workspace: WorkspaceId, document: Uuid) -> Result<Vec<StoredChunk>, StoreError>;

    /// Removes the jobs of sources that begin like this, whatever their state; a file under way is let go of.
    async fn forget_jobs(&self, workspace: WorkspaceId, source_prefix: &str, older_than_seconds: u32) -> Result<u64, StoreError>;

    /// Documents whose source begins like this.
    async fn documents_of(
        &self,
        workspace: WorkspaceId,
        source_prefix: &str,
        older_than_seconds: u32,
    ) -> Result<Vec<Uuid>, StoreError>;
}
