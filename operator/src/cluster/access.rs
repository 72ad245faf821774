//! The one table of what the operator may do in the Kubernetes API. The client refuses what is not in it, and the chart's
//! roles are checked against it by a test, so a grant and its use cannot part.

use kube::core::{ApiResource, GroupVersionKind};

use crate::plan::objects::Object;

/// One act in the Kubernetes API, named as in a role.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Patch,
    Update,
    Delete,
}

impl Verb {
    /// The word in a role.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Whether the act changes something.
    pub fn writes(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Patch | Self::Update | Self::Delete => true,
        }
    }
}

/// What the operator does with one kind of object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Access {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    /// `status` where the grant is for that subresource alone.
    pub subresource: Option<&'static str>,
    pub verbs: &'static [Verb],
    /// Why, for the reader of the role.
    pub why: &'static str,
}

impl Access {
    /// What the kube client needs to speak of this kind.
    pub fn resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group, self.version, self.kind), self.plural)
    }

    /// The resource as a role names it.
    pub fn role_resource(&self) -> String {
        match self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.plural),
            None => self.plural.to_owned(),
        }
    }

    /// Whether the table grants this act.
    pub fn allows(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }
}

/// A row; `of` is the group and its version.
const fn row(
    of: (&'static str, &'static str),
    kind: &'static str,
    plural: &'static str,
    verbs: &'static [Verb],
    why: &'static str,
) -> Access {
    let (group, version) = of;
    Access { group, version, kind, plural, subresource: None, verbs, why }
}

const RAGLINE: (&str, &str) = ("ragline.dev", "v1alpha1");
const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");
const NETWORKING: (&str, &str) = ("networking.k8s.io", "v1");
const CLOUD_NATIVE_PG: (&str, &str) = ("postgresql.cnpg.io", "v1");

use Verb::{Create, Delete, Get, List, Patch, Update, Watch};

/// A child that is applied, watched and pruned.
const OWNED: &[Verb] = &[List, Watch, Create, Patch, Delete];

pub const PIPELINES: Access = row(RAGLINE, "RagPipeline", "ragpipelines", &[List, Watch], "what users ask for");
pub const PIPELINE_STATUS: Access =
    Access { subresource: Some("status"), verbs: &[Patch], why: "what became of it", ..PIPELINES };
/// Neither listed nor watched: only Secrets that the operator draws or that a pipeline names are read, by name.
pub const SECRETS: Access =
    row(CORE, "Secret", "secrets", &[Get, Create, Patch], "generated passwords, and Secrets that a pipeline names");
pub const CONFIG_MAPS: Access = row(CORE, "ConfigMap", "configmaps", OWNED, "configuration of PostgreSQL and the gateway");
pub const SERVICES: Access = row(CORE, "Service", "services", OWNED, "addresses of the parts");
pub const SERVICE_ACCOUNTS: Access =
    row(CORE, "ServiceAccount", "serviceaccounts", OWNED, "an identity without rights for the pods");
pub const CLAIMS: Access =
    row(CORE, "PersistentVolumeClaim", "persistentvolumeclaims", &[List, Patch], "growth of the database's volume");
pub const PODS: Access = row(CORE, "Pod", "pods", &[List], "why a part does not start");
pub const CORE_EVENTS: Access = row(CORE, "Event", "events", &[List], "why no pod is made, such as an exhausted quota");
pub const DEPLOYMENTS: Access = row(APPS, "Deployment", "deployments", OWNED, "gateway and cache");
pub const STATEFUL_SETS: Access =
    row(APPS, "StatefulSet", "statefulsets", OWNED, "PostgreSQL, which is never deleted, and its read replicas");
pub const DISRUPTION_BUDGETS: Access =
    row(("policy", "v1"), "PodDisruptionBudget", "poddisruptionbudgets", OWNED, "a drained node leaves a gateway that answers");
pub const NETWORK_POLICIES: Access = row(NETWORKING, "NetworkPolicy", "networkpolicies", OWNED, "who may speak to the parts");
pub const INGRESSES: Access =
    row(NETWORKING, "Ingress", "ingresses", OWNED, "the way from outside the cluster, where a pipeline asks for one");
pub const AUTOSCALERS: Access = row(
    ("autoscaling", "v2"),
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    OWNED,
    "as many gateways as the load wants, where a pipeline asks for it",
);
/// Not watched: a cluster may lack the Gateway API, and a watch of what is not there never comes to rest.
pub const ROUTES: Access = row(
    ("gateway.networking.k8s.io", "v1"),
    "HTTPRoute",
    "httproutes",
    &[List, Create, Patch, Delete],
    "the way from outside the cluster, where a pipeline asks for one",
);
/// Never deleted, as a StatefulSet is not; watched as soon as a pipeline wants one.
pub const POSTGRES_CLUSTERS: Access = row(
    CLOUD_NATIVE_PG,
    "Cluster",
    "clusters",
    &[List, Watch, Create, Patch],
    "PostgreSQL with standbys, where a pipeline asks CloudNativePG for it",
);
/// Not watched, as a route is not; the Secrets that they fill are read.
pub const CERTIFICATES: Access = row(
    ("cert-manager.io", "v1"),
    "Certificate",
    "certificates",
    &[List, Create, Patch, Delete],
    "certificates of an issuer that a pipeline names",
);
/// As the Cluster that takes its image from there; its status is of no interest.
pub const IMAGE_CATALOGS: Access = row(
    CLOUD_NATIVE_PG,
    "ImageCatalog",
    "imagecatalogs",
    &[List, Create, Patch],
    "which image CloudNativePG's PostgreSQL runs, and its major version",
);
pub const JOBS: Access =
    row(("batch", "v1"), "Job", "jobs", &[List, Watch, Create, Delete], "migrations and index builds; never patched");
