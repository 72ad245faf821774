//! Transactions that are bound to a workspace. Nothing reads or writes rows of a workspace outside of one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ragline_config::Database;
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr, SqlStr, Transaction, pool::PoolConnection, postgres::PgConnectOptions};
use tokio::{net::TcpStream, time::timeout};

use super::{
    Store, failed,
    pool::{self, Patience, Suspicion},
};
use crate::traits::search::{StoreError, WorkspaceId};

pub(super) type Tx = Transaction<'static, Postgres>;

/// One PostgreSQL server and the application's connections to it.
#[derive(Debug)]
pub(super) struct Server {
    database: Database,
    connections: Mutex<Connections>,
    suspicion: Suspicion,
}

/// Replaced when the server comes back from silence.
#[derive(Debug)]
struct Connections {
    /// As they are configured, for connections of other kinds than the pool's.
    options: PgConnectOptions,
    pool: PgPool,
    patience: Patience,
}

impl Connections {
    fn new(database: &Database, options: PgConnectOptions, suspicion: &Suspicion) -> Self {
        let pool = pool::application(database, options.clone(), suspicion.clone());
        Self { options, pool, patience: Patience::default() }
    }
}

impl Server {
    pub(super) fn new(database: &Database, options: PgConnectOptions) -> Self {
        let suspicion = Suspicion::default();
        let connections = Mutex::new(Connections::new(database, options, &suspicion));
        Self { database: database.clone(), connections, suspicion }
    }

    pub(super) fn pool(&self) -> PgPool {
        self.connections().pool.clone()
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        self.connections().options.clone()
    }

    /// Takes other options for connections made from now on.
    pub(super) fn replace_options(&self, options: PgConnectOptions) {
        let mut connections = self.connections();
        connections.pool.set_connect_options(pool::limited(&self.database, options.clone()));
        connections.options = options;
    }

    /// Makes connections anew; those of before end with what holds them. One that hangs would otherwise keep its place in the pool until
    /// the kernel gives it up, which takes a quarter of an hour.
    pub(super) fn renew(&self) {
        let mut connections = self.connections();
        *connections = Connections::new(&self.database, connections.options.clone(), &self.suspicion);
    }

    /// Nothing panics while it holds this lock.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool_and_patience(&self) -> (PgPool, Patience) {
        let connections = self.connections();
        (connections.pool.clone(), connections.patience.clone())
    }

    /// Has connections that are idle now asked whether they still stand before they are used.
    pub(super) fn suspect(&self) {
        self.suspicion.raise();
    }

    /// A transaction that sees and writes rows of this workspace alone.
    pub(super) async fn begin(&self, workspace: WorkspaceId) -> Result<Tx, StoreError> {
        // The setting must end with the transaction: a connection goes back to a pool that serves every workspace.
        self.begin_with(AssertSqlSafe(format!("BEGIN; SET LOCAL ragline.workspace_id = '{}'", workspace.0)).into_sql_str()).await
    }

    /// The same for a document of any size: each row of an HNSW index costs a millisecond.
    pub(super) async fn begin_long(&self, workspace: WorkspaceId) -> Result<Tx, StoreError> {
        let sql = format!("BEGIN; SET LOCAL ragline.workspace_id = '{}'; SET LOCAL statement_timeout = '1h'", workspace.0);
        self.begin_with(AssertSqlSafe(sql).into_sql_str()).await
    }

    /// A transaction of one snapshot that writes nothing. The workspace is not chosen yet.
    pub(super) async fn begin_snapshot(&self) -> Result<Tx, StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".into_sql_str()).await
    }

    /// A transaction of one snapshot of this workspace that writes nothing.
    pub(super) async fn begin_snapshot_of(&self, workspace: WorkspaceId) -> Result<Tx, StoreError> {
        let sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ragline.workspace_id = '{}'", workspace.0);
        self.begin_with(AssertSqlSafe(sql).into_sql_str()).await
    }

    /// Nothing was done when a transaction could not begin, so a connection that a restart closed is replaced without a word.
    async fn begin_with(&self, statement: SqlStr) -> Result<Tx, StoreError> {
        match self.try_begin(statement.clone()).await {
            Ok(tx) => return Ok(tx),
            Err(error) => match self.not_begun(error).await {
                StoreError::Unreachable(source) if source.downcast_ref().is_some_and(is_lost) => {}
                error => return Err(error),
            },
        }
        match self.try_begin(statement).await {
            Ok(tx) => Ok(tx),
            Err(error) => Err(self.not_begun(error).await),
        }
    }

    async fn try_begin(&self, statement: SqlStr) -> Result<Tx, sqlx::Error> {
        let (pool, patience) = self.pool_and_patience();
        patience.wait(async move { pool.begin_with(statement).await }).await
    }

    /// A connection for what concerns no workspace.
    pub(super) async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let (pool, patience) = self.pool_and_patience();
        match patience.wait(async move { pool.acquire().await }).await {
            Ok(connection) => Ok(connection),
            Err(error) => Err(self.not_begun(error).await),
        }
    }

    /// The pool gives the same error for a server that is down and for a full house; a plain connection tells them apart.
    pub(super) async fn not_begun(&self, error: sqlx::Error) -> StoreError {
        self.suspicion.raise();
        if matches!(error, sqlx::Error::PoolTimedOut) && !answers(&self.pool()).await {
            return StoreError::Unreachable(Box::new(error));
        }
        failed("beginning a transaction", error)
    }
}

/// On the primary, which everything but searches goes to.
impl Store {
    /// As [`Server::begin`].
    pub(super) async fn begin(&self, workspace: WorkspaceId) -> Result<Tx, StoreError> {
        self.inner.primary.begin(workspace).await.map_err(|error| self.told(error))
    }

    /// As [`Server::begin_long`].
    pub(super) async fn begin_long(&self, workspace: WorkspaceId) -> Result<Tx, StoreError> {
        self.inner.primary.begin_long(workspace).await.map_err(|error| self.told(error))
    }

    /// As [`Server::begin_snapshot`].
    pub(super) async fn begin_snapshot(&self) -> Result<Tx, StoreError> {
        self.inner.primary.begin_snapshot().await.map_err(|error| self.told(error))
    }

    /// As [`Server::connection`].
    pub(super) async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.inner.primary.connection().await.map_err(|error| self.told(error))
    }

    /// As [`Server::not_begun`].
    pub(super) async fn not_begun(&self, error: sqlx::Error) -> StoreError {
        self.told(self.inner.primary.not_begun(error).await)
    }

    /// While replicas go on serving searches, an unreachable primary is told as what it is.
    pub(super) fn told(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unreachable(source) if self.inner.replicas.any_fit() => StoreError::PrimaryUnreachable(source),
            error => error,
        }
    }
}

/// A connection that stood once; one that could not be made has waited for long enough already.
fn is_lost(error: &sqlx::Error) -> bool {
    !matches!(error, sqlx::Error::PoolTimedOut)
}

async fn answers(pool: &PgPool) -> bool {
    let options = pool.connect_options();
    if options.get_socket().is_some() || options.get_host().starts_with('/') {
        return pool.size() > 0;
    }
    let connect = TcpStream::connect((options.get_host(), options.get_port()));
    matches!(timeout(Duration::from_millis(500), connect).await, Ok(Ok(_)))
}

pub(super) async fn commit(tx: Tx, action: &'static str) -> Result<(), StoreError> {
    tx.commit().await.map_err(|error| failed(action, error))
}
