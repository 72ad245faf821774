//! What the operator reports about a pipeline.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What the operator knows about the pipeline. Wait for it with `kubectl wait --for=condition=Ready`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RagPipelineStatus {
    /// The generation of the spec that this status speaks of. Lower than `metadata.generation`: the operator has not yet seen
    /// the newest spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is true of the pipeline, one entry for each type. `Ready` sums up `SecretsResolved`, `DatabaseReady`, `SchemaReady`
    /// and `GatewayAvailable`; the others inform.
    #[schemars(schema_with = "conditions_schema")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The conditions in one word, for people. Programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Where the gateway is reached inside the cluster.
    #[schemars(length(max = 512))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Gateways that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Gateways that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Selects the gateways' pods; for `kubectl scale` and autoscalers.
    #[schemars(length(max = 1_024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Version of the operator that wrote this status.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_version: Option<String>,
    /// The parts of the pipeline, each by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
    /// The stored vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Vectors>,
    /// The vector index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexStatus>,
}

/// The conditions in one word.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Phase {
    /// The operator has not yet looked.
    #[default]
    Pending,
    /// The parts come up or change.
    Progressing,
    /// The pipeline answers.
    Ready,
    /// The pipeline did answer, or should by now, and does not.
    Degraded,
    /// Something must be mended by a person; the conditions say what.
    Stalled,
    /// The spec says `paused`.
    Paused,
    /// The spec says `stopped`, and nothing answers.
    Stopped,
}

/// The parts of the pipeline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Components {
    /// The database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Component>,
    /// The cache. Absent where it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Component>,
    /// The gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Component>,
    /// The workers. Absent where the gateways take documents in themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Component>,
}

/// One part of the pipeline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Whether it does its work.
    pub ready: bool,
    /// Its image.
    #[schemars(length(max = 512))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What it waits for, if anything.
    #[schemars(length(max = 2_048))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The stored vectors.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vectors {
    /// How many there are, to within one percent.
    pub count: u64,
    /// When `count` last moved.
    #[schemars(schema_with = "time_schema")]
    pub as_of: Time,
}

/// The vector index.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexStatus {
    /// The index that searches use now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveIndex>,
    /// The index that the number of vectors deserves; before there are any, the one that `dataset.expectedVectors` deserves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<DesiredIndex>,
    /// The last build, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<IndexBuild>,
    /// The relations that hold the vectors, each with an index of its own. `active` and `desired` speak of the one whose index is
    /// due for a change, else of the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relations: Option<Relations>,
}

/// The relations that hold the vectors: a large workspace has one of its own, the small ones share one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relations {
    /// How many are searched without an index.
    pub exact: u32,
    /// How many have an ivfflat index.
    pub ivf_flat: u32,
    /// How many have an HNSW index.
    pub hnsw: u32,
    /// The largest ones, at most ten. Their numbers of vectors are those of `vectors.asOf`, or of when a relation came, went or got
    /// another kind of index.
    #[schemars(length(max = 10))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub largest: Vec<Relation>,
}

/// One relation.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relation {
    /// The workspace whose vectors it holds. Absent: the one that the small workspaces share.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// How many vectors it holds.
    pub vectors: u64,
    /// The kind of the index that searches of it use.
    #[serde(rename = "type")]
    pub type_: IndexType,
}

/// The kind of an index.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum IndexType {
    /// No index: every vector is compared.
    #[default]
    Exact,
    /// Inverted lists.
    IvfFlat,
    /// A navigable small-world graph.
    Hnsw,
}

/// The index that searches use now.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveIndex {
    /// Its kind.
    #[serde(rename = "type")]
    pub type_: IndexType,
    /// ivfflat: its number of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<u32>,
    /// HNSW: connections of each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<u32>,
    /// HNSW: candidates kept while building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef_construction: Option<u32>,
    /// Vectors when it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_at_build: Option<u64>,
    /// How many of a hundred true neighbours a search by it finds, as last measured. Absent where every vector is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_percent: Option<u32>,
}

/// The index that the number of vectors deserves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredIndex {
    /// Its kind.
    #[serde(rename = "type")]
    pub type_: IndexType,
    /// ivfflat: its number of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<u32>,
    /// HNSW: connections of each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<u32>,
    /// HNSW: candidates kept while building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef_construction: Option<u32>,
    /// Why this one.
    #[schemars(length(max = 512))]
    pub reason: String,
}

/// A build of an index.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexBuild {
    /// How far it is.
    pub phase: BuildPhase,
    /// Blocks that PostgreSQL has worked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_done: Option<u64>,
    /// Blocks in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_total: Option<u64>,
    /// When it began.
    #[schemars(schema_with = "time_schema")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Why it failed.
    #[schemars(length(max = 2_048))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a build is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum BuildPhase {
    #[default]
    Running,
    Succeeded,
    Failed,
}

fn time_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// The list of conditions, merged by type; the fields are those of Kubernetes' own conditions.
fn conditions_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "What the condition is about."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds."},
                "reason": {"type": "string", "minLength": 1, "maxLength": 128, "description": "Why, in one word for programs."},
                "message": {"type": "string", "maxLength": 4096, "description": "Why, for people, and what to do next."},
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "When the status last changed."
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0, "description": "The generation that it speaks of."
                },
            },
        },
    })
}
