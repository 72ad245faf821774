//! Makes the cluster hold what was built. An object that already holds it all is left alone, so a pipeline at rest costs no
//! write. Decides nothing: what to apply, and in which order, is the caller's.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{api::core::v1::PersistentVolumeClaim, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry};
use kube::api::DynamicObject;
use ragline_crds::spec::Quantity;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing::{debug, info, warn};

use super::{
    Cluster, RequestError,
    access::{self, Access, Verb},
    client::FIELD_MANAGER,
    covers,
};
use crate::plan::{
    names::{COMPONENT_LABEL, Component},
    objects::{Desired, Object, Objects},
    quantity::bytes,
};

/// The hash of what was last applied. It tells a field that was applied once and is no longer wanted from one that others set.
pub const APPLIED_ANNOTATION: &str = "ragline.dev/applied";

/// Why an object could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{kind} {name} cannot be applied")]
    Refused { kind: &'static str, name: String, source: RequestError },
    #[error("{kind} {name} is there already and belongs to {owner}; delete or rename it")]
    Foreign { kind: &'static str, name: String, owner: String },
    #[error("{kind} {name} of no use any more cannot be deleted")]
    Prune { kind: &'static str, name: String, source: RequestError },
}

impl ApplyError {
    /// Whether it passes by itself, so that nobody need be told: the API server is busy, or the children of a deleted namesake
    /// are still being removed.
    pub fn passes(&self, pipeline: &str) -> bool {
        match self {
            Self::Refused { source, .. } | Self::Prune { source, .. } => {
                source.answer().is_none_or(|(code, _)| code == 409 || code == 429 || code >= 500)
            }
            Self::Foreign { owner, .. } => *owner == format!("RagPipeline {pipeline}"),
        }
    }
}

/// Kind and name; the namespace is the pipeline's.
pub type Key = (&'static str, String);

/// The objects of a pipeline as they are.
pub type Live = BTreeMap<Key, DynamicObject>;

/// What became of the objects.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// How many were written.
    pub written: usize,
    /// Kinds of objects that are wanted and that the cluster lacks; they were left out.
    pub missing_kinds: BTreeSet<&'static str>,
}

/// Applies the objects in the given order, and records in `live` what they became.
///
/// # Errors
/// The first object that could not be applied; those before it are applied.
pub async fn apply(cluster: &Cluster, pipeline_uid: &str, wanted: &[&Object], live: &mut Live) -> Result<Outcome, ApplyError> {
    let mut outcome = Outcome::default();
    for object in wanted {
        match apply_one(cluster, pipeline_uid, object, live.get(&key(object))).await {
            Ok(Some(now)) => {
                live.insert(key(object), now);
                outcome.written += 1;
            }
            Ok(None) => {}
            Err(ApplyError::Refused { kind, source, .. }) if access::is_optional(kind) && source.is_absence() => {
                outcome.missing_kinds.insert(kind);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

async fn apply_one(
    cluster: &Cluster,
    pipeline_uid: &str,
    wanted: &Object,
    live: Option<&DynamicObject>,
) -> Result<Option<DynamicObject>, ApplyError> {
    let access = access::applied(wanted);
    let (kind, name) = (access.kind, wanted.name());
    let refused = |source| ApplyError::Refused { kind, name: name.to_owned(), source };
    let mut object = stamped(wanted.to_value());
    let Some(live) = live else {
        info!("making {kind} {name}");
        return create(cluster, access, name, object).await.map(Some).map_err(refused);
    };
    if let Some(owner) = foreign_owner(live, pipeline_uid) {
        return Err(ApplyError::Foreign { kind, name: name.to_owned(), owner });
    }
    if !access.allows(Verb::Patch) {
        return Ok(None);
    }
    keep_frozen(&mut object, live);
    let Some(difference) = differs(&object, live) else { return Ok(None) };
    info!("mending {kind} {name}: {difference}");
    if let Some(replicas) = replicas_given_up(&object, live) {
        cluster.hand_over_replicas(access, name, &replicas).await.map_err(refused)?;
    }
    let applied = cluster.apply(access, name, &object).await.map_err(refused)?;
    if let Some(difference) = differs(&object, &applied) {
        warn!("the API server keeps {difference} of {kind} {name} in another form; it will be applied again and again");
    }
    Ok(Some(applied))
}

fn key(object: &Object) -> Key {
    (object.kind(), object.name().to_owned())
}

/// The object with the hash of itself.
fn stamped(mut object: Value) -> Value {
    let hash = hex::encode(&Sha256::digest(object.to_string())[..12]);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(APPLIED_ANNOTATION.to_owned(), Value::String(hash));
        }
    }
    object
}

/// The templates of a StatefulSet's claims cannot be changed once it is made; a claim that shall grow is patched itself.
fn keep_frozen(object: &mut Value, live: &DynamicObject) {
    let at = "/spec/volumeClaimTemplates";
    if let (Some(wanted), Some(frozen)) = (object.pointer_mut(at), live.data.pointer(at)) {
        *wanted = frozen.clone();
    }
}

/// The number of replicas as it is, of a Deployment whose number the operator owns and no longer wants to. A field that its only
/// owner drops would be reset, which would take all gateways but one away. From none it is right: no autoscaler wakes them.
fn replicas_given_up(wanted: &Value, live: &DynamicObject) -> Option<Value> {
    let at = "/spec/replicas";
    let is_given_up = wanted["kind"] == "Deployment" && wanted.pointer(at).is_none();
    let number = live.data.pointer(at).filter(|number| is_given_up && **number != 0)?;
    let owns = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
    };
    live.metadata.managed_fields.iter().flatten().any(owns).then(|| {
        json!({"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": {"name": wanted["metadata"]["name"]}, "spec": {"replicas": number}})
    })
}

/// Asks for a larger volume where a claim is smaller than wanted. Returns whether it was written.
///
/// # Errors
/// The API server refused, as it does where the storage class does not allow volumes to grow.
pub async fn grow(cluster: &Cluster, claims: &[PersistentVolumeClaim], name: &str, size: &Quantity) -> Result<bool, ApplyError> {
    let Some(claim) = claims.iter().find(|claim| claim.metadata.name.as_deref() == Some(name)) else { return Ok(false) };
    let requests = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    let has = requests.and_then(|requests| bytes(&Quantity(requests.get("storage")?.0.clone())));
    if has >= bytes(size) {
        return Ok(false);
    }
    info!("growing the claim {name} to {}", size.0);
    let object = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"resources": {"requests": {"storage": size}}},
    });
    let applied = cluster.apply(&access::CLAIMS, name, &object).await;
    applied.map(|_| true).map_err(|source| ApplyError::Refused { kind: "PersistentVolumeClaim", name: name.to_owned(), source })
}

