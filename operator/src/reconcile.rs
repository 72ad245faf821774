//! The trip of one pipeline: validate, observe, build, apply, status, report. Reads as the list of its steps; what a step does is
//! in `cluster` where it touches the outside, and in `plan` where it decides.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::batch::v1::Job,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Resource, ResourceExt,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::controller::Action,
};
use ragline_config::INDEX_REPORT_PATH;
use ragline_crds::{RagPipeline, RagPipelineClass, RagPipelineSpec};
use secrecy::ExposeSecret;
use tracing::{Instrument, info, info_span};

pub use crate::context::{Context, Who};
use crate::{
    certificate::{self, CertificateError},
    cluster::{
        Cluster,
        apply::{self, ApplyError, Live},
        index::Target,
        observe::{self, ObserveError},
        report::{self, ReportError},
    },
    draw::{self, DrawError},
    plan::{
        build, class,
        credentials::Credentials,
        encryption,
        gate::{self, Gate},
        names::{self, Component},
        objects::{Desired, Object, Objects, Step},
        observed::{self, Observed},
        pipeline::{Defaults, Pipeline},
        rotation, settled, stage,
        status::{self, Facts, Outcome},
        validate::{self, Problem, Refusal},
    },
    rest::{SecretVersions, Sight},
    telemetry::chain,
};

/// Until the next look at a pipeline that changes nothing: what is not watched, such as Secrets, is noticed by then.
const REST: Duration = Duration::from_secs(120);
/// Until the next look at a pipeline whose parts come up: what keeps a pod from starting shows in no object that is watched.
const PROGRESS: Duration = Duration::from_secs(5);

/// Longer than anything that is put off in a status.
const LATER: SignedDuration = SignedDuration::from_hours(1);

