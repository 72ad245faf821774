//! Whether gateways answer.

use k8s_openapi::api::apps::v1::Deployment;
use ragline_crds::Reason;

use super::{
    Facts,
    judgement::{Judgement, Truth},
    parts, pods,
};
use crate::plan::{
    names::{self, Component},
    observed::{self, Observed},
    pipeline::{Pipeline, Scale},
};

pub(super) fn gateway(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let name = names::gateway(&pipeline.name);
    if pipeline.stopped {
        let message = "spec.stopped is true, so nothing answers. Set it to false to be answered; the data is kept.";
        return Judgement::new(Truth::False, Reason::Stopped, message);
    }
    if pipeline.gateway.scale == Scale::Fixed(0) {
        let message = "spec.gateway.replicas is 0, so nothing answers. Raise it to be answered; the data is kept.";
        return Judgement::new(Truth::False, Reason::ScaledToZero, message);
    }
    let Some(deployment) = &observed.gateway else { return waiting(pipeline, observed) };
    let status = deployment.status.as_ref();
    let scaled_to = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let wanted = match pipeline.gateway.scale {
        Scale::Fixed(replicas) => replicas,
        Scale::Automatic(_) => scaled_to.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or_default(),
    };
    let available = status.and_then(|status| status.available_replicas).unwrap_or(0);
    let trouble = pods::trouble(observed.pods_of(Component::Gateway), "spec.gateway.resources", facts.now);
    if available > 0 {
        let mut judgement = answers(&name, available, wanted);
        // A new version that does not come up needs a person, though the old one still answers.
        let news = trouble.filter(|trouble| trouble.stalled);
        if let Some(trouble) = news {
            judgement =
                Judgement::new(Truth::True, trouble.reason, &format!("{} {}", judgement.message, trouble.message)).stalled();
        } else if let Some(why) = late(deployment) {
            let message = format!("{} The roll-out of Deployment {name} takes too long: {why}", judgement.message);
            judgement = Judgement::new(Truth::True, Reason::ProgressDeadlineExceeded, &message).stalled();
        }
        return judgement;
    }
    if let Some(trouble) = trouble {
        return parts::troubled(trouble);
    }
    if let Some(refusal) = pods::refused(&observed.events, &format!("Deployment {name}"), &name) {
        return parts::troubled(refusal);
    }
    if let Some(why) = late(deployment) {
        let message = format!("The roll-out of Deployment {name} takes too long: {why} See kubectl describe deployment {name}.");
        return Judgement::new(Truth::False, Reason::ProgressDeadlineExceeded, &message).stalled();
    }
    Judgement::new(Truth::False, Reason::Provisioning, &format!("Deployment {name} is starting."))
}

fn answers(name: &str, available: i32, wanted: u32) -> Judgement {
    let message = format!("{available} of {wanted} gateways of Deployment {name} answer.");
    Judgement::new(Truth::True, Reason::MinimumReplicasAvailable, &message)
}

/// What the gateways wait for before they are made at all.
fn waiting(pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let (reason, message) = if !observed.unissued.is_empty() {
        (Reason::WaitingForSecrets, "The gateways wait for a certificate of cert-manager's.")
    } else if observed::secret_problem(pipeline, observed).is_some() {
        (Reason::WaitingForSecrets, "The gateways wait for a Secret that the spec names.")
    } else if observed.schema_applied() {
        (Reason::Provisioning, "The gateways are about to start.")
    } else if observed.database_ready(pipeline) {
        (Reason::WaitingForSchema, "The gateways wait for the schema.")
    } else {
        (Reason::WaitingForDatabase, "The gateways wait for the database.")
    };
    Judgement::new(Truth::False, reason, message)
}

/// Why Kubernetes gave a roll-out up, if it did.
fn late(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let late = conditions.iter().find(|c| c.type_ == "Progressing" && c.reason.as_deref() == Some("ProgressDeadlineExceeded"))?;
    Some(late.message.clone().unwrap_or_default())
}
