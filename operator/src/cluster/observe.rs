//! Everything that a trip reads about one pipeline, at its beginning and together. Writes nothing, decides nothing.

use std::collections::BTreeMap;

use futures::{FutureExt, future::try_join_all};
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt, api::DynamicObject, core::TypeMeta};
use serde::de::DeserializeOwned;

use super::{
    Cluster, RequestError,
    access::{self, Access},
    apply::Live,
};
use crate::plan::{names, pipeline::UserSecret};

/// Why the cluster could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error("the cluster cannot be read")]
    Request(#[from] RequestError),
    #[error("the API server's {kind} {name} is not understood")]
    Parse { kind: &'static str, name: String, source: serde_json::Error },
}

/// The children of a pipeline as they are: those with its labels, and the generated Secrets by name.
///
/// # Errors
/// A request failed.
pub async fn children(cluster: &Cluster, pipeline: &str) -> Result<Live, ObserveError> {
    let labels = labels(pipeline);
    let lists = access::owned().map(|access| listed(cluster, access, labels.clone()).boxed());
    let secrets = names::generated_secrets(pipeline).into_iter().map(|name| {
        async move {
            let found = cluster.get(&access::SECRETS, &name).await?;
            Ok(found.into_iter().map(|object| (&access::SECRETS, object)).collect::<Vec<_>>())
        }
        .boxed()
    });
    let found: Vec<Vec<(&'static Access, DynamicObject)>> =
        try_join_all(lists.chain(secrets)).await.map_err(ObserveError::Request)?;
    Ok(found.into_iter().flatten().map(|(access, object)| ((access.kind, object.name_any()), object)).collect())
}

async fn listed(
    cluster: &Cluster,
    access: &'static Access,
    labels: String,
) -> Result<Vec<(&'static Access, DynamicObject)>, RequestError> {
    let resource = access.resource();
    let items = cluster.list(access, &labels).await?;
    // The items of a list do not say what they are.
    let types = TypeMeta { api_version: resource.api_version, kind: resource.kind };
    Ok(items.into_iter().map(|item| (access, DynamicObject { types: Some(types.clone()), ..item })).collect())
}

/// Selects the children of a pipeline.
fn labels(pipeline: &str) -> String {
    format!("{},{}={pipeline}", names::CHILDREN_SELECTOR, names::INSTANCE_LABEL)
}

/// The objects of one kind with the pipeline's labels, which the operator does not own: pods and claims.
///
/// # Errors
/// The request failed, or the reply is not understood.
pub async fn all<K: DeserializeOwned>(
    cluster: &Cluster,
    access: &'static Access,
    pipeline: &str,
) -> Result<Vec<K>, ObserveError> {
    let found = listed(cluster, access, labels(pipeline)).await?;
    found.into_iter().map(|(access, object)| parsed(access.kind, object)).collect()
}

/// The Secrets that the user named, as far as they are there.
///
/// # Errors
/// The request failed, or the reply is not understood.
pub async fn user_secrets(cluster: &Cluster, named: &[UserSecret]) -> Result<BTreeMap<String, Secret>, ObserveError> {
    let mut found = BTreeMap::new();
    for UserSecret { secret, field: _, variable: _ } in named {
        if let Some(object) = cluster.get(&access::SECRETS, &secret.name).await? {
            found.insert(secret.name.clone(), parsed("Secret", object)?);
        }
    }
    Ok(found)
}

/// The children of one kind, typed.
///
/// # Errors
/// One is not understood.
pub fn typed<K: DeserializeOwned>(live: &Live, kind: &'static str) -> Result<Vec<K>, ObserveError> {
    let of_kind = live.iter().filter(|((of, _), _)| *of == kind);
    of_kind.map(|(_, object)| parsed(kind, object.clone())).collect()
}

fn parsed<K: DeserializeOwned>(kind: &'static str, object: DynamicObject) -> Result<K, ObserveError> {
    let name = object.name_any();
    let value = serde_json::to_value(object).and_then(serde_json::from_value);
    value.map_err(|source| ObserveError::Parse { kind, name, source })
}