/// What may be patched is made by server-side apply, so that its fields have one owner from the start.
async fn create(cluster: &Cluster, access: &Access, name: &str, object: Value) -> Result<DynamicObject, RequestError> {
    if access.allows(Verb::Patch) {
        return cluster.apply(access, name, &object).await;
    }
    let object: DynamicObject = serde_json::from_value(object).expect("built objects have metadata and a kind");
    cluster.create(access, &object).await
}

fn differs(wanted: &Value, live: &DynamicObject) -> Option<String> {
    let live = serde_json::to_value(live).expect("what was read as JSON writes as JSON");
    covers::difference(wanted, &live)
}

/// Somebody else's object must not be taken over; one without a controller is adopted.
fn foreign_owner(live: &DynamicObject, pipeline_uid: &str) -> Option<String> {
    let owners = live.metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    controllers.find(|owner| owner.uid != pipeline_uid).map(|owner| format!("{} {}", owner.kind, owner.name))
}

/// Whether it is PostgreSQL itself, which no mistake of ours may take away.
fn is_database(access: &Access, object: &DynamicObject) -> bool {
    let component = object.metadata.labels.as_ref().and_then(|labels| labels.get(COMPONENT_LABEL));
    access.kind == access::STATEFUL_SETS.kind && component.is_none_or(|component| component == Component::Postgres.as_str())
}

