//! The summaries, and what becomes of all judgements in the list of conditions.

use k8s_openapi::{
    api::apps::v1::Deployment,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use ragline_crds::{ConditionType, RagPipelineStatus, Reason};

use super::{
    Facts, find,
    judgement::{Judged, Judgement, Truth},
};
use crate::plan::{objects::Step, observed::Observed, pipeline::Pipeline, stage};

/// Completes the judgements: what was not looked at is said as before, and the summaries are drawn.
pub(super) fn summed_up(facts: &Facts<'_>, looked_at: Vec<Judged>, previous: &RagPipelineStatus) -> Vec<Judged> {
    let given =
        |wanted: ConditionType| looked_at.iter().find(|(type_, _)| *type_ == wanted).map(|(_, judgement)| judgement.clone());
    let stalled = given(ConditionType::Stalled).or_else(|| {
        let cause = looked_at.iter().map(|(_, judgement)| judgement).find(|judgement| judgement.stalled)?;
        Some(Judgement::new(Truth::True, cause.reason, &cause.message).stalled())
    });
    let stopped = given(ConditionType::Stalled).is_some();
    let parts: Vec<Judged> = ConditionType::ALL
        .into_iter()
        .filter(|type_| !is_summary(*type_))
        .map(|type_| (type_, given(type_).unwrap_or_else(|| as_before(type_, previous))))
        .collect();
    let ready = match &stalled {
        Some(cause) if stopped => Judgement::new(Truth::False, cause.reason, &cause.message),
        _ => ready(&parts),
    };
    let reconciling = match (&stalled, facts.paused) {
        (_, true) => Judgement::new(Truth::False, Reason::SpecPaused, "Paused by the spec."),
        (Some(_), false) => Judgement::new(
            Truth::False,
            Reason::WaitingForMend,
            "Nothing goes on until what the condition Stalled names is mended.",
        ),
        (None, false) => given(ConditionType::Reconciling)
            .unwrap_or_else(|| Judgement::new(Truth::True, Reason::Progressing, "The parts come up.")),
    };
    let stalled = stalled.unwrap_or_else(|| Judgement::new(Truth::False, Reason::NothingStalled, "Nothing waits for a person."));
    let paused = if facts.paused {
        Judgement::new(Truth::True, Reason::SpecPaused, "Nothing is changed while spec.paused is true. Set it to false to go on.")
    } else {
        Judgement::new(Truth::False, Reason::NotPaused, "Not paused.")
    };
    let mut all = vec![(ConditionType::Ready, ready)];
    all.extend(parts);
    all.push((ConditionType::Reconciling, reconciling));
    all.push((ConditionType::Stalled, stalled));
    all.push((ConditionType::Paused, paused));
    all.sort_by_key(|(type_, _)| ConditionType::ALL.iter().position(|one| one == type_));
    all
}

fn is_summary(type_: ConditionType) -> bool {
    match type_ {
        ConditionType::Ready | ConditionType::Reconciling | ConditionType::Stalled | ConditionType::Paused => true,
        ConditionType::SecretsResolved
        | ConditionType::DatabaseReady
        | ConditionType::SchemaReady
        | ConditionType::GatewayAvailable
        | ConditionType::CacheReady
        | ConditionType::IndexReady
        | ConditionType::ConfigurationWarning => false,
    }
}

/// False over Unknown over True; the first of the winning kind gives reason and message.
fn ready(parts: &[Judged]) -> Judgement {
    let summed: Vec<_> = parts.iter().filter(|(type_, _)| ConditionType::SUMMED_UP.contains(type_)).collect();
    for wanted in [Truth::False, Truth::Unknown] {
        if let Some((_, cause)) = summed.iter().find(|(_, judgement)| judgement.truth == wanted) {
            return Judgement::new(wanted, cause.reason, &cause.message);
        }
    }
    Judgement::new(Truth::True, Reason::AllComponentsReady, "The pipeline answers.")
}

/// What was said before, or that nothing is known.
fn as_before(type_: ConditionType, previous: &RagPipelineStatus) -> Judgement {
    let before = find(&previous.conditions, type_).and_then(|condition| {
        let reason = Reason::ALL.iter().find(|reason| reason.as_str() == condition.reason)?;
        Some(Judgement::new(Truth::of(&condition.status), *reason, &condition.message))
    });
    before.unwrap_or_else(|| {
        let (truth, reason) = match type_ {
            ConditionType::ConfigurationWarning => (Truth::False, Reason::NothingToWarnOf),
            _ => (Truth::Unknown, Reason::NotObserved),
        };
        Judgement::new(truth, reason, "Not looked at yet.")
    })
}

/// Whether the cluster is on its way to the spec.
pub(super) fn reconciling(pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let step = stage::step(pipeline, observed);
    let rolling = |deployment: &Deployment| {
        let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return true };
        let wanted = spec.replicas.unwrap_or(1);
        status.observed_generation != deployment.metadata.generation
            || status.updated_replicas.unwrap_or(0) != wanted
            || status.replicas.unwrap_or(0) != wanted
            || status.available_replicas.unwrap_or(0) != wanted
    };
    let set_rolls = pipeline.managed_postgres().is_some()
        && observed.postgres.as_ref().is_none_or(|set| {
            let Some(status) = &set.status else { return true };
            status.observed_generation != set.metadata.generation
                || status.update_revision != status.current_revision
                || status.ready_replicas.unwrap_or(0) < 1
        });
    let replicas_roll = pipeline.replicated_postgres().is_some_and(|postgres| {
        observed.replicas.as_ref().is_none_or(|set| {
            let Some(status) = &set.status else { return true };
            status.observed_generation != set.metadata.generation
                || status.update_revision != status.current_revision
                || observed.replicas_ready() < postgres.replicas
        })
    });
    let cache_rolls = pipeline.managed_cache().is_some() && observed.cache.as_ref().is_none_or(rolling);
    let gateway_rolls = observed.gateway.as_ref().is_none_or(rolling);
    let what = match step {
        Step::Issue => "Certificates are waited for.",
        Step::Data if pipeline.own_postgres().is_none() => "The database is waited for.",
        Step::Data => "PostgreSQL is coming up.",
        Step::Schema => "The schema is being brought up to date.",
        Step::Serve if set_rolls => "PostgreSQL is being rolled out.",
        Step::Serve if replicas_roll => "The read replicas are being rolled out.",
        Step::Serve if cache_rolls => "Valkey is being rolled out.",
        Step::Serve if gateway_rolls => "The gateways are being rolled out.",
        Step::Serve if observed.rotation.is_under_way() => "The password of the application is being changed.",
        Step::Serve => return Judgement::new(Truth::False, Reason::UpToDate, "The cluster is what the spec says."),
    };
    Judgement::new(Truth::True, Reason::Progressing, what)
}

/// The conditions, with transition times that move only with the status.
pub(super) fn merged(facts: &Facts<'_>, judged: &[Judged], previous: &[Condition]) -> Vec<Condition> {
    let condition = |(type_, judgement): &Judged| {
        let before = find(previous, *type_);
        let unmoved = before.filter(|before| before.status == judgement.truth.as_str());
        Condition {
            type_: type_.as_str().to_owned(),
            status: judgement.truth.as_str().to_owned(),
            reason: judgement.reason.as_str().to_owned(),
            message: judgement.message.clone(),
            observed_generation: Some(facts.generation),
            last_transition_time: unmoved.map_or_else(|| whole_seconds(facts), |before| before.last_transition_time.clone()),
        }
    };
    judged.iter().map(condition).collect()
}

/// The API server keeps whole seconds; more would differ from what it gives back.
pub(super) fn whole_seconds(facts: &Facts<'_>) -> Time {
    let seconds = facts.now.as_second();
    Time(k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap_or(facts.now))
}
