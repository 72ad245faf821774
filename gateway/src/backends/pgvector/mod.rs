//! PostgreSQL with pgvector. The only place with SQL, beside [`crate::index`] and `migrations/`.
//!
//! - `migrate::migrate(&config.database, &urls, &space, deadline)` makes the schema; `ragline-gateway migrate` and nobody else calls it.
//! - `Store::connect(&config.database, &database_url, space)` gives the store that implements `Searcher`, `Directory`, `BlobStore`,
//!   `JobStore`, `DocumentStore`, `WorkspaceStore`, `UploadStore` and `ResponseStore`; it connects when first used, so the gateway starts while PostgreSQL is down. Call
//!   [`Store::prove`] or `Directory::ready` before serving: both refuse a role that row-level security does not bind.
//! - [`Store::replace_url`] takes a new password without a restart, [`Store::maintain`] is the loop that removes orphaned bytes
//!   and the rows of deleted workspaces and merges postings, [`Store::figures`] are the server's figures for the metrics.
//! - `pool::owner(&config.database, &database_owner_url)` gives the pool that [`crate::index::run`] wants.

mod blobs;
mod calibrations;
mod directory;
mod documents;
mod erase;
mod error;
pub mod evaluation;
mod figures;
mod files;
mod fill;
mod filter;
mod inspect;
mod job_files;
mod jobs;
mod keys;
mod lexical;
pub mod migrate;
mod passages;
pub mod pool;
mod proof;
mod publish;
mod replicas;
mod responses;
pub mod roles;
mod rows;
mod search;
mod search_sql;
mod session;
mod signals;
pub mod space;
mod stage;
mod stale;
mod uploads;
mod vector_stores;
mod workspaces;

use std::sync::Arc;

use ragline_config::Database;
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::sync::OnceCell;

pub use self::{error::failed, figures::ServerFigures, replicas::ReplicaFigures};
use self::{
    replicas::Replicas,
    search_sql::SearchSql,
    session::Server,
    signals::Signals,
    space::{Space, SpaceWanted},
};
use crate::traits::search::StoreError;

/// The store of the application role.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
    few_allowed: Option<u32>,
}

#[derive(Debug)]
struct Inner {
    primary: Arc<Server>,
    replicas: Replicas,
    database: Database,
    wanted: SpaceWanted,
    /// The stored space and the statements made for it, read when first needed.
    space: OnceCell<(Space, SearchSql)>,
    /// Set once the start-up proof has passed.
    proven: OnceCell<()>,
    signals: Arc<Signals>,
}

impl Store {
    /// Makes the store and begins to listen for changes. Nothing has to answer yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A URL or a certificate file that cannot be read.
    pub fn connect(database: &Database, url: &SecretString, wanted: SpaceWanted) -> Result<Self, StoreError> {
        Self::connect_with_replicas(database, url, &[], wanted)
    }

    /// The same with read replicas for the searches.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub fn connect_with_replicas(
        database: &Database,
        url: &SecretString,
        replica_urls: &[SecretString],
        wanted: SpaceWanted,
    ) -> Result<Self, StoreError> {
        let options = pool::options(database, url)?;
        let signals = Arc::new(Signals::listen(&options, &database.schema));
        let primary = Arc::new(Server::new(database, options));
        let replicas = Replicas::watch(database, &primary, replica_urls, &signals)?;
        let database = database.clone();
        let (space, proven) = (OnceCell::new(), OnceCell::new());
        let inner = Inner { primary, replicas, database, wanted, space, proven, signals };
        Ok(Self { inner: Arc::new(inner), few_allowed: None })
    }

    /// The same store that walks the index for a filter which leaves more than `few` chunks, instead of weighing that by the rows.
    #[must_use]
    pub fn with_few_allowed(self, few: u32) -> Self {
        Self { few_allowed: Some(few), ..self }
    }

    /// Takes another URL of the primary for connections made from now on, as after a change of the password.
    ///
    /// # Errors
    /// A URL or a certificate file that cannot be read.
    pub fn replace_url(&self, url: &SecretString) -> Result<(), StoreError> {
        let options = pool::options(&self.inner.database, url)?;
        self.inner.signals.replace_options(options.clone());
        self.inner.primary.replace_options(options);
        Ok(())
    }

    /// How the read replicas stand, in the order of their URLs.
    pub fn replicas(&self) -> Vec<ReplicaFigures> {
        self.inner.replicas.figures()
    }

    /// Readings since the start that a replica could not answer and that went on elsewhere.
    pub fn moved_from_replicas(&self) -> u64 {
        self.inner.replicas.moved()
    }

    /// The pool of the application role on the primary, for [`crate::index::status`].
    pub fn pool(&self) -> PgPool {
        self.inner.primary.pool()
    }

    /// Resolves once nobody should wait for the primary any longer.
    async fn primary_given_up(&self) -> StoreError {
        self.inner.replicas.primary_is_given_up().await;
        self.told(StoreError::Unreachable("the primary does not answer".into()))
    }

    /// Does what never ends, and begins anew once the primary is back from a silence in which it was given up: what waited for it then
    /// waits in vain.
    pub async fn again_after_silence<F: Future>(&self, task: impl Fn() -> F) -> F::Output {
        loop {
            tokio::select! {
                output = task() => return output,
                () = self.inner.replicas.primary_is_given_up() => self.inner.replicas.primary_is_here().await,
            }
        }
    }

    /// The stored embedding space, refused when it is not the configured one.
    async fn space(&self) -> Result<&(Space, SearchSql), StoreError> {
        let load = |server: Arc<Server>| async move {
            let space = space::load(&mut *server.connection().await?, &self.inner.wanted).await?;
            let sql = SearchSql::new(&space);
            Ok((space, sql))
        };
        self.inner.space.get_or_try_init(|| self.reading(load)).await
    }
}
