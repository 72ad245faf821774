//! What works, but is probably not what was meant.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use ragline_crds::{ROTATE_PASSWORD_ANNOTATION, Reason};

use super::{
    certificates, index,
    judgement::{Judgement, Truth, quoted},
    schema,
};
use crate::plan::{names, observed::Observed, pipeline::Pipeline, rotation::Rotation};

pub(super) fn warning(pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let certificates = || certificates::unrenewed(observed).filter(|_| observed.unissued.is_empty());
    if let Some(judgement) = rotation(pipeline, observed).or_else(certificates) {
        return judgement;
    }
    if pipeline.gateway.route.is_some() && observed.missing_kinds.contains("HTTPRoute") {
        let message = "spec.gateway.route is set, and the cluster has no Gateway API (gateway.networking.k8s.io/v1). Install its \
                       resources, or use spec.gateway.ingress; the route is made within two minutes of their coming.";
        return Judgement::new(Truth::True, Reason::GatewayApiMissing, message);
    }
    if let Some(why) = observed.autoscaler.as_ref().and_then(blind) {
        let name = names::gateway(&pipeline.name);
        let message = format!(
            "HorizontalPodAutoscaler {name} cannot read what it scales by: {why} Install the metrics server, or the adapter that serves the metric."
        );
        return Judgement::new(Truth::True, Reason::NoMetricsServer, &message);
    }
    index::warning(pipeline, observed)
}

/// What is wrong with the rotation that the annotation asks for.
fn rotation(pipeline: &Pipeline, observed: &Observed) -> Option<Judgement> {
    if pipeline.rotation.is_some() && pipeline.managed_postgres().is_none() {
        let message = format!(
            "The annotation {ROTATE_PASSWORD_ANNOTATION} changes the password of a managed PostgreSQL alone. Remove it, and change the \
             password where the role is made."
        );
        return Some(Judgement::new(Truth::True, Reason::RotationNotManaged, &message));
    }
    let Rotation::Failed(job) = &observed.rotation else { return None };
    let (words, namespace) = (schema::words(observed, job).unwrap_or_else(|| "none".to_owned()), &pipeline.namespace);
    let message = format!(
        "The change of the application's password has not come to its end: Job {job} failed. Its last words: {words}. Mend the cause, then delete the Job \
         to have it run again: kubectl -n {namespace} delete job {job}"
    );
    Some(Judgement::new(Truth::True, Reason::RotationFailed, &message))
}

/// Why the autoscaler cannot scale, if it cannot.
fn blind(autoscaler: &HorizontalPodAutoscaler) -> Option<String> {
    let conditions = autoscaler.status.as_ref()?.conditions.as_ref()?;
    let inactive = conditions.iter().find(|condition| condition.type_ == "ScalingActive" && condition.status == "False")?;
    let reason = inactive.reason.as_deref().unwrap_or_default();
    // A Deployment at zero is not scaled either, and nothing is wrong with that.
    reason.starts_with("FailedGet").then(|| quoted(inactive.message.as_deref().unwrap_or_default()))
}
