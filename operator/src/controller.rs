//! Keeps the pipelines going: watches them and their children, runs the trip for each that changed, and spaces out tries after
//! errors. What a trip does is in `reconcile`.

mod postgres_clusters;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::join_all};
use kube::{
    Api, Client, Resource,
    api::{DynamicObject, PartialObjectMeta},
    core::DeserializeGuard,
    runtime::{
        Controller, WatchStreamExt,
        controller::{Action, Config, Error as ControllerError},
        reflector::store::Writer,
        watcher,
    },
};
use ragline_crds::RagPipeline;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    cluster::{
        access::{self, Access},
        shared::{Classes, GuardedClass},
    },
    context::{Context, Who},
    reconcile::{self, ReconcileError},
    telemetry::chain,
};

/// A pipeline, or what is known of one that does not parse.
type Guarded = DeserializeGuard<RagPipeline>;

/// Objects that a watch reads at once when it begins, since what parsing them takes stays with the process: after a restart among 500
/// pipelines it weighed 53 to 81 MB with the library's 500, and 41 with these.
const PAGE: u32 = 50;
/// Changes that come together are answered by one trip.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Pipelines whose index changed and that wait to be looked at; one more is seen at its next turn anyway.
pub const INDEX_NEWS: usize = 256;

/// Where and how much.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Empty: all namespaces.
    pub namespaces: Vec<String>,
    /// Trips under way at once, over all namespaces.
    pub concurrency: u16,
    /// Selects the children.
    pub labels: String,
}

/// Runs until `stop` is cancelled; trips under way are finished.
pub async fn run(
    client: Client,
    context: Arc<Context>,
    settings: &Settings,
    mut news: mpsc::Receiver<Who>,
    stop: CancellationToken,
) {
    let turns = Arc::new(Semaphore::new(usize::from(settings.concurrency)));
    let scopes: Vec<Option<&str>> = match settings.namespaces.as_slice() {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut senders = Vec::new();
    let controllers: Vec<_> = scopes
        .into_iter()
        .map(|scope| {
            let (sender, receiver) = mpsc::channel(INDEX_NEWS);
            senders.push((scope.map(str::to_owned), sender));
            one_scope(client.clone(), context.clone(), settings, scope, turns.clone(), receiver, stop.clone()).boxed()
        })
        .collect();
    let forward = async move {
        while let Some(pipeline) = news.recv().await {
            for (scope, sender) in &senders {
                if scope.is_none() || *scope == pipeline.namespace {
                    // A full queue loses nothing: the pipeline is looked at again at its next turn.
                    let _ = sender.try_send(pipeline.clone());
                }
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = join_all(controllers) => {}
        () = forward => {}
    }
}

async fn one_scope(
    client: Client,
    context: Arc<Context>,
    settings: &Settings,
    namespace: Option<&str>,
    turns: Arc<Semaphore>,
    news: mpsc::Receiver<Who>,
    stop: CancellationToken,
) {
    let pipelines: Api<Guarded> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    count_watch(&context, &access::PIPELINES);
    let config = Config::default().concurrency(settings.concurrency).debounce(DEBOUNCE);
    let kept = Writer::default();
    let store = kept.as_reader();
    // Who owns which field is the longer half of a pipeline, and nothing here asks.
    let pipelines = watcher(pipelines, watching())
        .modify(|pipeline| pipeline.meta_mut().managed_fields = None)
        .reflect(kept)
        .applied_objects();
    let mut controller = Controller::for_stream(pipelines, store).with_config(config);
    for access in access::watched() {
        count_watch(&context, access);
        let resource = access.resource();
        // Names and owners are all that a trigger needs, so no specs are kept in memory.
        let children: Api<PartialObjectMeta<DynamicObject>> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let noting = context.clone();
        let touched = watcher(children, watching().labels(&settings.labels))
            .inspect(move |event| noting.rest.note(event))
            .touched_objects();
        controller = controller.owns_stream_with(touched, resource);
    }
    if let Some(kept) = context.classes.as_ref().and_then(Classes::writer) {
        // Any pipeline may be of the class that changed, one that names none as well.
        count_watch(&context, &access::CLASSES);
        let classes: Api<GuardedClass> = Api::all(client.clone());
        let classes = watcher(classes, watching()).reflect(kept).touched_objects();
        let pipelines = controller.store();
        let all = move |_| pipelines.state().into_iter().map(|pipeline| Who::from_obj(&*pipeline)).collect::<Vec<_>>();
        controller = controller.watches_stream_with(classes, all, ());
    }
    let news = futures::stream::unfold(news, |mut news| async move { news.recv().await.map(|pipeline| (pipeline, news)) });
    let clusters = postgres_clusters::changed(client, context.clone(), namespace, &settings.labels);
    let watch_errors = context.metrics.watch_errors.clone();
    let gone = context.clone();
    controller
        .reconcile_on(news.chain(futures::stream::pending()))
        .reconcile_on(clusters.chain(futures::stream::pending()))
        .graceful_shutdown_on(async move { stop.cancelled().await })
        .run(
            move |pipeline, context| {
                let turns = turns.clone();
                async move {
                    let _turn = turns.acquire_owned().await.expect("the semaphore is never closed");
                    reconcile::reconcile(pipeline, context).await
                }
            },
            error_policy,
            context,
        )
        .for_each(|result| {
            match result {
                Ok((pipeline, _)) => debug!("reconciled {pipeline}"),
                // Logged by the trip itself.
                Err(ControllerError::ReconcilerFailed(..)) => {}
                Err(ControllerError::ObjectNotFound(pipeline)) => {
                    debug!("{pipeline} is gone");
                    gone.forget(&Who::new(&pipeline.name).within(pipeline.namespace.as_deref().unwrap_or_default()));
                }
                Err(error @ (ControllerError::QueueError(_) | ControllerError::RunnerError(_))) => {
                    watch_errors.inc();
                    warn!("a watch broke and is started again: {}", chain(&error));
                }
            }
            futures::future::ready(())
        })
        .await;
}

/// How a kind is watched. Lists of any version would come in one piece, however long.
fn watching() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

fn count_watch(context: &Context, access: &Access) {
    for verb in ["list", "watch"] {
        context.metrics.api_requests.with_label_values(&[access.role_resource().as_str(), verb]).inc();
    }
}

/// Every error of a pipeline doubles its pause, up to a bound; a success forgets them.
fn error_policy(pipeline: Arc<Guarded>, error: &ReconcileError, context: Arc<Context>) -> Action {
    let meta = pipeline.meta();
    let key = Who::new(meta.name.as_deref().unwrap_or_default()).within(meta.namespace.as_deref().unwrap_or_default());
    let wait = context.backoff.failed(key.clone());
    context.metrics.pipelines_in_backoff.set(i64::try_from(context.backoff.len()).unwrap_or(i64::MAX));
    warn!(pipeline.name = key.name, "{key} failed and is tried again in {} s: {}", wait.as_secs(), chain(error));
    Action::requeue(wait)
}
