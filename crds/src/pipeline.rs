//! The resource itself: its sections, its printer columns and the rules that bind several sections together.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{
    spec::{
        Auth, Cache, Chunking, Dataset, DeletionPolicy, Embedding, Gateway, Generation, Index, Ingest, Limits, Logging,
        NetworkPolicy, Postgres, Redaction, Rerank, Search, Tracing,
    },
    status::RagPipelineStatus,
};

/// What a retrieval-augmented-generation service shall be. Every section may be left out: an empty spec is a pipeline that
/// searches, with the built-in embedding model, on a PostgreSQL and a Valkey of its own. Add `generation` and it also answers.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ragline.dev",
    version = "v1alpha1",
    kind = "RagPipeline",
    plural = "ragpipelines",
    singular = "ragpipeline",
    shortname = "ragp",
    shortname = "rpl",
    category = "ai",
    category = "rag",
    namespaced,
    status = "RagPipelineStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A retrieval-augmented-generation service: PostgreSQL with pgvector, Valkey, and a gateway that ingests documents, searches them and answers questions with citations.",
    scale(
        spec_replicas_path = ".spec.gateway.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Index", type_ = "string", json_path = ".status.index.active.type"),
    printcolumn(name = "Vectors", type_ = "integer", json_path = ".status.vectors.count"),
    printcolumn(name = "Gateway", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Desired Index", type_ = "string", priority = 1, json_path = ".status.index.desired.type"),
    printcolumn(name = "Endpoint", type_ = "string", priority = 1, json_path = ".status.endpoint"),
    printcolumn(
        name = "Message",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    ),
    printcolumn(name = "Operator", type_ = "string", priority = 1, json_path = ".status.operatorVersion"),
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name may have at most 40 characters: the objects of the pipeline add suffixes to it"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "the name must begin with a letter and hold only lower-case letters, digits and '-': Services are named after it"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "(has(self.embedding) ? [has(self.embedding.openAiCompatible), has(self.embedding.openAi), has(self.embedding.azureOpenAi), \
         has(self.embedding.openRouter), has(self.embedding.textEmbeddingsInference)] : [false, false, false, false, false]) \
         == (has(oldSelf.embedding) ? [has(oldSelf.embedding.openAiCompatible), has(oldSelf.embedding.openAi), \
         has(oldSelf.embedding.azureOpenAi), has(oldSelf.embedding.openRouter), has(oldSelf.embedding.textEmbeddingsInference)] \
         : [false, false, false, false, false])"
    )
    .message("the embedding model cannot change, since stored vectors of two models cannot be compared: make a new pipeline"),
    validation = Rule::new(
        "(has(self.index) && has(self.index.distanceMetric) ? self.index.distanceMetric : 'Cosine') \
         == (has(oldSelf.index) && has(oldSelf.index.distanceMetric) ? oldSelf.index.distanceMetric : 'Cosine')"
    )
    .message("index.distanceMetric cannot change (left out, it is Cosine): stored scores and the index follow it; make a new pipeline"),
    validation = Rule::new(
        "(has(self.index) && has(self.index.elementType) ? self.index.elementType : 'Halfvec') \
         == (has(oldSelf.index) && has(oldSelf.index.elementType) ? oldSelf.index.elementType : 'Halfvec')"
    )
    .message("index.elementType cannot change (left out, it is Halfvec): stored vectors have it; make a new pipeline"),
    validation = Rule::new(
        "(has(self.index) && has(self.index.quantization) ? self.index.quantization : 'None') \
         == (has(oldSelf.index) && has(oldSelf.index.quantization) ? oldSelf.index.quantization : 'None')"
    )
    .message("index.quantization cannot change (left out, it is None): the index is made of it; make a new pipeline"),
    validation = Rule::new(
        "(has(self.postgres) && has(self.postgres.managed) && has(self.postgres.managed.storage) \
         && has(self.postgres.managed.storage.size) ? quantity(string(self.postgres.managed.storage.size)) : quantity('10Gi'))\
         .compareTo(has(oldSelf.postgres) && has(oldSelf.postgres.managed) && has(oldSelf.postgres.managed.storage) \
         && has(oldSelf.postgres.managed.storage.size) ? quantity(string(oldSelf.postgres.managed.storage.size)) \
         : quantity('10Gi')) >= 0"
    )
    .message("postgres.managed.storage.size cannot shrink (left out, it is 10Gi): a volume can only grow"),
    validation = Rule::new(
        "(has(self.postgres) && has(self.postgres.managed) && has(self.postgres.managed.storage) \
         && has(self.postgres.managed.storage.storageClassName) ? self.postgres.managed.storage.storageClassName : '') \
         == (has(oldSelf.postgres) && has(oldSelf.postgres.managed) && has(oldSelf.postgres.managed.storage) \
         && has(oldSelf.postgres.managed.storage.storageClassName) ? oldSelf.postgres.managed.storage.storageClassName : '')"
    )
    .message("postgres.managed.storage.storageClassName cannot change: a volume stays in its class; make a new pipeline"),
    validation = Rule::new(
        "(has(self.postgres) && has(self.postgres.external)) == (has(oldSelf.postgres) && has(oldSelf.postgres.external)) \
         && (has(self.postgres) && has(self.postgres.cloudNativePg)) == (has(oldSelf.postgres) && has(oldSelf.postgres.cloudNativePg))"
    )
    .message("postgres cannot change between managed, cloudNativePg and external, since the data would stay behind; make a new pipeline")
)]
pub struct RagPipelineSpec {
    /// The RagPipelineClass whose defaults and bounds hold. Left out, it is the default class, if the cluster has one.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// What is known about the documents before they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Dataset>,
    /// The model that turns text into vectors, and how requests to it are made. Left out, the built-in model is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
    /// How documents are cut into passages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunking: Option<Chunking>,
    /// Who takes documents in. Left out, the gateways do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest: Option<Ingest>,
    /// How a search finds passages and how much it returns, where the caller does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// A model that orders what was found anew. Left out, the order of the search stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<Rerank>,
    /// What writes answers. Left out, the pipeline only retrieves, and `POST /v1/answers` is refused with `generation_disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The database that holds documents and vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
    /// The cache before the database and the models. Left out, a Valkey is managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// How the vector index follows the number of vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Index>,
    /// The service that callers speak to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// Who may speak to the pods of the pipeline. Left out, NetworkPolicies admit the pipeline's own namespace to the gateways, and
    /// nobody but the gateways and Jobs to PostgreSQL and Valkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,
    /// What the gateway logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// Bounds on what a caller may send. What goes beyond them is refused with an error that names the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// `true` stops the operator from changing anything for this pipeline; what runs keeps running, and deleted or edited
    /// objects stay as they are until it is `false` again. Shown by the condition `Paused`. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// `true` ends all gateways and workers and keeps data, database and cache; nothing answers until it is `false` again. Default:
    /// `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<bool>,
    /// What becomes of the data when the pipeline is deleted. Default: `Retain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Personal data and secrets that are taken out of documents, questions and answers. Left out, card numbers, keys and tokens are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,
    /// Who may call besides the holders of API keys. Left out, nobody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Where traces are sent. Left out, there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
}
