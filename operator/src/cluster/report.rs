//! Tells people what became of a pipeline: its status, written only when it differs, and an Event for each change that a person
//! would want to read. Decides nothing about the pipeline itself.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{Resource, ResourceExt, api::DynamicObject};
use ragline_crds::{ConditionType, RagPipeline, RagPipelineStatus, Reason};
use serde_json::json;
use tracing::warn;

use super::{Cluster, RequestError, access, warnings::Warning};
use crate::telemetry::chain;

/// Longest note that the API server takes.
const NOTE_BYTES: usize = 1_024;

/// The reason of Events that pass on a warning of the API server or of an admission webhook.
const WARNED: &str = "AdmissionWarning";

/// Why a pipeline's status could not be told.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the status cannot be written")]
    Status(#[source] RequestError),
}

/// Writes the status if it differs from what the pipeline has, then the Events. Returns whether it was written, or is yet to be: a
/// pipeline that has changed since it was read is left to the trip that its change begins, or that trip would tell the same
/// Events again.
///
/// # Errors
/// The status could not be written. An Event that could not is logged and forgotten.
pub async fn report(cluster: &Cluster, pipeline: &RagPipeline, status: &RagPipelineStatus) -> Result<bool, ReportError> {
    let before = pipeline.status.clone().unwrap_or_default();
    if before == *status {
        return Ok(false);
    }
    let name = pipeline.name_any();
    let mut object = json!({
        "apiVersion": RagPipeline::api_version(&()),
        "kind": RagPipeline::kind(&()),
        "metadata": {"name": name},
        "status": status,
    });
    if let Some(version) = pipeline.resource_version() {
        object["metadata"]["resourceVersion"] = version.into();
    }
    match cluster.apply_status(&access::PIPELINE_STATUS, &name, &object).await {
        Ok(_) => {}
        Err(error) if error.answer().is_some_and(|(code, _)| code == 409) => return Ok(true),
        // The pipeline was deleted meanwhile.
        Err(error) if error.answer().is_some_and(|(code, _)| code == 404) => return Ok(false),
        Err(error) => return Err(ReportError::Status(error)),
    }
    for notice in transitions(&before.conditions, &status.conditions) {
        event(cluster, pipeline, &notice).await;
    }
    Ok(true)
}

/// One Event to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    pub warning: bool,
    /// In PascalCase, as programs match it.
    pub reason: String,
    /// What the operator was at; the condition's type.
    pub action: String,
    pub note: String,
}

/// Makes an Event about the pipeline. One that cannot be made is logged.
pub async fn event(cluster: &Cluster, pipeline: &RagPipeline, notice: &Notice) {
    let reference = pipeline.object_ref(&());
    let now = Timestamp::now();
    let mut note = notice.note.clone();
    note.truncate(note.floor_char_boundary(NOTE_BYTES));
    let name = format!("{}.{:x}", pipeline.name_any(), now.as_nanosecond());
    let object = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": reference.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        "reportingController": "ragline.dev/operator",
        "reportingInstance": "ragline-operator",
        "type": if notice.warning { "Warning" } else { "Normal" },
        "reason": notice.reason,
        "action": notice.action,
        "note": note,
        "regarding": reference,
    });
    let object: DynamicObject = serde_json::from_value(object).expect("an Event has metadata and a kind");
    if let Err(error) = cluster.create(&access::EVENTS, &object).await {
        warn!("an Event could not be made: {}", chain(&error));
    }
}

/// Passes on what the API server said of objects that it took. What it says of these Events goes no further.
pub async fn pass_on(cluster: &Cluster, pipeline: &RagPipeline) {
    for Warning { kind, name, text } in cluster.take_warnings() {
        let note = format!("{kind} {name}: {text}");
        event(cluster, pipeline, &Notice { warning: true, reason: WARNED.to_owned(), action: "Apply".to_owned(), note }).await;
    }
}

