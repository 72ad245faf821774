//! A PostgreSQL with read replicas that stream from it, and what a test does to them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ragline_config::Database;
use ragline_gateway::backends::pgvector::migrate::{Urls, migrate};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::process::Command;

use crate::{
    database::{space, urls},
    database_servers::OwnServers,
    env_fixture::Gateway,
};

pub(crate) const HEALTHY: &str = r#"rag_replica_healthy{replica="0"}"#;
pub(crate) const AWAY: &str = "the primary is away: replicas go on serving searches, and nothing can be written";
/// Looks at chunks that the server has seen. Each backend tells of them a second later.
pub(crate) const LOOKS: &str =
    "SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'chunk'";

/// Everything that is waited for here happens within this time.
const PATIENCE: Duration = Duration::from_secs(30);
const POSTMASTER: &str = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint";

/// The servers.
pub(crate) struct Replicated {
    own: Arc<OwnServers>,
    pub(crate) superuser: String,
    pub(crate) owner: SecretString,
    pub(crate) application: SecretString,
    /// URLs of the application role.
    pub(crate) replicas: Vec<SecretString>,
}

impl Replicated {
    /// A migrated database for a model, and so many replicas of it.
    pub(crate) async fn start(replicas: usize, model: &str, dimensions: u32) -> Self {
        let own = Arc::new(tokio::task::spawn_blocking(OwnServers::start).await.unwrap());
        let [bootstrap, owner, application] = urls(&own.servers, "ragline");
        let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &application };
        migrate(&Database::default(), &urls, &space(model, dimensions), Duration::from_secs(60)).await.unwrap();
        let superuser = bootstrap.expose_secret().to_owned();
        let mut servers = Self { own, superuser, owner, application, replicas: Vec::new() };
        for number in 0..replicas {
            let url = servers.start_replica(number).await;
            servers.replicas.push(SecretString::from(url));
        }
        servers
    }

    /// Has a replica take the primary's place, and gives it a replica of its own.
    pub(crate) async fn promote(&mut self, replica: usize) -> usize {
        runs(&self.superuser_of(replica), "SELECT pg_promote()").await;
        let (own, next) = (Arc::clone(&self.own), self.replicas.len());
        let url = tokio::task::spawn_blocking(move || own.replica(next, Some(replica))).await.unwrap();
        self.replicas.push(SecretString::from(url));
        next
    }

    /// As DATABASE_REPLICA_URLS.
    pub(crate) fn replica_urls(&self) -> String {
        self.replicas.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>().join(", ")
    }

    /// Starts a replica, or starts it again.
    pub(crate) async fn start_replica(&self, number: usize) -> String {
        let own = Arc::clone(&self.own);
        tokio::task::spawn_blocking(move || own.replica(number, None)).await.unwrap()
    }

    /// Starts the primary again.
    pub(crate) async fn start_primary(&self) {
        let own = Arc::clone(&self.own);
        tokio::task::spawn_blocking(move || own.start_again()).await.unwrap();
    }

    /// The superuser's URL of a replica.
    pub(crate) fn superuser_of(&self, replica: usize) -> String {
        let url = url::Url::parse(self.replicas[replica].expose_secret()).unwrap();
        let mut superuser = url::Url::parse(&self.superuser).unwrap();
        superuser.set_port(url.port()).unwrap();
        superuser.into()
    }

    /// Ends the primary as a crash would.
    pub(crate) async fn crash_primary(&self) {
        signal("QUIT", number(&self.superuser, POSTMASTER).await).await;
    }

    /// The same of a replica.
    pub(crate) async fn crash_replica(&self, replica: usize) {
        signal("QUIT", number(&self.superuser_of(replica), POSTMASTER).await).await;
    }

    /// Stops every process of a replica in its tracks until what is given is dropped: connections stand and nobody answers.
    pub(crate) async fn freeze_replica(&self, replica: usize) -> Frozen {
        let url = self.superuser_of(replica);
        let mut pids = vec![number(&url, POSTMASTER).await];
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let backends = "SELECT pid::bigint FROM pg_stat_activity";
        pids.extend(sqlx::query_scalar::<_, i64>(backends).fetch_all(&mut connection).await.unwrap());
        let frozen = Frozen(pids);
        for pid in &frozen.0 {
            signal("STOP", *pid).await;
        }
        // The server's half of it does not answer any more.
        std::mem::forget(connection);
        frozen
    }
}

/// Processes that go on when this is dropped.
pub(crate) struct Frozen(Vec<i64>);

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            std::process::Command::new("kill").arg("-CONT").arg(pid.to_string()).status().ok();
        }
    }
}

async fn signal(signal: &str, pid: i64) {
    let sent = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().await.unwrap();
    assert!(sent.success());
}

/// The number that a statement gives.
pub(crate) async fn number(url: &str, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// Runs a statement.
pub(crate) async fn runs(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// Waits until the gateway shows so many of a replica's figure.
pub(crate) async fn shows(gateway: &Gateway, metric: &str, holds: impl Fn(f64) -> bool) {
    until(metric, || async { gateway.metric(metric).await.is_some_and(&holds) }).await;
}

/// Waits until it holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while !holds().await {
        ticks.tick().await;
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
    }
}