/// Deletes the pipeline's objects that are neither wanted nor `spared`. Only those that the pipeline itself controls are touched.
///
/// # Errors
/// The first object that could not be deleted.
pub async fn prune(
    cluster: &Cluster,
    pipeline_uid: &str,
    keep: &Objects<Desired>,
    spared: &[Key],
    live: &mut Live,
) -> Result<usize, ApplyError> {
    let mut gone = Vec::new();
    for (key, object) in live.iter() {
        let Some(access) = access::owned().find(|access| access.kind == key.0 && access.allows(Verb::Delete)) else { continue };
        let kept = keep.find(key.0, &key.1).is_some() || spared.contains(key) || is_database(access, object);
        if kept || !is_controlled_by(object, pipeline_uid) || object.metadata.deletion_timestamp.is_some() {
            continue;
        }
        info!("deleting {} {}, which is no longer wanted", key.0, key.1);
        let deleted = cluster.delete(access, &key.1, object.metadata.uid.clone()).await;
        deleted.map_err(|source| ApplyError::Prune { kind: key.0, name: key.1.clone(), source })?;
        gone.push(key.clone());
    }
    for key in &gone {
        live.remove(key);
    }
    debug!("pruned {} objects", gone.len());
    Ok(gone.len())
}

/// Deletes a Job that has done its work.
///
/// # Errors
/// The API server refused.
pub async fn clear_job(cluster: &Cluster, name: &str) -> Result<(), ApplyError> {
    let deleted = cluster.delete(&access::JOBS, name, None).await;
    deleted.map_err(|source| ApplyError::Prune { kind: "Job", name: name.to_owned(), source })
}

fn is_controlled_by(object: &DynamicObject, uid: &str) -> bool {
    object.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid && owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(image: Option<&str>) -> Value {
        stamped(json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"image": image, "size": 1}}))
    }

    fn live(object: Value) -> DynamicObject {
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_was_applied_is_not_applied_again() {
        let object = wanted(Some("x"));
        assert_eq!(differs(&object, &live(object.clone())), None);
    }

    #[test]
    fn a_field_that_is_no_longer_wanted_is_a_difference() {
        assert!(differs(&wanted(None), &live(wanted(Some("x")))).is_some());
    }

    #[test]
    fn a_number_of_replicas_that_is_given_up_is_handed_over_but_for_none() {
        let deployment = |replicas: Option<u32>, manager: &str| {
            let owned = json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
            let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "managedFields": [owned]}, "spec": {}});
            if let Some(replicas) = replicas {
                object["spec"]["replicas"] = json!(replicas);
            }
            object
        };
        let wanted = deployment(None, FIELD_MANAGER);
        let handed = |replicas: u32, manager: &str| replicas_given_up(&wanted, &live(deployment(Some(replicas), manager)));
        assert_eq!(handed(3, FIELD_MANAGER).unwrap()["spec"]["replicas"], 3);
        assert_eq!(handed(3, "autoscaler"), None);
        assert_eq!(handed(0, FIELD_MANAGER), None, "an autoscaler leaves what is at none alone");
        let fixed = deployment(Some(2), FIELD_MANAGER);
        assert_eq!(replicas_given_up(&fixed, &live(deployment(Some(3), FIELD_MANAGER))), None);
    }

    #[test]
    fn an_object_of_another_controller_is_foreign_and_one_without_is_adopted() {
        let mut object = wanted(None);
        assert_eq!(foreign_owner(&live(object.clone()), "u1"), None);
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "u2", "controller": true}]);
        assert_eq!(foreign_owner(&live(object.clone()), "u1").as_deref(), Some("Thing t"));
        assert_eq!(foreign_owner(&live(object), "u2"), None);
    }
}