/// Why a trip ended early. The pipeline is tried again, later each time.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("observing failed")]
    Observe(#[from] ObserveError),
    #[error("applying failed")]
    Apply(#[from] ApplyError),
    #[error("reporting failed")]
    Report(#[from] ReportError),
    #[error("drawing passwords failed")]
    Draw(#[from] DrawError),
    #[error("making certificates failed")]
    Certificate(#[from] CertificateError),
}

/// How a trip ended that did not fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Ready,
    Waiting,
    /// For a Secret of the user's.
    WaitingForSecret,
    Paused,
    Refused,
}

impl Ended {
    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting | Self::WaitingForSecret => "waiting",
            Self::Paused => "paused",
            Self::Refused => "refused",
        }
    }
}

/// One trip, counted and logged.
///
/// # Errors
/// The cluster could not be read or written.
pub async fn reconcile(guarded: Arc<DeserializeGuard<RagPipeline>>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let meta = guarded.meta();
    let name = meta.name.clone().unwrap_or_default();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let who = Who::new(&name).within(&namespace);
    if meta.deletion_timestamp.is_some() {
        context.forget(&who);
        return Ok(Action::await_change());
    }
    let span = info_span!("reconcile", pipeline.namespace = namespace, pipeline.name = name);
    let counted = context.metrics.reconcile_begun();
    let trip = async {
        match guarded.as_ref() {
            DeserializeGuard(Ok(pipeline)) => Box::pin(trip(&context, &who, pipeline)).await,
            DeserializeGuard(Err(invalid)) => unreadable(&context, &who, invalid).await,
        }
    };
    let ended = trip.instrument(span).await;
    counted.ended(ended.as_ref().map_or("failed", |ended| ended.word()));
    let ended = ended?;
    context.succeeded(&who);
    if ended != Ended::WaitingForSecret {
        context.waits.succeeded(&who);
    }
    Ok(match ended {
        Ended::Ready | Ended::Paused => Action::requeue(REST),
        Ended::Waiting => Action::requeue(PROGRESS),
        Ended::WaitingForSecret => Action::requeue(context.waits.failed(who)),
        Ended::Refused => Action::await_change(),
    })
}

async fn trip(context: &Context, who: &Who, pipeline: &RagPipeline) -> Result<Ended, ReconcileError> {
    let cluster = context.cluster(pipeline);
    let classes = match &context.classes {
        Some(watched) => Some(observe::classes(&cluster, watched).await?),
        None => None,
    };
    let since = context.rest.mark(who);
    let checked = match checked(pipeline, classes.as_deref(), &context.defaults) {
        Ok(checked) => checked,
        Err(refusal) => {
            tell(context, &cluster, pipeline, Outcome::Refused(&refusal)).await?;
            return Ok(Ended::Refused);
        }
    };
    let sight = Sight::of(pipeline, classes.as_deref(), context.readings.latest(who).as_ref());
    if context.rest.is_untouched(who) {
        let secrets = observe::secret_versions(&cluster, &checked).await?;
        if context.rest.is_same(who, &sight, &secrets) {
            return Ok(Ended::Ready);
        }
    }
    let worked = Box::pin(work(context, who, &cluster, pipeline, &checked)).await;
    report::pass_on(&cluster, pipeline).await;
    if let Err(ReconcileError::Apply(error)) = &worked
        && !error.passes(&checked.name)
    {
        let message = format!("{}. It is tried again with growing pauses.", chain(error));
        tell(context, &cluster, pipeline, Outcome::Failed(&message)).await?;
    }
    let Worked { observed: seen, written, secrets } = worked?;
    let told = tell(context, &cluster, pipeline, Outcome::Seen(&checked, &seen)).await?;
    Ok(if is_paused(pipeline) {
        Ended::Paused
    } else if observed::secret_problem(&checked, &seen).is_some() || !seen.unissued.is_empty() {
        Ended::WaitingForSecret
    } else if settled::at_rest(&checked, &seen) {
        if written == 0 && told == Told::ForGood && settled::is_watched(&checked, &seen) {
            context.rest.remember(who, since, &sight, &secrets);
        }
        Ended::Ready
    } else {
        Ended::Waiting
    })
}

/// The pipeline with its class's defaults and its own gaps filled, within the bounds of the class.
fn checked(pipeline: &RagPipeline, classes: Option<&[RagPipelineClass]>, defaults: &Defaults) -> Result<Pipeline, Refusal> {
    let Some(classes) = classes else {
        if pipeline.spec.class_name.is_some() {
            let message = "this operator watches single namespaces and may not read classes; leave it out".to_owned();
            return Err(Refusal { problems: vec![Problem { field: "spec.className".to_owned(), message }] });
        }
        return validate::validate(pipeline, defaults);
    };
    let Some(class) = class::of(&pipeline.spec, classes)? else { return validate::validate(pipeline, defaults) };
    let checked = validate::validate(&class::filled(pipeline, class)?, defaults)?;
    class::check(&checked, class)?;
    Ok(checked)
}

/// What a trip did and saw.
struct Worked {
    observed: Observed,
    /// Objects that were written or deleted.
    written: usize,
    secrets: SecretVersions,
}

/// Observe, build and apply; gives what was seen in the end.
async fn work(
    context: &Context,
    who: &Who,
    cluster: &Cluster,
    pipeline: &RagPipeline,
    checked: &Pipeline,
) -> Result<Worked, ReconcileError> {
    let optional = observe::optional_kinds(cluster, &context.optional, context.classes.is_some(), checked).await?;
    let children = observe::children(cluster, checked, &optional);
    let (live, observed) = futures::join!(children, observe::surroundings(cluster, checked));
    let (mut live, mut observed) = (live?, observed?);
    let secrets = observe::versions_read(&live, &observed, checked);
    let existing = observe::generated_secrets(&live)?;
    observe::workloads(&mut observed, &live, &checked.name)?;
    let mut credentials = Credentials::keep(&checked.name, &existing, draw::credentials()?);
    credentials.certificates = certificate::keep(checked, &existing, Timestamp::now())?;
    observed.unissued = credentials.certificates.unissued(checked);
    credentials.application = rotation::advance(checked, credentials.application, &observed.role_jobs, draw::password()?);
    let objects = build::build(checked, &credentials);
    let schema_job = objects.schema_job().map(ResourceExt::name_any).unwrap_or_default();
    observed.schema_job = observe::job(&live, &schema_job)?;
    follow(context, who, checked, &credentials, &mut observed);
    observed.not_encrypted = match checked.own_postgres() {
        Some(postgres) if postgres.encryption_required => {
            encryption::objection(postgres, observe::storage_classes(cluster).await?.as_deref())
        }
        Some(_) | None => None,
    };
    let mut written = 0;
    if !is_paused(pipeline) && observed.not_encrypted.is_none() {
        let retiring = rotation::retiring_job(checked, &credentials.application, &objects, &observed);
        let applied = apply_all(cluster, checked, &observed, Wanted { objects: &objects, retiring }, &mut live).await?;
        (observed.missing_kinds, written) = (applied.missing_kinds, applied.written);
        observe::workloads(&mut observed, &live, &checked.name)?;
        observed.schema_job = observe::job(&live, &schema_job)?;
    }
    observed.rotation = rotation::stage(checked, &credentials.application, &observed.role_jobs);
    Ok(Worked { observed, written, secrets })
}

/// What a trip applies.
struct Wanted<'a> {
    objects: &'a Objects<Desired>,
    /// Comes last: locks out a role that nothing uses any more.
    retiring: Option<Job>,
}