/// What a person would want to know of the change between two sets of conditions.
fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Notice> {
    let mut notices: Vec<Notice> = Vec::new();
    for condition in after {
        let old = before.iter().find(|old| old.type_ == condition.type_);
        let unchanged = old.is_some_and(|old| old.status == condition.status && old.reason == condition.reason);
        let told = notices.iter().any(|notice| notice.reason == condition.reason && notice.note == condition.message);
        if unchanged || told || !worth_telling(condition) {
            continue;
        }
        notices.push(Notice {
            warning: is_warning(condition),
            reason: condition.reason.clone(),
            action: condition.type_.clone(),
            note: condition.message.clone(),
        });
    }
    notices
}

/// Reasons that say no more than "not yet" or "nothing", and the summaries of what another condition tells.
fn worth_telling(condition: &Condition) -> bool {
    let quiet = [
        Reason::NotObserved,
        Reason::NothingToWarnOf,
        Reason::NotPaused,
        Reason::UpToDate,
        Reason::NothingStalled,
        Reason::NoReport,
        Reason::Progressing,
        Reason::WaitingForDatabase,
        Reason::WaitingForSchema,
        Reason::WaitingForSecrets,
        Reason::Resolved,
        Reason::Disabled,
        Reason::WaitingForMend,
    ];
    !quiet.iter().any(|reason| reason.as_str() == condition.reason)
}

fn is_warning(condition: &Condition) -> bool {
    let on_the_way = [
        Reason::CertificatePending,
        Reason::Provisioning,
        Reason::Migrating,
        Reason::Building,
        Reason::BuildPending,
        Reason::SpecPaused,
        Reason::ScaledToZero,
    ];
    let good = ConditionType::ALL.iter().find(|type_| type_.as_str() == condition.type_).is_none_or(|type_| {
        let wanted = if type_.normally_true() { "True" } else { "False" };
        condition.status == wanted
    });
    !good && !on_the_way.iter().any(|reason| reason.as_str() == condition.reason)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn condition(type_: ConditionType, status: &str, reason: Reason, message: &str) -> Condition {
        Condition {
            type_: type_.to_string(),
            status: status.into(),
            reason: reason.to_string(),
            message: message.into(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: Some(1),
        }
    }

    #[test]
    fn a_missing_secret_is_one_warning_although_three_conditions_tell_it() {
        let after = [ConditionType::Ready, ConditionType::SecretsResolved]
            .map(|type_| condition(type_, "False", Reason::SecretNotFound, "make it"));
        let notices = transitions(&[], &after);
        assert_eq!(notices.len(), 1);
        assert!(notices[0].warning);
        assert_eq!(notices[0].note, "make it");
    }

    #[test]
    fn what_did_not_change_is_not_told_again() {
        let before = [condition(ConditionType::DatabaseReady, "True", Reason::SinglePrimary, "ready")];
        let mut after = before.clone();
        after[0].message = "ready, and more".into();
        assert_eq!(transitions(&before, &after), []);
    }

    #[test]
    fn a_certificate_is_warned_of_when_it_is_refused_and_once() {
        let told = |reason, message| {
            [ConditionType::Ready, ConditionType::SecretsResolved].map(|type_| condition(type_, "False", reason, message))
        };
        let warnings = |before: &[Condition], after: &[Condition]| -> Vec<bool> {
            transitions(before, after).iter().map(|notice| notice.warning).collect()
        };
        let waiting = told(Reason::CertificatePending, "is waited for");
        let refused = told(Reason::CertificateNotIssued, "is refused");
        assert_eq!(warnings(&[], &waiting), [false]);
        assert_eq!(warnings(&waiting, &refused), [true]);
        assert!(warnings(&refused, &told(Reason::CertificateNotIssued, "is refused again")).is_empty());
    }

    #[test]
    fn progress_is_normal_and_an_image_that_cannot_be_pulled_is_a_warning() {
        let after = [
            condition(ConditionType::SchemaReady, "False", Reason::Migrating, "runs"),
            condition(ConditionType::CacheReady, "False", Reason::ImagePull, "no such image"),
        ];
        let warnings: Vec<_> = transitions(&[], &after).iter().map(|notice| notice.warning).collect();
        assert_eq!(warnings, [false, true]);
    }
}
