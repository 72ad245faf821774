//! What works, but is probably not what was meant.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use ragline_crds::Reason;

use super::{
    index,
    judgement::{Judgement, Truth, shortened},
};
use crate::plan::{names, observed::Observed, pipeline::Pipeline};

/// Longest quotation of the autoscaler's complaint.
const WORDS_BYTES: usize = 400;

pub(super) fn warning(pipeline: &Pipeline, observed: &Observed) -> Judgement {
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

/// Why the autoscaler cannot scale, if it cannot.
fn blind(autoscaler: &HorizontalPodAutoscaler) -> Option<String> {
    let conditions = autoscaler.status.as_ref()?.conditions.as_ref()?;
    let inactive = conditions.iter().find(|condition| condition.type_ == "ScalingActive" && condition.status == "False")?;
    let reason = inactive.reason.as_deref().unwrap_or_default();
    // A Deployment at zero is not scaled either, and nothing is wrong with that.
    reason.starts_with("FailedGet").then(|| shortened(inactive.message.as_deref().unwrap_or_default(), WORDS_BYTES))
}
