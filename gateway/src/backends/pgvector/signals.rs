//! What PostgreSQL tells by NOTIFY: new versions of workspaces, new work, changed keys and workspaces to be erased. Holds what was heard in memory; a connection that is
//! lost forgets it all, and callers ask the database until the next one stands.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::{sync::watch, task::AbortHandle, time::sleep};

/// Workspaces whose version is kept; beyond it all are forgotten and read again.
const VERSIONS_KEPT: usize = 100_000;
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LAST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Signals {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    schema: String,
    options: Mutex<PgConnectOptions>,
    /// `None` while nobody listens.
    versions: Mutex<Option<HashMap<i32, i64>>>,
    /// Counts what came in; only its change matters.
    work: watch::Sender<u64>,
    /// As `work`, for workspaces to be erased.
    erase: watch::Sender<u64>,
    /// Rises with each change of a key, and when the listening begins, since changes may have been missed before.
    keys: AtomicU64,
}

impl Signals {
    pub(super) fn listen(options: &PgConnectOptions, schema: &str) -> Self {
        let shared = Arc::new(Shared {
            schema: schema.to_owned(),
            options: Mutex::new(options.clone()),
            versions: Mutex::new(None),
            work: watch::Sender::new(0),
            erase: watch::Sender::new(0),
            keys: AtomicU64::new(0),
        });
        let task = tokio::spawn(listen_for_ever(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    pub(super) fn replace_options(&self, options: PgConnectOptions) {
        *lock(&self.shared.options) = options;
    }

    /// The newest version that was heard, `None` when the database must be asked.
    pub(super) fn version(&self, workspace: i32) -> Option<i64> {
        lock(&self.shared.versions).as_ref()?.get(&workspace).copied()
    }

    /// Keeps a version that was read or made; an older one than is known changes nothing.
    pub(super) fn learn(&self, workspace: i32, version: i64) {
        self.shared.learn(workspace, version);
    }

    /// Resolves when something changes after this call.
    pub(super) fn work(&self) -> watch::Receiver<u64> {
        self.shared.work.subscribe()
    }

    /// As [`Signals::work`], for workspaces to be erased.
    pub(super) fn erase(&self) -> watch::Receiver<u64> {
        self.shared.erase.subscribe()
    }

    /// What was known of keys under another number counts no more; `None` while nobody listens.
    pub(super) fn keys_version(&self) -> Option<u64> {
        let versions = lock(&self.shared.versions);
        versions.is_some().then(|| self.shared.keys.load(Ordering::Acquire))
    }

    /// This process has changed a key itself; it need not wait to hear of it.
    pub(super) fn keys_changed(&self) {
        self.shared.keys_changed();
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn learn(&self, workspace: i32, version: i64) {
        if let Some(versions) = lock(&self.versions).as_mut() {
            if versions.len() >= VERSIONS_KEPT {
                versions.clear();
            }
            let kept = versions.entry(workspace).or_insert(version);
            *kept = version.max(*kept);
        }
    }

    fn keys_changed(&self) {
        self.keys.fetch_add(1, Ordering::AcqRel);
    }

    /// The payload is `schema workspace version`; several schemas of one database share the channel.
    fn heard(&self, payload: &str) {
        let mut words = payload.split(' ');
        if words.next() != Some(self.schema.as_str()) {
            return;
        }
        let workspace = words.next().and_then(|word| word.parse().ok());
        let version = words.next().and_then(|word| word.parse().ok());
        if let (Some(workspace), Some(version)) = (workspace, version) {
            self.learn(workspace, version);
        }
    }
}

async fn listen_for_ever(shared: Arc<Shared>) {
    let mut pause = RETRY_FIRST;
    loop {
        if let Err(error) = listen_until_lost(&shared, &mut pause).await {
            tracing::debug!(error = %error, "not listening to PostgreSQL, versions are read for each request");
        }
        *lock(&shared.versions) = None;
        tell(&shared.work);
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_LAST);
    }
}

async fn listen_until_lost(shared: &Shared, pause: &mut Duration) -> Result<(), sqlx::Error> {
    let options = lock(&shared.options).clone();
    // A connection of its own: the application's pool may be as small as one.
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen_all(["ragline_store_version", "ragline_work", "ragline_keys", "ragline_erase"]).await?;
    // From here on nothing can be missed.
    shared.keys_changed();
    *lock(&shared.versions) = Some(HashMap::new());
    *pause = RETRY_FIRST;
    tell(&shared.work);
    tell(&shared.erase);
    while let Some(notification) = listener.try_recv().await? {
        match notification.channel() {
            "ragline_store_version" => shared.heard(notification.payload()),
            "ragline_keys" | "ragline_erase" if notification.payload() != shared.schema => {}
            "ragline_keys" => shared.keys_changed(),
            "ragline_erase" => tell(&shared.erase),
            _ => tell(&shared.work),
        }
    }
    Ok(())
}

fn tell(who: &watch::Sender<u64>) {
    who.send_modify(|count| *count = count.wrapping_add(1));
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
