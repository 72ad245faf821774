//! Everything that a trip reads about one pipeline, at its beginning and together. Writes nothing, decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, future::try_join_all, try_join};
use k8s_openapi::api::{batch::v1::Job, core::v1::Secret, storage::v1::StorageClass};
use kube::{ResourceExt, api::DynamicObject, core::TypeMeta};
use ragline_crds::RagPipelineClass;
use serde::de::DeserializeOwned;

use super::{
    Cluster, RequestError,
    access::{self, Access},
    apply::{Key, Live},
    shared::{Classes, Optional},
};
use crate::{
    plan::{
        build::cloud_native_pg::PostgresClusterSeen,
        certificates,
        names::{self, Component},
        observed::Observed,
        pipeline::{Pipeline, Postgres, UserSecret},
    },
    rest::SecretVersions,
};

/// Why the cluster could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error("the cluster cannot be read")]
    Request(#[from] RequestError),
    #[error("the API server's {kind} {name} is not understood")]
    Parse { kind: &'static str, name: String, source: serde_json::Error },
    #[error("the RagPipelineClass {name} is not understood: {reason}")]
    Class { name: String, reason: String },
}

/// The children of a pipeline as they are: those with its labels, and the generated Secrets by name. `optional` are the kinds
/// that a cluster may lack and that this pipeline has to do with.
///
/// # Errors
/// A request failed.
pub async fn children(cluster: &Cluster, pipeline: &Pipeline, optional: &BTreeSet<&'static str>) -> Result<Live, ObserveError> {
    let labels = labels(&pipeline.name);
    let concerned = access::owned().filter(|access| !access::is_optional(access.kind) || optional.contains(access.kind));
    let lists = concerned.map(|access| listed(cluster, access, labels.clone()).boxed());
    let secrets = generated_names(pipeline).map(|name| {
        async move {
            let found = cluster.get(&access::SECRETS, &name).await?;
            Ok(found.into_iter().map(|object| (&access::SECRETS, object)).collect::<Vec<_>>())
        }
        .boxed()
    });
    let found: Vec<Found> = try_join_all(lists.chain(secrets)).await?;
    Ok(found.into_iter().flatten().map(|(access, object)| ((access.kind, object.name_any()), object)).collect())
}

/// What the children do not tell: the user's Secrets, pods, claims, and why a pod could not be made.
///
/// # Errors
/// A request failed, or a reply is not understood.
pub async fn surroundings(cluster: &Cluster, pipeline: &Pipeline) -> Result<Observed, ObserveError> {
    let labels = labels(&pipeline.name);
    let refused = "type=Warning,reason=FailedCreate";
    let (pods, claims, events, secrets) = try_join!(
        listed(cluster, &access::PODS, labels.clone()),
        listed(cluster, &access::CLAIMS, labels),
        cluster.list_by_fields(&access::CORE_EVENTS, refused),
        user_secrets(cluster, &pipeline.secrets),
    )?;
    let events = events.into_iter().map(|event| (&access::CORE_EVENTS, event)).collect();
    Ok(Observed {
        secrets: parsed_all::<Secret>(secrets)?.into_iter().map(|secret| (secret.name_any(), secret)).collect(),
        pods: parsed_all(pods)?,
        claims: parsed_all(claims)?,
        events: parsed_all(events)?,
        ..Observed::default()
    })
}

/// The kinds that a cluster may lack and that the pipeline has to do with: it wants an object of the kind, or may have one.
/// `everywhere`: the operator may ask for all namespaces at once.
///
/// # Errors
/// A request failed.
pub async fn optional_kinds(
    cluster: &Cluster,
    known: &Optional,
    everywhere: bool,
    pipeline: &Pipeline,
) -> Result<BTreeSet<&'static str>, ObserveError> {
    let mut kinds = BTreeSet::new();
    for access in access::owned().filter(|access| access::is_optional(access.kind)) {
        let wants = match access.kind {
            kind if kind == access::ROUTES.kind => pipeline.gateway.route.is_some(),
            kind if kind == access::CERTIFICATES.kind => !certificates::issued(pipeline).is_empty(),
            _ => matches!(pipeline.postgres, Postgres::CloudNativePg { .. }),
        };
        if wants {
            known.note(cluster, access, everywhere, &pipeline.name);
        }
        if wants || known.may_have(cluster, access, everywhere, &pipeline.name).await? {
            kinds.insert(access.kind);
        }
    }
    Ok(kinds)
}

