//! The objects of a pipeline, in the order in which they are applied: what others need first, workloads last.

use std::marker::PhantomData;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::Job,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use k8s_openapi::{Metadata, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde_json::Value;

use super::{
    build::{
        certificate::Certificate,
        cloud_native_pg::{ImageCatalog, PostgresCluster},
        route::HttpRoute,
    },
    names::{COMPONENT_LABEL, Component},
};

/// Nothing of a later step is applied before the earlier steps have done their work.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// What is asked of cert-manager. Nothing is made or changed before its Secrets are there: a pod without them would hang.
    Issue,
    /// Secrets, configuration, identities, addresses, PostgreSQL and Valkey.
    Data,
    /// The Job that brings the schema up to date; needs a database.
    Schema,
    /// The gateways; need the schema of their image.
    Serve,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    Secret(Box<Secret>),
    ServiceAccount(Box<ServiceAccount>),
    ConfigMap(Box<ConfigMap>),
    Service(Box<Service>),
    NetworkPolicy(Box<NetworkPolicy>),
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    HorizontalPodAutoscaler(Box<HorizontalPodAutoscaler>),
    Ingress(Box<Ingress>),
    /// Of the Gateway API, which a cluster may lack.
    HttpRoute(Box<HttpRoute>),
    /// Of CloudNativePG, which a cluster may lack.
    ImageCatalog(Box<ImageCatalog>),
    /// Likewise.
    PostgresCluster(Box<PostgresCluster>),
    /// Of cert-manager, which a cluster may lack.
    Certificate(Box<Certificate>),
    StatefulSet(Box<StatefulSet>),
    Deployment(Box<Deployment>),
    Job(Box<Job>),
}

macro_rules! each {
    ($object:expr, $inner:ident => $result:expr) => {
        match $object {
            Object::Secret($inner) => $result,
            Object::ServiceAccount($inner) => $result,
            Object::ConfigMap($inner) => $result,
            Object::Service($inner) => $result,
            Object::NetworkPolicy($inner) => $result,
            Object::PodDisruptionBudget($inner) => $result,
            Object::HorizontalPodAutoscaler($inner) => $result,
            Object::Ingress($inner) => $result,
            Object::HttpRoute($inner) => $result,
            Object::ImageCatalog($inner) => $result,
            Object::PostgresCluster($inner) => $result,
            Object::Certificate($inner) => $result,
            Object::StatefulSet($inner) => $result,
            Object::Deployment($inner) => $result,
            Object::Job($inner) => $result,
        }
    };
}

fn kind_of<T: k8s_openapi::Resource>(_: &T) -> &'static str {
    T::KIND
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> &'static str {
        each!(self, inner => kind_of(&**inner))
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        each!(self, inner => inner.metadata())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// The object with apiVersion and kind, as it is sent.
    pub fn to_value(&self) -> Value {
        each!(self, inner => serde_json::to_value(inner)).expect("typed objects have text keys and finite numbers")
    }
}

macro_rules! from_typed {
    ($($kind:ident),+) => {
        $(impl From<$kind> for Object {
            fn from(object: $kind) -> Self {
                Self::$kind(Box::new(object))
            }
        })+
    };
}

from_typed!(
    Secret,
    ServiceAccount,
    ConfigMap,
    Service,
    NetworkPolicy,
    PodDisruptionBudget,
    HorizontalPodAutoscaler,
    Ingress,
    HttpRoute,
    ImageCatalog,
    PostgresCluster,
    Certificate,
    StatefulSet,
    Deployment,
    Job
);

/// Wanted, not yet in the cluster.
#[derive(Clone, Copy, Debug)]
pub struct Desired;

/// In the cluster, as wanted. Only the rim can say so.
#[derive(Clone, Copy, Debug)]
pub struct Applied;

/// The objects of a pipeline.
#[derive(Clone, Debug)]
pub struct Objects<State> {
    objects: Vec<(Step, Object)>,
    state: PhantomData<State>,
}

impl Objects<Desired> {
    /// Puts the objects into their order; those of the same step keep the order given.
    pub(crate) fn new(mut objects: Vec<(Step, Object)>) -> Self {
        objects.sort_by_key(|(step, _)| *step);
        Self { objects, state: PhantomData }
    }

    /// The objects that may be applied once all steps before `step` are done, `step` included.
    #[must_use]
    pub fn up_to(&self, step: Step) -> Vec<&Object> {
        self.objects.iter().filter(|(of, _)| *of <= step).map(|(_, object)| object).collect()
    }

    /// Says that those up to `step` are in the cluster as wanted.
    #[must_use]
    pub fn applied(self, step: Step) -> Objects<Applied> {
        let objects = self.objects.into_iter().filter(|(of, _)| *of <= step).collect();
        Objects { objects, state: PhantomData }
    }
}

impl<State> Objects<State> {
    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().map(|(_, object)| object)
    }

    /// The object of this kind and name.
    pub fn find(&self, kind: &str, name: &str) -> Option<&Object> {
        self.iter().find(|object| object.kind() == kind && object.name() == name)
    }

    /// The Deployment of a part, found by its label.
    pub fn deployment(&self, part: Component) -> Option<&Deployment> {
        self.iter().find_map(|object| {
            let Object::Deployment(deployment) = object else { return None };
            let label = deployment.metadata.labels.as_ref()?.get(COMPONENT_LABEL)?;
            (label == part.as_str()).then_some(&**deployment)
        })
    }

    /// The schema Job.
    pub fn schema_job(&self) -> Option<&Job> {
        self.iter().find_map(|object| match object {
            Object::Job(job) => Some(&**job),
            Object::Secret(_)
            | Object::ServiceAccount(_)
            | Object::ConfigMap(_)
            | Object::Service(_)
            | Object::NetworkPolicy(_)
            | Object::PodDisruptionBudget(_)
            | Object::HorizontalPodAutoscaler(_)
            | Object::Ingress(_)
            | Object::HttpRoute(_)
            | Object::ImageCatalog(_)
            | Object::PostgresCluster(_)
            | Object::Certificate(_)
            | Object::StatefulSet(_)
            | Object::Deployment(_) => None,
        })
    }
}
