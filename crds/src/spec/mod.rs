//! The sections of a pipeline's spec. A field that is left out stays absent in the cluster; the operator fills in the default
//! that its documentation names, so that the defaulting of the API server never gets in the way of a one-of rule.

mod auth;
mod autoscaling;
mod cache;
mod embedding;
mod empty;
mod gateway;
mod generation;
mod index;
mod ingest;
mod network;
mod postgres;
mod provider;
mod redaction;
mod resources;
mod search;
mod tls;
mod tracing;
mod workers;

pub use auth::{Auth, Oidc};
pub use autoscaling::Autoscaling;
pub use cache::{Cache, CacheCluster, CacheSentinel, ExternalCache, ManagedCache, SimilarityCache};
pub use embedding::{BuiltinEmbedding, Embedding, OpenAiCompatibleEmbedding, SecretKeyRef};
pub use empty::Empty;
pub use gateway::{Gateway, Limits, LogLevel, Logging, Rate, RateLimit};
pub use generation::{Generation, OpenAiCompatibleGeneration, Price};
pub use index::{DistanceMetric, ElementType, Hnsw, Index, IndexMode, IvfFlat, MaintenanceWindow, Quantization};
pub use ingest::{Chunking, Dataset, DeletionPolicy};
pub use network::{Ingress, LabelMatch, NetworkPolicy, ParentRef, Peer, Route};
pub use postgres::{CloudNativePg, ExternalPostgres, ManagedPostgres, Postgres, Storage, StorageEncryption, TlsMode};
pub use provider::{
    AzureOpenAiEmbedding, AzureOpenAiModel, GeminiModel, HostedEmbedding, HostedModel, ShortQuestions,
    TextEmbeddingsInferenceEmbedding, Writer,
};
pub use redaction::Redaction;
pub use resources::{Quantities, Quantity, Resources};
pub use search::{Expansion, ExpansionMethod, Fusion, FusionMethod, Rerank, RerankProvider, Search, SearchMode};
pub use tls::{IssuerRef, ManagedTls};
pub use tracing::Tracing;
pub use workers::{Ingest, Workers};
