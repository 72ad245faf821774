//! Says what is to be said of a pipeline, after every outcome. A transition time moves only with its status, and a count only
//! when it has moved enough, so a pipeline at rest is written nothing.

mod certificates;
mod conditions;
mod gateway;
mod index;
mod judgement;
mod parts;
mod pods;
mod schema;
#[cfg(test)]
mod tests;
mod warning;
mod worker;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use ragline_crds::{
    ConditionType, RagPipelineStatus, Reason,
    status::{Component as ComponentStatus, Components, Phase},
};

use super::{
    build,
    observed::Observed,
    pipeline::{Cache, Pipeline},
    validate::Refusal,
};
use judgement::{Judged, Judgement, Truth};

/// How a trip ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The spec contradicts itself.
    Refused(&'a Refusal),
    /// The API server refused something. The text names the object and the reason.
    Failed(&'a str),
    /// What may be applied now is applied (or left alone, where the spec says `paused`), and this was seen.
    Seen(&'a Pipeline, &'a Observed),
}

/// What the status needs beside the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `metadata.generation` of the spec that the trip worked on.
    pub generation: i64,
    /// Whether the spec says `paused`.
    pub paused: bool,
    pub operator_version: &'a str,
    pub now: Timestamp,
}

/// The status after an outcome.
pub fn status(facts: &Facts<'_>, outcome: Outcome<'_>, previous: &RagPipelineStatus) -> RagPipelineStatus {
    let judged = match outcome {
        Outcome::Refused(refusal) => stopped(Reason::SpecInvalid, &format!("The spec is refused: {refusal}. Correct it.")),
        Outcome::Failed(message) => stopped(Reason::ApplyFailed, message),
        Outcome::Seen(pipeline, observed) => seen(facts, pipeline, observed),
    };
    let judged = conditions::summed_up(facts, judged, previous);
    let mut next = RagPipelineStatus {
        observed_generation: Some(facts.generation),
        phase: Some(phase(facts, &judged, previous)),
        conditions: conditions::merged(facts, &judged, &previous.conditions),
        operator_version: Some(facts.operator_version.to_owned()),
        ..previous.clone()
    };
    if let Outcome::Seen(pipeline, observed) = outcome {
        describe(&mut next, facts, pipeline, observed, &judged);
    }
    next
}

/// Judgements where nothing could be looked at: what was said before stays, and the cause goes to the summaries.
fn stopped(reason: Reason, message: &str) -> Vec<Judged> {
    vec![(ConditionType::Stalled, Judgement::new(Truth::True, reason, message).stalled())]
}

fn seen(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Vec<Judged> {
    vec![
        (ConditionType::SecretsResolved, parts::secrets(pipeline, observed)),
        (ConditionType::DatabaseReady, parts::database(facts, pipeline, observed)),
        (ConditionType::SchemaReady, schema::schema(facts, pipeline, observed)),
        (ConditionType::GatewayAvailable, gateway::gateway(facts, pipeline, observed)),
        (ConditionType::CacheReady, parts::cache(facts, pipeline, observed)),
        (ConditionType::IndexReady, index::condition(facts, pipeline, observed)),
        (ConditionType::ConfigurationWarning, warning::warning(pipeline, observed)),
        (ConditionType::Reconciling, conditions::reconciling(pipeline, observed)),
    ]
}

/// Everything beside the conditions.
fn describe(next: &mut RagPipelineStatus, facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed, judged: &[Judged]) {
    let gateway = observed.gateway.as_ref().and_then(|deployment| deployment.status.as_ref());
    next.endpoint = Some(build::gateway::endpoint(pipeline));
    next.selector = Some(build::gateway::selector(pipeline));
    next.replicas = Some(gateway.and_then(|status| status.replicas).unwrap_or(0));
    next.ready_replicas = Some(gateway.and_then(|status| status.ready_replicas).unwrap_or(0));
    next.components = Some(Components {
        postgres: Some(component(
            pipeline.own_postgres().map(|postgres| postgres.image.as_str()),
            judged,
            ConditionType::DatabaseReady,
        )),
        cache: match &pipeline.cache {
            Cache::Managed(managed) => Some(component(Some(&managed.image), judged, ConditionType::CacheReady)),
            Cache::External => Some(component(None, judged, ConditionType::CacheReady)),
            Cache::Disabled => None,
        },
        gateway: Some(component(Some(&pipeline.gateway.image), judged, ConditionType::GatewayAvailable)),
        worker: worker::worker(facts, pipeline, observed),
    });
    let vectors = index::vectors(facts, observed, next);
    let counted = vectors != next.vectors;
    next.vectors = vectors;
    next.index = Some(index::status(pipeline, observed, next.index.as_ref(), counted));
}

fn component(image: Option<&str>, judged: &[Judged], condition: ConditionType) -> ComponentStatus {
    let judgement = judged.iter().find(|(type_, _)| *type_ == condition).map(|(_, judgement)| judgement);
    let ready = judgement.is_some_and(|judgement| judgement.truth == Truth::True);
    let message = judgement.filter(|_| !ready).map(|judgement| judgement.message.clone());
    ComponentStatus { ready, image: image.map(str::to_owned), message }
}

fn phase(facts: &Facts<'_>, judged: &[Judged], previous: &RagPipelineStatus) -> Phase {
    let is_true = |wanted: ConditionType| judged.iter().any(|(type_, j)| *type_ == wanted && j.truth == Truth::True);
    if facts.paused {
        return Phase::Paused;
    }
    if judged.iter().any(|(type_, j)| *type_ == ConditionType::GatewayAvailable && j.reason == Reason::Stopped) {
        return Phase::Stopped;
    }
    if is_true(ConditionType::Ready) {
        return Phase::Ready;
    }
    if is_true(ConditionType::Stalled) {
        return Phase::Stalled;
    }
    let served_before = match previous.phase {
        Some(Phase::Ready | Phase::Degraded) => true,
        Some(Phase::Pending | Phase::Progressing | Phase::Stalled | Phase::Paused | Phase::Stopped) | None => false,
    };
    if served_before { Phase::Degraded } else { Phase::Progressing }
}

/// The condition of a type.
pub(crate) fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}
