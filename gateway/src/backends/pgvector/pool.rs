//! Connections: how they are made, and what holds for every statement on them.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ragline_config::{Database, TlsMode};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::traits::search::StoreError;

/// A request waits this long for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection may take this long to be made, whether or not the request that wanted it still waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that was idle for longer is asked whether it still stands before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// When a connection was last found dead. Those that were idle at that moment are asked whether they still stand: after a restart of
/// the server one failure shows the state of all.
#[derive(Clone, Debug, Default)]
pub struct Suspicion {
    since: Arc<Mutex<Option<Instant>>>,
}

impl Suspicion {
    pub(super) fn raise(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn covers(&self, idle_for: Duration) -> bool {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() <= idle_for)
    }
}

/// Lets a request wait for a connection, and the connection wait for longer: a server that is slow to take connections would
/// otherwise never have one, since each would be given up with the request that began it. One at a time is left to itself; the
/// others end with their requests, so that requests that went away hold no places of the pool.
#[derive(Clone, Debug)]
pub(super) struct Patience(Arc<Semaphore>);

impl Default for Patience {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Patience {
    /// What `acquire` gives, or [`sqlx::Error::PoolTimedOut`] after three seconds.
    pub(super) async fn wait<T: Send + 'static>(
        &self,
        acquire: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    ) -> Result<T, sqlx::Error> {
        let mut acquiring = AbortOnDropHandle::new(tokio::spawn(acquire));
        match timeout(ACQUIRE_TIMEOUT, &mut acquiring).await {
            Ok(joined) => joined.unwrap_or(Err(sqlx::Error::WorkerCrashed)),
            Err(_) => {
                if let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() {
                    tokio::spawn(async move {
                        acquiring.await.ok();
                        drop(permit);
                    });
                }
                Err(sqlx::Error::PoolTimedOut)
            }
        }
    }
}

/// The options of a connection, from a URL and the configuration. A `sslmode` inside the URL wins over the configuration.
///
/// # Errors
/// A URL that cannot be read.
pub fn options(database: &Database, url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    let url = url.expose_secret();
    // The error of the parser may quote the URL and with it the password.
    let parsed = url::Url::parse(url).map_err(|error| unreadable(error.to_string()))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(unreadable("it must begin with postgres://".into()));
    }
    let mut options =
        PgConnectOptions::from_str(url).map_err(|_| unreadable("see the connection URIs of PostgreSQL's manual".into()))?;
    if !parsed.query_pairs().any(|(name, _)| name == "sslmode" || name == "ssl-mode") {
        options = options.ssl_mode(ssl_mode(database.tls_mode));
    }
    if let Some(file) = &database.tls_ca_file {
        options = options.ssl_root_cert(file);
    }
    // A partitioned table makes a generic plan far dearer than planning anew; compiling a plan costs more than any query here.
    let settings =
        [("search_path", search_path(&database.schema)), ("plan_cache_mode", "force_custom_plan".into()), ("jit", "off".into())];
    Ok(options.application_name("ragline").options(settings))
}

/// The pool of the application role. Connects when it is first used.
pub fn application(database: &Database, options: PgConnectOptions, suspicion: Suspicion) -> PgPool {
    pool(database.pool_size, suspicion).connect_lazy_with(limited(database, options))
}

/// With the limits of the application role's sessions.
pub(super) fn limited(database: &Database, options: PgConnectOptions) -> PgConnectOptions {
    let timeout_ms = database.statement_timeout_seconds.0.saturating_mul(1000).to_string();
    options.options([("statement_timeout", timeout_ms), ("idle_in_transaction_session_timeout", "60000".into())])
}

/// A small pool of the owner role, for index builds: their statements may take hours.
///
/// # Errors
/// A URL that cannot be read.
pub fn owner(database: &Database, url: &SecretString) -> Result<PgPool, StoreError> {
    Ok(pool(2, Suspicion::default()).acquire_timeout(Duration::from_secs(60)).connect_lazy_with(options(database, url)?))
}

fn pool(size: u32, suspicion: Suspicion) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(size).acquire_timeout(CONNECT_TIMEOUT).test_before_acquire(false).before_acquire(
        move |connection, meta| {
            let doubtful = meta.idle_for > TRUSTED_IDLE || suspicion.covers(meta.idle_for);
            Box::pin(async move {
                if doubtful {
                    connection.ping().await?;
                }
                Ok(true)
            })
        },
    )
}

/// Our schema first; extensions are in `public`; temporary objects last, so that nobody can put one before ours.
pub(super) fn search_path(schema: &str) -> String {
    if schema == "public" { "public,pg_temp".into() } else { format!("{schema},public,pg_temp") }
}

fn ssl_mode(mode: TlsMode) -> PgSslMode {
    match mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

fn unreadable(why: String) -> StoreError {
    StoreError::Failed { action: "reading the URL of the database", source: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<PgConnectOptions, StoreError> {
        options(&Database { tls_mode: TlsMode::Require, ..Database::default() }, &SecretString::from(url))
    }

    #[test]
    fn the_configuration_sets_the_tls_mode_unless_the_url_does() {
        assert!(matches!(read("postgres://u:p@h/d").unwrap().get_ssl_mode(), PgSslMode::Require));
        assert!(matches!(read("postgres://u:p@h/d?sslmode=disable").unwrap().get_ssl_mode(), PgSslMode::Disable));
    }

    #[test]
    fn an_unreadable_url_is_refused_without_being_quoted() {
        for url in ["postgres://u:secret@:x:/", "mysql://u:secret@h/d", "secret"] {
            let error = read(url).unwrap_err();
            let chain = format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
            assert!(!chain.contains("secret"), "{chain}");
        }
    }
}
