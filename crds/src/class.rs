//! What a platform team sets for the pipelines of others: defaults, and bounds that no pipeline can leave.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::{Quantity, SecretKeyRef, Writer};

/// Defaults and bounds of the pipelines that name the class, or that name none where the class is the default. Belongs to the
/// platform team; who makes pipelines needs no right to it.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ragline.dev",
    version = "v1alpha1",
    kind = "RagPipelineClass",
    plural = "ragpipelineclasses",
    singular = "ragpipelineclass",
    shortname = "ragpc",
    category = "rag",
    derive = "PartialEq",
    derive = "Default",
    doc = "Defaults and bounds that a platform team sets for RagPipelines.",
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 63").message("the name of a class has at most 63 characters")
)]
#[serde(rename_all = "camelCase")]
pub struct RagPipelineClassSpec {
    /// Whether pipelines that name no class are of this one. With several such classes, pipelines that name none are refused.
    /// Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// Namespaces whose pipelines may be of the class, at most 256; those of others are refused. Whoever makes a pipeline may name any
    /// class, so one with wider bounds than the default's wants a list. Default: all.
    #[schemars(length(max = 256), inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<Vec<String>>,
    /// Images of pipelines whose spec names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ClassImages>,
    /// Whether a pipeline may name images of its own. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_images: Option<bool>,
    /// Storage class of volumes whose pipeline names none. Default: the cluster's default class.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// The most that a pipeline may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ClassLimits>,
    /// The servers of models that pipelines may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<ClassModels>,
}

/// Images of pipelines whose spec names none. What is left out is the operator's default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassImages {
    /// Image of gateways, workers and Jobs.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Image of PostgreSQL.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// Image of Valkey.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valkey: Option<String>,
}

/// The most that a pipeline may ask for, whether it names the amount or takes a default. What is left out is not bounded.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassLimits {
    /// Gateways, also of an autoscaler. Default: none.
    #[schemars(range(min = 0, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_replicas: Option<u32>,
    /// Workers. Default: none.
    #[schemars(range(min = 0, max = 50))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_replicas: Option<u32>,
    /// Memory limit of one gateway or worker, as in `2Gi`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_memory: Option<Quantity>,
    /// Copies of PostgreSQL beside its primary: read replicas, or the standbys of CloudNativePG (`instances` less one). Default: none.
    #[schemars(range(min = 0, max = 8))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_replicas: Option<u32>,
    /// Memory limit of PostgreSQL, as in `16Gi`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_memory: Option<Quantity>,
    /// Size of PostgreSQL's volume, as in `100Gi`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_storage: Option<Quantity>,
    /// Memory for Valkey's entries, as in `1Gi`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_memory: Option<Quantity>,
}

/// The servers of models that pipelines may use, whatever they use them for: embedding, generation, what stands in for it, the model
/// for short questions, reranking. Built-in models are always allowed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassModels {
    /// Addresses that models may be asked at, at most 32, up to and including the version, as in `https://api.anthropic.com/v1`; of Azure
    /// OpenAI, the `endpoint`. A provider whose address a pipeline does not name counts as its own one. An empty list allows the built-in
    /// models only. Default: any.
    #[schemars(length(max = 32), inner(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s/]+.*$")))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_base_urls: Option<Vec<String>>,
    /// Names of models that may be asked for at such an address, at most 64; of Azure OpenAI, the names of deployments. Default: any.
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// Key of a Secret that the platform distributes to the namespaces of pipelines. It is used where a pipeline names a provider and
    /// no Secret; set `allowedBaseUrls` with it, since the key goes wherever the provider is asked. Left out, none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
    /// What writes answers for pipelines that say nothing of `generation`: exactly one provider. The two lists do not bound it. Left
    /// out, such pipelines only retrieve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Writer>,
}
