//! Whether workers run. Without them the pipeline answers all the same, so no condition depends on it.

use ragline_crds::status::Component as ComponentStatus;

use super::{Facts, pods};
use crate::plan::{
    names::{self, Component},
    observed::Observed,
    pipeline::Pipeline,
};

/// How the workers are, `None` where there are none to be.
pub(super) fn worker(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Option<ComponentStatus> {
    let workers = pipeline.workers.as_ref()?;
    let wanted = if pipeline.stopped { 0 } else { workers.replicas };
    let name = names::worker(&pipeline.name);
    let status = observed.worker.as_ref().and_then(|deployment| deployment.status.as_ref());
    let available = status.and_then(|status| status.available_replicas).unwrap_or(0);
    let enough = wanted > 0 && i64::from(available) >= i64::from(wanted);
    let message = || {
        if wanted == 0 {
            let field = if pipeline.stopped { "spec.stopped is true" } else { "spec.ingest.workers.replicas is 0" };
            return format!("{field}, so uploaded files wait.");
        }
        let trouble = pods::trouble(observed.pods_of(Component::Worker), "spec.ingest.workers.resources", facts.now);
        let refused = || pods::refused(&observed.events, &format!("Deployment {name}"), &name);
        let why = trouble.or_else(refused).map(|trouble| trouble.message);
        let count = format!("{available} of {wanted} workers of Deployment {name} run.");
        why.map_or_else(|| count.clone(), |why| format!("{count} {why}"))
    };
    Some(ComponentStatus { ready: available > 0, image: Some(pipeline.gateway.image.clone()), message: (!enough).then(message) })
}