/// The classes of the cluster; none where the cluster does not know the kind. They are asked for only while the watch has not
/// brought them.
///
/// # Errors
/// A request failed, or a class is not understood.
pub async fn classes(cluster: &Cluster, watched: &Classes) -> Result<Vec<RagPipelineClass>, ObserveError> {
    if let Some(known) = watched.known()? {
        return Ok(known);
    }
    let found = match cluster.list_of_cluster(&access::CLASSES).await {
        Err(error) if error.is_absence() => Vec::new(),
        found => found?,
    };
    parsed_all(typed(&access::CLASSES, found))
}

/// The storage classes of the cluster; `None` where they may not be read.
///
/// # Errors
/// A request failed, or a class is not understood.
pub async fn storage_classes(cluster: &Cluster) -> Result<Option<Vec<StorageClass>>, ObserveError> {
    match cluster.list_of_cluster(&access::STORAGE_CLASSES).await {
        Err(error) if error.answer().is_some_and(|(code, _)| code == 403) => Ok(None),
        found => parsed_all(typed(&access::STORAGE_CLASSES, found?)).map(Some),
    }
}

/// Takes over from the children what the plan and a status are made of, but for the schema Job, whose name the plan decides.
///
/// # Errors
/// A child is not understood.
pub fn workloads(observed: &mut Observed, live: &Live, pipeline: &str) -> Result<(), ObserveError> {
    observed.postgres = one(live, "StatefulSet", &names::postgres(pipeline))?;
    observed.replicas = one(live, "StatefulSet", &names::replica(pipeline))?;
    let cluster: Option<PostgresClusterSeen> = one(live, access::POSTGRES_CLUSTERS.kind, &names::postgres(pipeline))?;
    observed.postgres_cluster = cluster.map(|cluster| cluster.status);
    observed.cache = one(live, "Deployment", &names::valkey(pipeline))?;
    observed.gateway = one(live, "Deployment", &names::gateway(pipeline))?;
    observed.worker = one(live, "Deployment", &names::worker(pipeline))?;
    observed.autoscaler = one(live, "HorizontalPodAutoscaler", &names::gateway(pipeline))?;
    observed.role_jobs = role_jobs(live, pipeline)?;
    let certificates = live.iter().filter(|((kind, _), _)| *kind == access::CERTIFICATES.kind);
    observed.certificates = certificates
        .map(|((kind, name), one)| Ok((name.clone(), parsed(kind, name, one.clone())?)))
        .collect::<Result<_, ObserveError>>()?;
    let newest = index_jobs(live).max_by_key(|(_, job)| job.metadata.creation_timestamp.as_ref().map(|time| time.0));
    observed.index_job = newest.map(|(key, job)| parsed("Job", &key.1, job.clone())).transpose()?;
    Ok(())
}

/// The generated Secrets by name, as far as they are there.
///
/// # Errors
/// One is not understood.
pub fn generated_secrets(live: &Live) -> Result<BTreeMap<String, Secret>, ObserveError> {
    let secrets = live.iter().filter(|((kind, _), _)| *kind == "Secret");
    secrets.map(|((kind, name), secret)| Ok((name.clone(), parsed(kind, name, secret.clone())?))).collect()
}

/// The Job of this name, if it is among the children.
///
/// # Errors
/// It is not understood.
pub fn job(live: &Live, name: &str) -> Result<Option<Job>, ObserveError> {
    one(live, "Job", name)
}

/// The Jobs among the children that make login roles or lock them out.
fn role_jobs(live: &Live, pipeline: &str) -> Result<Vec<Job>, ObserveError> {
    let begin = names::role_job(pipeline, "");
    let found = live.iter().filter(|((kind, name), _)| *kind == "Job" && name.starts_with(&begin));
    found.map(|((kind, name), job)| parsed(kind, name, job.clone())).collect()
}

