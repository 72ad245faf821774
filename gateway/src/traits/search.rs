//! Reading: what a question needs from the store.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    filter::Filter,
    place::{ChunkKind, Place},
    workspaces::KeyHolder,
};

/// The number of a workspace inside the database; never shown outside.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct WorkspaceId(pub i32);

/// The number of an embedding space: a model with its dimensions.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpaceId(pub i32);

/// Number of a collection, unique in the database.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CollectionId(pub i32);

/// Who asks: found from the API key, and the bound of everything that a request may see.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    pub workspace: WorkspaceId,
    pub workspace_name: String,
    /// May manage workspaces and keys.
    pub admin: bool,
    /// Who pays for what is spent. It bounds nothing that a request may see.
    pub key: KeyPrint,
}

/// Tells keys and the subjects of identity providers apart: a SHA-256 that says nothing else.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct KeyPrint(pub [u8; 32]);

/// A search by vector.
#[derive(Clone, Debug)]
pub struct NearestQuery {
    pub workspace: WorkspaceId,
    pub vector: Vec<f32>,
    /// Chunks wanted; the store fetches more windows than that by itself.
    pub limit: u32,
    pub filter: Option<Filter>,
}

/// A search by words.
#[derive(Clone, Debug)]
pub struct LexicalQuery {
    pub workspace: WorkspaceId,
    /// The question as it was asked; each of its words may match.
    pub text: String,
    /// Chunks wanted.
    pub limit: u32,
    pub filter: Option<Filter>,
}

/// What one way of searching found, best first, without texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    pub hits: Vec<Hit>,
    /// The workspace's version in the same snapshot as the hits.
    pub store_version: i64,
    /// How the rows were found.
    pub plan: SearchPlan,
}

/// A chunk and its raw value: the cosine of its best window, or its BM25.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub chunk_id: i64,
    pub value: f32,
}

/// Chunks with their texts.
#[derive(Clone, Debug)]
pub struct Passages {
    pub matches: Vec<Match>,
    /// The workspace's version in the same snapshot.
    pub store_version: i64,
}

/// The chunks that are nearest, best first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Nearest {
    pub matches: Vec<Match>,
    /// The workspace's version in the same snapshot as the matches.
    pub store_version: i64,
    /// How the rows were found; the value of the metric label `plan`.
    pub plan: SearchPlan,
}

/// How the rows of a search were found.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchPlan {
    Exact,
    IvfFlat,
    Hnsw,
    /// By words.
    Lexical,
}

impl SearchPlan {
    /// The value of the metric label `plan`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::IvfFlat => "ivfflat",
            Self::Hnsw => "hnsw",
            Self::Lexical => "lexical",
        }
    }
}

/// One chunk and how near it is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Match {
    pub chunk_id: i64,
    /// Cosine of the best window, -1 to 1; `None` where the question has no vector.
    pub similarity: Option<f32>,
    /// BM25, 0 or more; `None` where it was not searched by words or no word occurs.
    pub lexical: Option<f32>,
    /// How likely it is that the passage is relevant, 0 to 1; `None` before it was estimated.
    pub score: Option<f32>,
    /// Whether the score rests on measurements of this embedding space.
    #[serde(default)]
    pub calibrated: bool,
    pub text: String,
    /// Of the text, as they were counted when it was stored; `None` where nobody counted.
    #[serde(default)]
    pub tokens: Option<u32>,
    /// Number of the chunk in its document, from 0.
    pub position: u32,
    pub heading_path: Vec<String>,
    pub place: Place,
    pub kind: ChunkKind,
    /// The document's metadata with the chunk's on top.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub document_id: Uuid,
    /// The file that the document was made of, where it came into a vector store.
    #[serde(default)]
    pub file_id: Option<Uuid>,
    pub filename: String,
    pub content_type: String,
    pub ingested_at: DateTime<Utc>,
}

/// How the raw values of an embedding space become scores. Each is the exponent of a logistic curve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calibration {
    /// For a search by vector alone; `None`: never measured.
    pub vector: Option<Curve>,
    /// For a hybrid search; `None`: never measured.
    pub hybrid: Option<Curve>,
}

/// `similarity * cosine + lexical * words + intercept`, where `words` is the BM25 as `answer/score.rs` scales it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    pub similarity: f32,
    pub lexical: f32,
    pub intercept: f32,
}

