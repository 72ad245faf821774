//! What runs beside the requests: the proof of the role, workers, upkeep, figures of the servers, the index where no operator
//! builds it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{App, Roles};
use crate::{
    backends::{
        cache::ValkeyCache,
        pgvector::{Store, pool},
    },
    index,
    ingest::{job, settings::WorkerSettings, worker},
    metrics::Metrics,
    traits::ingest::Hash,
};

/// A database that does not answer at the start is asked again this often.
const PROOF_EVERY: Duration = Duration::from_secs(2);
/// How often the servers' figures are read.
const FIGURES_EVERY: Duration = Duration::from_secs(15);
/// How often the state of the read replicas is shown anew.
const REPLICAS_EVERY: Duration = Duration::from_secs(1);
/// How often a gateway without an operator looks after the index.
const INDEX_EVERY: Duration = Duration::from_secs(30);
/// Tasks may take this long to end.
const END_WITHIN: Duration = Duration::from_secs(25);

/// The tasks.
#[derive(Debug)]
pub(super) struct Background {
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Starts those of the roles; upkeep and figures are everybody's.
///
/// # Errors
/// Settings that a task cannot work with.
pub(super) fn start(app: &App, roles: Roles, shutdown: &CancellationToken) -> anyhow::Result<Background> {
    let mut tasks = JoinSet::new();
    let config = &app.settings.config;
    until(&mut tasks, shutdown, prove(app.store.clone()));
    until(&mut tasks, shutdown, upkeep(app.store.clone()));
    let parts = ingestion(app);
    let (store, fingerprint, metrics) = (app.store.clone(), parts.cutter.fingerprint(), app.metrics.clone());
    until(
        &mut tasks,
        shutdown,
        async move { store.again_after_silence(|| database_figures(&store, &fingerprint, &metrics)).await },
    );
    if let Some(valkey) = &app.valkey {
        until(&mut tasks, shutdown, valkey_figures(Arc::clone(valkey), app.metrics.clone()));
    }
    if !app.store.replicas().is_empty() {
        until(&mut tasks, shutdown, replicas(app.store.clone(), app.metrics.clone()));
    }
    if config.index.build_in_process {
        let owner = pool::owner(&config.database, &app.settings.database_owner_url()?)?;
        let config = config.index.clone();
        until(&mut tasks, shutdown, async move {
            let mut ticks = interval(INDEX_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Err(error) = index::run(&owner, &config).await {
                    warn!(error = format!("{:#}", anyhow::Error::new(error)), "the index was not looked after");
                }
            }
        });
    }
    if roles.worker {
        let stop = shutdown.clone();
        tasks.spawn(async move {
            worker::run(parts, stop).await;
            Ok(())
        });
    }
    Ok(Background { tasks })
}

/// What the workers work with.
pub(super) fn ingestion(app: &App) -> job::Parts {
    let config = &app.settings.config;
    let store = Arc::new(app.store.clone());
    let settings = WorkerSettings::of(config);
    job::Parts {
        blobs: Arc::clone(&store) as _,
        jobs: Arc::clone(&store) as _,
        documents: store,
        embedder: Arc::clone(&app.embedder),
        cutter: Arc::new(app.cutter()),
        threads: job::Parts::threads(&settings),
        settings,
        metrics: app.metrics.clone(),
    }
}

impl Background {
    /// Resolves with the first failure that the gateway must not go on after.
    pub(super) async fn failure(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a task ended abnormally")??;
        }
        std::future::pending().await
    }

    /// Waits for the tasks, which have been told to end.
    pub(super) async fn join(mut self) {
        let ended = timeout(END_WITHIN, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            warn!("tasks were still running {} s after the shutdown began", END_WITHIN.as_secs());
        }
    }
}

/// Runs a task that ends at once on shutdown.
fn until(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
    task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) {
    let stop = shutdown.clone();
    tasks.spawn(async move { stop.run_until_cancelled(task).await.unwrap_or(Ok(())) });
}

/// Proves that row-level security binds the role. A database that is away is waited for; one that must not be served with ends the
/// gateway.
async fn prove(store: Store) -> anyhow::Result<()> {
    let mut ticks = interval(PROOF_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = false;
    loop {
        ticks.tick().await;
        match store.prove().await {
            Ok(()) => {
                info!("row-level security binds the database role");
                return Ok(());
            }
            Err(error) if must_end(&error) => return Err(error).context("the gateway must not serve with this database"),
            Err(error) => {
                let text = format!("{:#}", anyhow::Error::new(error));
                if !std::mem::replace(&mut said, true) {
                    warn!(error = text, "not ready: waiting for the database");
                }
            }
        }
    }
}

/// Whether waiting cannot mend it.
fn must_end(error: &crate::traits::search::StoreError) -> bool {
    use crate::traits::search::StoreError::{TooOld, Unbound, WrongModel};
    matches!(error, Unbound { .. } | TooOld { .. } | WrongModel { .. })
}

async fn upkeep(store: Store) -> anyhow::Result<()> {
    Box::pin(store.maintain()).await;
    Ok(())
}

/// Copies PostgreSQL's own figures into the metrics. While it does not answer they stay as they were. `fingerprint`: of the settings
/// that documents are cut with now.
async fn database_figures(store: &Store, fingerprint: &Hash, metrics: &Metrics) -> anyhow::Result<()> {
    let mut ticks = interval(FIGURES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(figures) = store.figures().await {
            metrics.postgresql_connections_active.set(figures.connections_active);
            metrics.postgresql_locks_waiting.set(figures.locks_waiting);
            raise(&metrics.postgresql_index_scans, figures.index_scans as f64);
            raise(&metrics.postgresql_bgwriter_buffers_alloc, figures.buffers_alloc as f64);
        }
        if let Ok(stale) = store.count_stale(fingerprint).await {
            metrics.documents_stale.set(i64::try_from(stale).unwrap_or(i64::MAX));
        }
    }
}

/// The same of Valkey, which a silent PostgreSQL does not keep from being asked.
async fn valkey_figures(valkey: Arc<ValkeyCache>, metrics: Metrics) -> anyhow::Result<()> {
    let mut ticks = interval(FIGURES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(figures) = valkey.figures().await {
            metrics.valkey_memory_used_bytes.set(figures.memory_used_bytes);
            raise(&metrics.valkey_evicted_keys, figures.evicted_keys);
        }
    }
}

/// Copies how the read replicas stand into the metrics. They are watched anyway, so this asks nobody.
async fn replicas(store: Store, metrics: Metrics) -> anyhow::Result<()> {
    let mut ticks = interval(REPLICAS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (index, figures) in store.replicas().iter().enumerate() {
            let index = index.to_string();
            let label = [index.as_str()];
            metrics.rag_replica_healthy.with_label_values(&label).set(i64::from(figures.healthy));
            match figures.lag {
                Some(lag) => metrics.rag_replica_lag.with_label_values(&label).set(lag.as_secs_f64()),
                // Nobody knows, so the last figure must not stand there as if it were true.
                None => drop(metrics.rag_replica_lag.remove_label_values(&label)),
            }
        }
        raise(&metrics.rag_replica_moved, store.moved_from_replicas() as f64);
    }
}

/// Takes over a counter that the server keeps; one that was reset begins anew.
fn raise(counter: &prometheus::Counter, value: f64) {
    if value < counter.get() {
        counter.reset();
    }
    counter.inc_by(value - counter.get());
}
