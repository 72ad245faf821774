//! Puts the running operator together: client, probes, leader election, controller; and takes it apart in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use kube::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    admin::{self, Readiness},
    cli::Run,
    cluster::{
        index::{self, Readings},
        shared::Classes,
    },
    context::Context,
    controller::{self, INDEX_NEWS},
    leader::Candidate,
    metrics::Metrics,
    plan,
    render::defaults,
    telemetry::{self, chain},
};

/// Time between two tries to reach the API server at the start.
const REACH_PERIOD: Duration = Duration::from_secs(2);
/// Trips under way may take this long after a signal.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Runs the operator until a signal comes or leadership is lost.
///
/// # Errors
/// It could not start, or leadership was lost; the process must then end.
pub async fn run(settings: Run) -> anyhow::Result<()> {
    telemetry::start(&settings.log_level)?;
    let listen: SocketAddr = settings.listen.parse().with_context(|| format!("not an address: {}", settings.listen))?;
    let metrics = Metrics::new()?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let readiness = Readiness::default();
    // Probes are answered to the end, also while the last trips are finished and the Lease is given back.
    let server = tokio::spawn(admin::serve(listen, metrics.clone(), readiness.clone(), std::future::pending()));
    let work = async {
        let client = Client::try_default().await.context("no way to the Kubernetes API is configured")?;
        tokio::select! {
            () = reach(&client) => readiness.set(true),
            () = stop.cancelled() => return Ok(()),
        }
        lead(client, &settings, metrics, stop.clone()).await
    };
    tokio::select! {
        result = work => result,
        served = server => match served.context("the server of metrics and probes broke")? {
            Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}

/// Waits for leadership, works, and gives it back. A lost one ends everything at once.
async fn lead(client: Client, settings: &Run, metrics: Metrics, stop: CancellationToken) -> anyhow::Result<()> {
    if settings.no_leader_election {
        metrics.leader.set(1);
        work(client, settings, metrics, stop).await;
        return Ok(());
    }
    let identity = settings
        .identity
        .clone()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| format!("process-{}", std::process::id()));
    let candidate = Candidate::new(client.clone(), &settings.namespace, &settings.lease_name, &identity);
    tokio::select! {
        () = candidate.acquire() => metrics.leader.set(1),
        () = stop.cancelled() => return Ok(()),
    }
    tokio::select! {
        () = work(client, settings, metrics, stop) => {
            if let Err(error) = candidate.release().await {
                warn!("the Lease is left to expire: {}", chain(&error));
            }
            Ok(())
        }
        lost = candidate.hold() => {
            error!("{}", chain(&lost));
            Err(lost.into())
        }
    }
}

async fn work(client: Client, settings: &Run, metrics: Metrics, stop: CancellationToken) {
    let (news, changed) = mpsc::channel(INDEX_NEWS);
    let readings = Readings::default();
    let polling = tokio::spawn(index::poll(readings.clone(), index::client(), metrics.clone(), news, stop.clone()));
    let defaults = defaults(&settings.images, &settings.namespace);
    let settings = controller::Settings {
        namespaces: settings.watch_namespaces.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
        concurrency: settings.concurrency,
        labels: plan::names::CHILDREN_SELECTOR.to_owned(),
    };
    let classes = settings.namespaces.is_empty().then(Classes::default);
    let context = Arc::new(Context::new(client.clone(), metrics, readings, defaults, classes));
    info!(
        "watching {}",
        if settings.namespaces.is_empty() { "all namespaces".to_owned() } else { settings.namespaces.join(", ") }
    );
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN).await;
    };
    tokio::select! {
        () = controller::run(client, context, &settings, changed, stop.clone()) => {}
        () = late => warn!("trips under way were cut off {} s after the signal", SHUTDOWN.as_secs()),
    }
    polling.abort();
}

/// Waits until the API server answers.
async fn reach(client: &Client) {
    while let Err(error) = client.apiserver_version().await {
        warn!("the Kubernetes API is not reached yet: {}", chain(&error));
        tokio::time::sleep(REACH_PERIOD).await;
    }
}

fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping: trips under way are finished");
        stop.cancel();
    });
    Ok(())
}