/// Applies what may be applied now, deletes what is no longer wanted, and lets an index Job in. What was deleted counts as written.
async fn apply_all(
    cluster: &Cluster,
    checked: &Pipeline,
    observed: &Observed,
    wanted: Wanted<'_>,
    live: &mut Live,
) -> Result<apply::Outcome, ReconcileError> {
    let Wanted { objects, retiring } = wanted;
    let step = stage::step(checked, observed);
    let apply::Outcome { mut written, missing_kinds } = apply::apply(cluster, &checked.uid, &objects.up_to(step), live).await?;
    match gate::gate(checked, observed, Timestamp::now()) {
        Gate::Shut => {}
        Gate::Open(job) => written += apply::apply(cluster, &checked.uid, &[&Object::Job(job)], live).await?.written,
        Gate::Clear(name) => apply::clear_job(cluster, &name).await?,
    }
    let mut spared: Vec<_> = retiring.iter().map(|job| ("Job", job.name_any())).collect();
    if let Some(job) = retiring.filter(|_| step == Step::Serve) {
        written += apply::apply(cluster, &checked.uid, &[&Object::from(job)], live).await?.written;
    }
    // The newest index Job stays, to be read.
    let newest = observe::index_jobs(live).max_by_key(|(_, job)| job.metadata.creation_timestamp.as_ref().map(|time| time.0));
    spared.extend(newest.map(|(key, _)| key.clone()));
    let pruned = apply::prune(cluster, &checked.uid, objects, &spared, live).await?;
    if written + pruned > 0 {
        info!("wrote {written} objects of {} and deleted {pruned}", checked.name);
    }
    // Last, since many storage classes refuse it, which must hold nothing else up.
    if let Some(postgres) = checked.managed_postgres() {
        let replicas = (0..postgres.replicas).map(|number| names::replica_claim(&checked.name, number));
        for claim in std::iter::once(names::postgres_claim(&checked.name)).chain(replicas) {
            written += usize::from(apply::grow(cluster, &observed.claims, &claim, &postgres.storage_size).await?);
        }
    }
    Ok(apply::Outcome { written: written + pruned, missing_kinds })
}

/// Has the gateway's index watched while a gateway answers, and takes over what is known of it.
fn follow(context: &Context, who: &Who, checked: &Pipeline, credentials: &Credentials, observed: &mut Observed) {
    let status = observed.gateway.as_ref().and_then(|deployment| deployment.status.as_ref());
    if status.and_then(|status| status.available_replicas).unwrap_or(0) > 0 {
        let url = format!("{}{INDEX_REPORT_PATH}", build::gateway::endpoint(checked));
        let api_key = credentials.api_key.expose_secret().to_owned();
        let authority = credentials.certificates.authority_of(Component::Gateway).map(str::to_owned);
        context.readings.follow(who.clone(), Target { url, api_key, authority });
    }
    observed.index = context.readings.latest(who);
}

fn is_paused(pipeline: &RagPipeline) -> bool {
    pipeline.spec.paused.unwrap_or(false)
}

/// What became of a status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// It was written, or time alone would have it written later.
    News,
    /// It is what the pipeline has, and stays so while nothing else changes.
    ForGood,
}

/// Status and report.
async fn tell(context: &Context, cluster: &Cluster, pipeline: &RagPipeline, outcome: Outcome<'_>) -> Result<Told, ReportError> {
    let facts = Facts {
        generation: pipeline.metadata.generation.unwrap_or_default(),
        paused: is_paused(pipeline),
        operator_version: env!("CARGO_PKG_VERSION"),
        now: Timestamp::now(),
    };
    let before = pipeline.status.clone().unwrap_or_default();
    let status = status::status(&facts, outcome, &before);
    context.metrics.pipeline_conditions.tell(&pipeline.namespace().unwrap_or_default(), &pipeline.name_any(), &status.conditions);
    if report::report(cluster, pipeline, &status).await? {
        return Ok(Told::News);
    }
    let later = Facts { now: facts.now + LATER, ..facts };
    Ok(if status::status(&later, outcome, &before) == before { Told::ForGood } else { Told::News })
}

/// An object that the types do not understand, as an older operator may meet one. It is told once for each generation: its own
/// status cannot be read, so nothing could be compared.
async fn unreadable(context: &Context, who: &Who, invalid: &InvalidObject) -> Result<Ended, ReconcileError> {
    let generation = invalid.metadata.generation.unwrap_or_default();
    if context.first_sight(who, generation) {
        let mut pipeline = RagPipeline::new(&who.name, RagPipelineSpec::default());
        pipeline.metadata = invalid.metadata.clone();
        // What its status was is not known, so nothing was compared that could be old.
        pipeline.metadata.resource_version = None;
        let message = format!("is not understood by operator {}: {}", env!("CARGO_PKG_VERSION"), invalid.error);
        let refusal = Refusal { problems: vec![Problem { field: "spec".to_owned(), message }] };
        tell(context, &context.cluster(&pipeline), &pipeline, Outcome::Refused(&refusal)).await?;
    }
    Ok(Ended::Refused)
}

#[cfg(test)]
mod tests;