/// Searches a workspace.
#[async_trait]
pub trait Searcher: Send + Sync + std::fmt::Debug {
    /// By vector alone, with texts: one statement.
    async fn nearest(&self, query: &NearestQuery) -> Result<Nearest, StoreError>;

    /// By vector, as a leg of a hybrid search.
    async fn nearest_hits(&self, query: &NearestQuery) -> Result<Leg, StoreError>;

    /// By words.
    async fn matching(&self, query: &LexicalQuery) -> Result<Leg, StoreError>;

    /// The chunks of these ids in this order, with their cosines where there is a vector; those that are gone are left out.
    async fn passages(&self, workspace: WorkspaceId, vector: Option<&[f32]>, chunk_ids: &[i64]) -> Result<Passages, StoreError>;

    /// How the values of the configured embedding space become scores. Cheap.
    async fn calibration(&self) -> Result<Calibration, StoreError>;

    /// The workspace's version: changes with every published or deleted document and with the index that serves. Cheap.
    async fn store_version(&self, workspace: WorkspaceId) -> Result<i64, StoreError>;
}

/// Finds out who holds a key, and whether the store answers.
#[async_trait]
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// The holder of an API key by the key's SHA-256, `None` for an unknown one.
    async fn key_holder(&self, key_sha256: &[u8; 32]) -> Result<Option<KeyHolder>, StoreError>;

    /// A number that rises when any key may have gained or lost its force: what [`Directory::key_holder`] said under another number
    /// counts no more. `None` while the store cannot hear of it: then nothing that it said may be kept.
    fn keys_version(&self) -> Option<u64>;

    /// The workspace of this name.
    async fn workspace(&self, name: &str) -> Result<Option<WorkspaceId>, StoreError>;

    /// Whether the store answers, its schema is the one this program knows, and row-level security binds the role. A store whose
    /// replicas go on serving searches answers.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Resolves once the store has been silent for so long that whoever waits for it waits in vain; with what they are told. Whether it
    /// has done what it was asked for cannot be known then.
    async fn given_up(&self) -> StoreError {
        std::future::pending().await
    }

    /// The replicas that searches go to.
    fn replicas(&self) -> ReplicaCount {
        ReplicaCount::default()
    }
}

/// Replicas that searches go to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReplicaCount {
    pub configured: usize,
    /// Those that searches go to now.
    pub healthy: usize,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("PostgreSQL cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("PostgreSQL's primary cannot be reached, while its replicas can")]
    PrimaryUnreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("PostgreSQL refuses the credentials; correct the password in DATABASE_URL or in the Secret")]
    Unauthorized(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("all connections of the pool are busy; raise database.poolSize or ask less often")]
    PoolExhausted,
    #[error("PostgreSQL is out of disk space; enlarge its storage")]
    DiskFull,
    #[error("the statement took longer than database.statementTimeoutSeconds")]
    TimedOut,
    #[error("the schema is at version {found}, this program needs {wanted}; run `ragline-gateway migrate`")]
    WrongSchema { found: i64, wanted: i64 },
    #[error("role {role} is not bound by row-level security: {why}; serve with an ordinary role that owns no table")]
    Unbound { role: String, why: String },
    #[error("PostgreSQL {found} is older than the oldest supported version, 15")]
    TooOld { found: String },
    #[error(
        "the database holds vectors of model {stored} with {stored_dimensions} dimensions, the configuration asks for {wanted} with \
         {wanted_dimensions}; configure the former or make a new pipeline"
    )]
    WrongModel { stored: String, stored_dimensions: u32, wanted: String, wanted_dimensions: u32 },
    #[error("the {what} changed meanwhile; try again")]
    Conflict { what: &'static str },
    #[error("no such {what}")]
    NotFound { what: &'static str },
    #[error("{action} failed in PostgreSQL")]
    Failed {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same request may succeed once the database is well again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::PrimaryUnreachable(_)
            | Self::PoolExhausted
            | Self::DiskFull
            | Self::TimedOut
            | Self::Conflict { .. } => true,
            Self::Unauthorized(_)
            | Self::WrongSchema { .. }
            | Self::Unbound { .. }
            | Self::TooOld { .. }
            | Self::WrongModel { .. }
            | Self::NotFound { .. }
            | Self::Failed { .. } => false,
        }
    }
}
