//! What PostgreSQL tells by NOTIFY: new versions of workspaces, new work, changed keys and workspaces to be erased. Holds what was heard
//! in memory; once the connection is lost it is good for no more than a lower bound, and callers ask the database.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Executor,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{sleep, timeout},
};

/// Workspaces whose version is kept; beyond it all are forgotten and read again.
const VERSIONS_KEPT: usize = 100_000;
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LAST: Duration = Duration::from_secs(5);
/// The connection must stand after this.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A connection on which nothing was heard for so long is asked whether it still stands: one that a firewall or a lost node has dropped
/// ends without a word.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// One that does not answer within this time is given up. A server that is merely busy must not be taken for one that is gone: then
/// every request would ask it.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Changes nothing, since it is listened to already.
const QUESTION: &str = "LISTEN ragline_work";
/// Epochs begin with 1.
const NOBODY_LISTENED: u64 = 0;

#[derive(Debug)]
pub(super) struct Signals {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    schema: String,
    options: Mutex<PgConnectOptions>,
    versions: Mutex<Versions>,
    /// Ends the connection that listens.
    doubt: Notify,
    /// Counts what came in; only its change matters.
    work: watch::Sender<u64>,
    /// As `work`, for workspaces to be erased.
    erase: watch::Sender<u64>,
    /// Rises with each change of a key, and when the listening begins, since changes may have been missed before.
    keys: AtomicU64,
}

/// What is known of the workspaces' versions.
#[derive(Debug, Default)]
struct Versions {
    listening: bool,
    /// Rises when the listening begins: what was known before may have been missed to change.
    epoch: u64,
    known: HashMap<i32, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    version: i64,
    epoch: u64,
}

impl Signals {
    pub(super) fn listen(options: &PgConnectOptions, schema: &str) -> Self {
        let shared = Arc::new(Shared {
            schema: schema.to_owned(),
            options: Mutex::new(options.clone()),
            versions: Mutex::default(),
            doubt: Notify::new(),
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
        let versions = lock(&self.shared.versions);
        let known = versions.known.get(&workspace)?;
        (versions.listening && known.epoch == versions.epoch).then_some(known.version)
    }

    /// The version that the workspace is known to have had, whether or not there may be a newer one.
    pub(super) fn least(&self, workspace: i32) -> Option<i64> {
        lock(&self.shared.versions).known.get(&workspace).map(|known| known.version)
    }

    /// Goes with a version that is about to be read, to [`Signals::learn_read`]. `None` while nobody listens: what is read may be old
    /// before anybody does.
    pub(super) fn epoch(&self) -> Option<u64> {
        let versions = lock(&self.shared.versions);
        versions.listening.then_some(versions.epoch)
    }

    /// Keeps a version that was made; an older one than is known changes nothing.
    pub(super) fn learn(&self, workspace: i32, version: i64) {
        self.shared.learn(workspace, version);
    }

    /// Keeps a version that was read in the primary in this epoch, or anywhere in none, and gives the newest that is known.
    pub(super) fn learn_read(&self, workspace: i32, version: i64, epoch: Option<u64>) -> i64 {
        let mut versions = lock(&self.shared.versions);
        versions.learn(workspace, version, epoch.unwrap_or(NOBODY_LISTENED));
        versions.known.get(&workspace).map_or(version, |known| known.version.max(version))
    }

    /// Gives the connection up that listens: the server it goes to does not answer. What was heard counts no more.
    pub(super) fn doubt(&self) {
        let was_listening = std::mem::replace(&mut lock(&self.shared.versions).listening, false);
        if was_listening {
            self.shared.doubt.notify_one();
        }
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
        versions.listening.then(|| self.shared.keys.load(Ordering::Acquire))
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
        let mut versions = lock(&self.versions);
        let epoch = versions.epoch;
        versions.learn(workspace, version, epoch);
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

impl Versions {
    fn begin(&mut self) {
        self.listening = true;
        self.epoch += 1;
    }

    fn learn(&mut self, workspace: i32, version: i64, epoch: u64) {
        if self.known.len() >= VERSIONS_KEPT && !self.known.contains_key(&workspace) {
            self.known.clear();
        }
        let known = self.known.entry(workspace).or_insert(Known { version, epoch });
        if epoch == self.epoch && known.epoch != epoch {
            // The server that is listened to now has the word, also where it knows of less than the one before it.
            *known = Known { version, epoch };
        } else {
            known.version = known.version.max(version);
        }
    }
}

async fn listen_for_ever(shared: Arc<Shared>) {
    let mut pause = RETRY_FIRST;
    loop {
        let doubted = shared.doubt.notified();
        let lost = tokio::select! {
            lost = listen_until_lost(&shared, &mut pause) => lost,
            () = doubted => Ok(()),
        };
        if let Err(error) = lost {
            tracing::debug!(error = %error, "not listening to PostgreSQL, versions are read for each request");
        }
        lock(&shared.versions).listening = false;
        tell(&shared.work);
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_LAST);
    }
}

async fn listen_until_lost(shared: &Shared, pause: &mut Duration) -> Result<(), sqlx::Error> {
    let options = lock(&shared.options).clone();
    // A connection of its own: the application's pool may be as small as one.
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(options);
    let listening = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen_all(["ragline_store_version", "ragline_work", "ragline_keys", "ragline_erase"]).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    let mut listener = timeout(CONNECT_WITHIN, listening).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    // From here on nothing can be missed.
    shared.keys_changed();
    lock(&shared.versions).begin();
    *pause = RETRY_FIRST;
    tell(&shared.work);
    tell(&shared.erase);
    loop {
        let notification = match timeout(SILENT_FOR, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => notification,
            Ok(ended) => return ended.map(drop),
            Err(_) => {
                timeout(ANSWER_WITHIN, listener.execute(QUESTION)).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
                continue;
            }
        };
        match notification.channel() {
            "ragline_store_version" => shared.heard(notification.payload()),
            "ragline_keys" | "ragline_erase" if notification.payload() != shared.schema => {}
            "ragline_keys" => shared.keys_changed(),
            "ragline_erase" => tell(&shared.erase),
            _ => tell(&shared.work),
        }
    }
}

fn tell(who: &watch::Sender<u64>) {
    who.send_modify(|count| *count = count.wrapping_add(1));
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