/// The index Jobs among the children.
pub fn index_jobs(live: &Live) -> impl Iterator<Item = (&Key, &DynamicObject)> {
    live.iter().filter(|((kind, _), object)| {
        *kind == "Job" && object.labels().get(names::COMPONENT_LABEL).is_some_and(|of| of == Component::Index.as_str())
    })
}

/// The versions of the Secrets that a pipeline lives by, generated and named ones, as they are now.
///
/// # Errors
/// A request failed.
pub async fn secret_versions(cluster: &Cluster, pipeline: &Pipeline) -> Result<SecretVersions, ObserveError> {
    let all = secret_names(pipeline).into_iter().map(|name| async move {
        let found = cluster.get(&access::SECRETS, &name).await?;
        Ok::<_, RequestError>((name, found.and_then(|secret| secret.metadata.resource_version)))
    });
    Ok(try_join_all(all).await?.into_iter().collect())
}

/// The same, of what a trip has read.
pub fn versions_read(live: &Live, observed: &Observed, pipeline: &Pipeline) -> SecretVersions {
    let version = |name: &String| {
        let drawn = live.get(&(access::SECRETS.kind, name.clone())).map(|secret| &secret.metadata);
        drawn.or_else(|| observed.secrets.get(name).map(|secret| &secret.metadata))?.resource_version.clone()
    };
    secret_names(pipeline).into_iter().map(|name| (name.clone(), version(&name))).collect()
}

fn secret_names(pipeline: &Pipeline) -> BTreeSet<String> {
    let named = pipeline.secrets.iter().map(|named| named.secret.name.clone());
    generated_names(pipeline).chain(named).collect()
}

/// The Secrets that the operator makes, and those that cert-manager fills for it.
fn generated_names(pipeline: &Pipeline) -> impl Iterator<Item = String> {
    names::generated_secrets(&pipeline.name).into_iter().chain(certificates::secrets(pipeline))
}

type Found = Vec<(&'static Access, DynamicObject)>;

async fn listed(cluster: &Cluster, access: &'static Access, labels: String) -> Result<Found, RequestError> {
    match cluster.list(access, &labels).await {
        Err(error) if access::is_optional(access.kind) && error.is_absence() => Ok(Vec::new()),
        items => items.map(|items| typed(access, items)),
    }
}

/// The items of a list do not say what they are.
fn typed(access: &'static Access, items: Vec<DynamicObject>) -> Found {
    let resource = access.resource();
    let types = TypeMeta { api_version: resource.api_version, kind: resource.kind };
    items.into_iter().map(|item| (access, DynamicObject { types: Some(types.clone()), ..item })).collect()
}

async fn user_secrets(cluster: &Cluster, named: &[UserSecret]) -> Result<Found, RequestError> {
    let names: BTreeSet<&str> = named.iter().map(|named| named.secret.name.as_str()).collect();
    let found = try_join_all(names.into_iter().map(|name| cluster.get(&access::SECRETS, name))).await?;
    Ok(found.into_iter().flatten().map(|secret| (&access::SECRETS, secret)).collect())
}

/// Selects the children of a pipeline.
fn labels(pipeline: &str) -> String {
    format!("{},{}={pipeline}", names::CHILDREN_SELECTOR, names::INSTANCE_LABEL)
}

fn one<K: DeserializeOwned>(live: &Live, kind: &'static str, name: &str) -> Result<Option<K>, ObserveError> {
    let found = live.get(&(kind, name.to_owned()));
    found.map(|object| parsed(kind, name, object.clone())).transpose()
}

fn parsed_all<K: DeserializeOwned>(found: Found) -> Result<Vec<K>, ObserveError> {
    found.into_iter().map(|(access, object)| parsed(access.kind, &object.name_any(), object)).collect()
}

fn parsed<K: DeserializeOwned>(kind: &'static str, name: &str, object: DynamicObject) -> Result<K, ObserveError> {
    let value = serde_json::to_value(object).and_then(serde_json::from_value);
    value.map_err(|source| ObserveError::Parse { kind, name: name.to_owned(), source })
}