pub const EVENTS: Access = row(("events.k8s.io", "v1"), "Event", "events", &[Create], "what people read in kubectl describe");
/// Granted in the operator's own namespace only.
pub const LEASES: Access = row(("coordination.k8s.io", "v1"), "Lease", "leases", &[Get, Create, Update], "leader election");

/// Read in all-namespaces mode alone: a Role cannot grant what belongs to the whole cluster.
pub const CLASSES: Access =
    row(RAGLINE, "RagPipelineClass", "ragpipelineclasses", &[List, Watch], "what the platform team sets for pipelines");

pub const STORAGE_CLASSES: Access = row(
    ("storage.k8s.io", "v1"),
    "StorageClass",
    "storageclasses",
    &[List],
    "whether volumes are encrypted, where a pipeline requires it",
);

/// Everything that is granted for the cluster as a whole.
pub const CLUSTER: &[Access] = &[CLASSES, STORAGE_CLASSES];

/// Everything that is granted where pipelines live.
pub const PIPELINE_NAMESPACES: &[Access] = &[
    PIPELINES,
    PIPELINE_STATUS,
    SECRETS,
    CONFIG_MAPS,
    SERVICES,
    SERVICE_ACCOUNTS,
    CLAIMS,
    PODS,
    CORE_EVENTS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    INGRESSES,
    AUTOSCALERS,
    ROUTES,
    IMAGE_CATALOGS,
    POSTGRES_CLUSTERS,
    CERTIFICATES,
    JOBS,
    EVENTS,
];

/// Everything that is granted where the operator itself lives.
pub const OPERATOR_NAMESPACE: &[Access] = &[LEASES];

/// The kinds of children that are applied.
pub const APPLIED: &[Access] = &[
    SECRETS,
    SERVICE_ACCOUNTS,
    CONFIG_MAPS,
    SERVICES,
    NETWORK_POLICIES,
    DISRUPTION_BUDGETS,
    AUTOSCALERS,
    INGRESSES,
    ROUTES,
    IMAGE_CATALOGS,
    POSTGRES_CLUSTERS,
    CERTIFICATES,
    STATEFUL_SETS,
    DEPLOYMENTS,
    JOBS,
];

/// The table's row for an object that is about to be applied.
pub fn applied(object: &Object) -> &'static Access {
    match object {
        Object::Secret(_) => &SECRETS,
        Object::ServiceAccount(_) => &SERVICE_ACCOUNTS,
        Object::ConfigMap(_) => &CONFIG_MAPS,
        Object::Service(_) => &SERVICES,
        Object::NetworkPolicy(_) => &NETWORK_POLICIES,
        Object::PodDisruptionBudget(_) => &DISRUPTION_BUDGETS,
        Object::HorizontalPodAutoscaler(_) => &AUTOSCALERS,
        Object::Ingress(_) => &INGRESSES,
        Object::HttpRoute(_) => &ROUTES,
        Object::ImageCatalog(_) => &IMAGE_CATALOGS,
        Object::PostgresCluster(_) => &POSTGRES_CLUSTERS,
        Object::Certificate(_) => &CERTIFICATES,
        Object::StatefulSet(_) => &STATEFUL_SETS,
        Object::Deployment(_) => &DEPLOYMENTS,
        Object::Job(_) => &JOBS,
    }
}

/// Children that the operator lists by label, and prunes when they are no longer wanted.
pub fn owned() -> impl Iterator<Item = &'static Access> {
    APPLIED.iter().filter(|access| access.allows(List))
}

/// Those of them that the controller watches from the start.
pub fn watched() -> impl Iterator<Item = &'static Access> {
    owned().filter(|access| access.allows(Watch) && !is_optional(access.kind))
}

/// Whether a cluster may lack the kind.
pub fn is_optional(kind: &str) -> bool {
    [&ROUTES, &IMAGE_CATALOGS, &POSTGRES_CLUSTERS, &CERTIFICATES].iter().any(|access| access.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_in_the_table_twice() {
        let mut names: Vec<_> = PIPELINE_NAMESPACES.iter().map(|access| (access.group, access.role_resource())).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_is_applied_is_granted() {
        assert!(APPLIED.iter().all(|access| PIPELINE_NAMESPACES.contains(access)));
        assert!(APPLIED.iter().all(|access| access.allows(Create)));
    }

    #[test]
    fn secrets_are_neither_listed_nor_watched_nor_deleted() {
        assert!([List, Watch, Delete].iter().all(|verb| !SECRETS.allows(*verb)));
    }
}
