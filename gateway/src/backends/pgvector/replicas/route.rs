//! Where a reading is done. Searches go to a replica that is fit, and at once to another server where it cannot answer; everything else
//! goes to the primary, and what a search needs beside the search (who holds a key, which workspace has a name) to a replica while the
//! primary is away.
//!
//! A search reads the workspace's version in its own snapshot, and a replica that has not reached the newest version which this gateway
//! has made, read or heard of refuses it: a document that somebody was told of is found.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::Replica;
use crate::{
    backends::pgvector::{Store, session::Server},
    traits::search::{StoreError, WorkspaceId},
};

/// No server may be reached for so long.
const BRIDGED: Duration = Duration::from_secs(5);
/// Time between two tries to reach one.
const PAUSE: Duration = Duration::from_millis(100);

/// A server to search on.
#[derive(Clone, Debug)]
pub(in crate::backends::pgvector) struct Reading {
    pub(in crate::backends::pgvector) server: Arc<Server>,
    /// The version that the workspace must have at least. The primary has the newest.
    least: Option<i64>,
}

impl Reading {
    /// Refuses a snapshot of another version than can be shown.
    ///
    /// # Errors
    /// The replica is behind.
    pub(in crate::backends::pgvector) fn check(&self, store_version: i64) -> Result<(), StoreError> {
        match self.least {
            Some(least) if store_version < least => Err(StoreError::Conflict { what: "replica" }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Store {
    /// Searches on one server after another until one can answer.
    ///
    /// # Errors
    /// The primary's reason.
    pub(in crate::backends::pgvector) async fn searching<T, F>(
        &self,
        workspace: WorkspaceId,
        search: impl Fn(Reading) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.bridging(|| Box::pin(self.search_around(workspace, &search))).await
    }

    /// Reads on the primary, or on a replica that is fit while the primary cannot be reached. The replica may be a second behind.
    ///
    /// # Errors
    /// The primary's reason.
    pub(in crate::backends::pgvector) async fn reading<T, F>(&self, read: impl Fn(Arc<Server>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.bridging(|| Box::pin(self.read_around(&read))).await
    }

    /// Tries again while no server can be reached: a standby that takes the primary's place may end its connections before any address
    /// leads to it. Without replicas nobody takes it.
    async fn bridging<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let until = Instant::now() + BRIDGED;
        loop {
            match attempt().await {
                Err(StoreError::Unreachable(_)) if self.inner.replicas.are_named() && Instant::now() < until => {
                    sleep(PAUSE).await;
                }
                result => return result,
            }
        }
    }

    async fn search_around<T, F>(&self, workspace: WorkspaceId, search: &impl Fn(Reading) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let least = self.inner.signals.least(workspace.0);
        let mut fit = self.inner.replicas.fit().into_iter();
        let on = |replica: &Replica| {
            let least = replica.least(least);
            move |server| search(Reading { server, least })
        };
        if let Some(first) = fit.next()
            && let Some(found) = self.try_on(&first, on(&first)).await
        {
            return found;
        }
        let unreachable = match self.unless_away(Box::pin(self.twice(search))).await {
            Err(StoreError::Unreachable(source)) => source,
            found => return found,
        };
        for other in fit {
            if let Some(found) = self.try_on(&other, on(&other)).await {
                return found;
            }
        }
        Err(StoreError::Unreachable(unreachable))
    }

    async fn read_around<T, F>(&self, read: &impl Fn(Arc<Server>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let unreachable = match self.unless_away(Box::pin(read(Arc::clone(&self.inner.primary)))).await {
            Err(StoreError::Unreachable(source)) => source,
            found => return found,
        };
        if self.inner.replicas.any_fit() {
            // What a replica says of keys and versions may be a moment old, and must not be kept as if it were what was heard.
            self.inner.signals.doubt();
        }
        for replica in self.inner.replicas.fit() {
            if let Some(found) = self.try_on(&replica, read).await {
                return found;
            }
        }
        Err(StoreError::Unreachable(unreachable))
    }

    /// Searches on the primary, twice where the connection was lost: it may have been closed by a restart that is over.
    async fn twice<T, F>(&self, search: impl Fn(Reading) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let primary = || Box::pin(search(Reading { server: Arc::clone(&self.inner.primary), least: None }));
        match primary().await {
            Err(StoreError::Unreachable(_)) => {
                self.inner.primary.suspect();
                primary().await
            }
            found => found,
        }
    }

    /// What is read on the primary, given up as soon as that is known to be away, where a replica could answer in its place, and else
    /// when waiting has become vain.
    async fn unless_away<T>(&self, reading: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let replicas = &self.inner.replicas;
        let silent = || Err(StoreError::Unreachable("the primary does not answer".into()));
        tokio::select! {
            biased;
            () = replicas.stand_in() => silent(),
            found = reading => found,
            () = replicas.primary_is_given_up() => silent(),
        }
    }

    /// `None`: it cannot be answered there. A replica whose connection fails is left out until it has answered again.
    async fn try_on<T, F>(&self, replica: &Replica, read: impl Fn(Arc<Server>) -> F) -> Option<Result<T, StoreError>>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let server = &replica.server;
        let found = tokio::select! {
            biased;
            found = Box::pin(read(Arc::clone(server))) => found,
            () = replica.goes_away() => Err(StoreError::Unreachable("the replica does not answer".into())),
        };
        match &found {
            // What took too long would take as long elsewhere.
            Ok(_) | Err(StoreError::TimedOut) => return Some(found),
            Err(StoreError::Unreachable(_)) => {
                server.suspect();
                replica.leave_out();
            }
            Err(_) => {}
        }
        self.inner.replicas.moved.fetch_add(1, Ordering::Relaxed);
        None
    }
}
