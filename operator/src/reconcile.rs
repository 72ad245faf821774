//! The trip of one pipeline: observe, validate, build, apply, status, report. Reads as the list of its steps; what a step does is
//! in `cluster` where it touches the outside, and in `plan` where it decides.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::{apps::v1::StatefulSet, batch::v1::Job, core::v1::PersistentVolumeClaim};
use kube::{
    Client, ResourceExt,
    core::DeserializeGuard,
    runtime::{controller::Action, reflector::ObjectRef},
};
use ragline_crds::RagPipeline;
use tracing::{Instrument, info_span};

use crate::{
    backoff::Backoff,
    cluster::{
        Cluster, access,
        apply::{self, ApplyError},
        observe::{self, ObserveError},
        report::ReportError,
    },
    controller::Guarded,
    draw::{self, DrawError},
    metrics::Metrics,
    plan::{build, credentials::Credentials, names, objects::Step, pipeline::Defaults, validate},
};

/// What all trips share.
#[derive(Debug)]
pub struct Context {
    pub metrics: Metrics,
    pub backoff: Backoff<ObjectRef<Guarded>>,
    pub defaults: Defaults,
    client: Shared,
}

struct Shared(Client);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Context {
    pub fn new(client: Client, metrics: Metrics, defaults: Defaults) -> Self {
        Self { metrics, backoff: Backoff::default(), defaults, client: Shared(client) }
    }
}

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
}

/// One trip.
///
/// # Errors
/// The cluster could not be read or written.
pub async fn reconcile(guarded: Arc<Guarded>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let key = ObjectRef::from_obj(guarded.as_ref());
    let DeserializeGuard(Ok(pipeline)) = guarded.as_ref() else { return Ok(Action::await_change()) };
    let span = info_span!("reconcile", pipeline.namespace = pipeline.namespace(), pipeline.name = pipeline.name_any());
    let action = trip(pipeline, &context).instrument(span).await?;
    context.backoff.succeeded(&key);
    Ok(action)
}

async fn trip(pipeline: &RagPipeline, context: &Context) -> Result<Action, ReconcileError> {
    let cluster = Cluster::new(context.client.0.clone(), context.metrics.clone(), &pipeline.namespace().unwrap_or_default());
    let name = pipeline.name_any();
    let mut live = observe::children(&cluster, &name).await?;
    let Ok(checked) = validate::validate(pipeline, &context.defaults) else { return Ok(Action::await_change()) };
    let secrets =
        observe::typed(&live, "Secret")?.into_iter().map(|s: k8s_openapi::api::core::v1::Secret| (s.name_any(), s)).collect();
    let credentials = Credentials::keep(&name, &secrets, draw::credentials()?);
    let objects = build::build(&checked, &credentials);
    let ready = observe::typed::<StatefulSet>(&live, "StatefulSet")?
        .iter()
        .any(|s| s.status.as_ref().and_then(|s| s.ready_replicas) == Some(1));
    let migrated = observe::typed::<Job>(&live, "Job")?.iter().any(|s| s.status.as_ref().and_then(|s| s.succeeded) == Some(1));
    let step = if !ready {
        Step::Data
    } else if !migrated {
        Step::Schema
    } else {
        Step::Serve
    };
    apply::apply(&cluster, &checked.uid, &objects.up_to(step), &mut live).await?;
    let claims: Vec<PersistentVolumeClaim> = observe::all(&cluster, &access::CLAIMS, &name).await?;
    apply::grow(&cluster, &claims, &names::postgres_claim(&name), &checked.postgres.storage_size).await?;
    apply::prune(&cluster, &checked.uid, &objects, &mut live).await?;
    Ok(Action::requeue(Duration::from_secs(10)))
}
