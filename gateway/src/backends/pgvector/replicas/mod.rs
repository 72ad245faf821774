//! The read replicas that searches go to: which of them are fit for it, found out by one task that asks each server four times a second.
//! It asks the primary too, and once a second where there are no replicas: a server whose node is cut off ends no connection, so
//! whoever waits for it must be told by somebody else.
//!
//! A replica is fit while it answers, is bound by row-level security, and is at most a second behind its primary. Whether a workspace's
//! newest version has reached it is seen by each search for itself: see [`route`]. One that has become a primary is fit until the
//! primary's address leads to it.

mod lag;
mod probe;
mod route;
mod watch;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::select_all;
use ragline_config::Database;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use tokio::{sync::watch as channel, task::AbortHandle};

pub(super) use self::route::Reading;
use self::watch::Watch;
use super::{pool, session::Server, signals::Signals};
use crate::traits::search::StoreError;

/// The replicas, and what is known of the primary beside them.
#[derive(Debug)]
pub(super) struct Replicas {
    each: Vec<Arc<Replica>>,
    primary: Arc<channel::Sender<Standing>>,
    /// Takes turns.
    next: AtomicUsize,
    /// Searches that went on elsewhere.
    moved: AtomicU64,
    task: AbortHandle,
}

/// How the primary stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Standing {
    #[default]
    Here,
    /// It refuses or ends connections, does not answer, or is no primary: what a replica can do is done there.
    Away,
    /// It was silent for so long that whoever waits for it waits in vain, until it has answered again.
    GivenUp,
}

/// One replica, or several behind one address.
#[derive(Debug)]
struct Replica {
    /// Its connections are made anew when it comes back.
    server: Arc<Server>,
    state: channel::Sender<State>,
}

/// What is known of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    answers: bool,
    /// It answers, is bound, and late by no more than may be.
    fit: bool,
    /// It has become a primary.
    takes_writes: bool,
    lag: Option<Duration>,
}

/// A replica as the metrics show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplicaFigures {
    /// Whether searches go to it.
    pub healthy: bool,
    /// How far it is behind the primary, as long as that is known; a minute at most.
    pub lag: Option<Duration>,
}

impl Replicas {
    /// Begins to watch. Nothing has to answer yet.
    ///
    /// # Errors
    /// A URL that cannot be read.
    pub(super) fn watch(
        database: &Database,
        primary: &Arc<Server>,
        urls: &[SecretString],
        signals: &Arc<Signals>,
    ) -> Result<Self, StoreError> {
        let replica = |url| pool::options(database, url).map(|options| Arc::new(Replica::new(database, options)));
        let each = urls.iter().map(replica).collect::<Result<Vec<_>, _>>()?;
        let standing = Arc::new(channel::Sender::default());
        let watch = Watch {
            primary: Arc::clone(primary),
            replicas: each.clone(),
            standing: Arc::clone(&standing),
            signals: Arc::clone(signals),
        };
        let task = tokio::spawn(watch.run()).abort_handle();
        Ok(Self { each, primary: standing, next: AtomicUsize::new(0), moved: AtomicU64::new(0), task })
    }

    /// Those that are fit, each time another one first.
    fn fit(&self) -> Vec<Arc<Replica>> {
        let mut fit: Vec<_> = self.each.iter().filter(|replica| replica.state.borrow().fit).cloned().collect();
        if !fit.is_empty() {
            let first = self.next.fetch_add(1, Ordering::Relaxed) % fit.len();
            fit.rotate_left(first);
        }
        fit
    }

    fn are_named(&self) -> bool {
        !self.each.is_empty()
    }

    pub(super) fn any_fit(&self) -> bool {
        self.each.iter().any(|replica| replica.state.borrow().fit)
    }

    /// Resolves once the primary is found not to answer while a replica is fit.
    async fn stand_in(&self) {
        let mut states: Vec<_> = self.each.iter().map(|replica| replica.state.subscribe()).collect();
        if states.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            self.primary_stands(|standing| standing != Standing::Here).await;
            let fit = states.iter_mut().map(|state| Box::pin(state.wait_for(|state| state.fit)));
            if select_all(fit).await.0.is_err() {
                // The senders live as long as this.
                std::future::pending::<()>().await;
            }
            if *self.primary.borrow() != Standing::Here {
                return;
            }
        }
    }

    /// Resolves once nobody should wait for the primary any longer.
    pub(super) async fn primary_is_given_up(&self) {
        self.primary_stands(|standing| standing == Standing::GivenUp).await;
    }

    /// Resolves once the primary answers.
    pub(super) async fn primary_is_here(&self) {
        self.primary_stands(|standing| standing == Standing::Here).await;
    }

    async fn primary_stands(&self, so: impl Fn(Standing) -> bool) {
        let mut standing = self.primary.subscribe();
        if standing.wait_for(|standing| so(*standing)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn figures(&self) -> Vec<ReplicaFigures> {
        let figures = |replica: &Arc<Replica>| {
            let State { answers: _, fit, takes_writes: _, lag } = *replica.state.borrow();
            ReplicaFigures { healthy: fit, lag }
        };
        self.each.iter().map(figures).collect()
    }

    /// Searches since the start that a replica could not answer and that went on elsewhere.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Replica {
    fn new(database: &Database, options: PgConnectOptions) -> Self {
        Self { server: Arc::new(Server::new(database, options)), state: channel::Sender::default() }
    }

    /// What it has at least to have seen of a workspace. A primary has the newest, also where a server before it had more.
    fn least(&self, version: Option<i64>) -> Option<i64> {
        version.filter(|_| !self.state.borrow().takes_writes)
    }

    /// Nothing goes there before it has answered its next question.
    fn leave_out(&self) {
        self.state.send_modify(|state| *state = State { answers: false, fit: false, ..*state });
    }

    /// Resolves once it is found not to answer.
    async fn goes_away(&self) {
        let mut state = self.state.subscribe();
        if state.wait_for(|state| !state.answers).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Nothing panics while it holds this lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
