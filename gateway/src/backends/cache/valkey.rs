//! The tier in Valkey. Connects on first use and again by itself; every wait is bounded by cache.timeoutMs. What fails is counted
//! and is a miss, and Valkey is left alone for a moment then, so that one question does not wait out the limit once a step. The log
//! says once that Valkey went away and once that it came back.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ragline_config::Cache as CacheConfig;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::TimesToLive;
use crate::{
    metrics::Metrics,
    traits::cache::{CacheKey, Namespace},
};

/// A Valkey that failed is not asked again for this long.
const REST: Duration = Duration::from_secs(1);

/// Codes by which a Valkey that is well refuses a script: no reason to do without the cache.
const SCRIPT_REFUSALS: [&str; 5] = ["ERR", "NOPERM", "OOM", "MISCONF", "READONLY"];

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ValkeyError {
    #[error("the certificates in {path} (cache.tlsCaFile) cannot be read")]
    ReadCertificates {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no connection can be made to Valkey at {host}:{port}; check cache.host, cache.port and the certificates")]
    Address {
        host: String,
        port: u16,
        #[source]
        source: RedisError,
    },
}

/// A client of one Valkey.
pub struct ValkeyCache {
    connection: ConnectionManager,
    timeout: Duration,
    times: TimesToLive,
    metrics: Metrics,
    up: AtomicBool,
    /// That it was said that scripts are refused.
    scripts_refused: AtomicBool,
    /// When it may be asked again, after a failure.
    rests_until: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for ValkeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValkeyCache").field("up", &self.up).finish_non_exhaustive()
    }
}

/// What Valkey says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerFigures {
    pub memory_used_bytes: f64,
    pub evicted_keys: f64,
}

impl ValkeyCache {
    /// A client for the configured server. Does not connect yet.
    ///
    /// # Errors
    /// An address or certificate that no connection can be made of.
    pub fn open(
        config: &CacheConfig,
        password: Option<SecretString>,
        times: TimesToLive,
        metrics: Metrics,
    ) -> Result<Self, ValkeyError> {
        let timeout = Duration::from_millis(config.timeout_ms);
        let address = |source| ValkeyError::Address { host: config.host.clone(), port: config.port, source };
        let options = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout.max(Duration::from_millis(500))))
            .set_response_timeout(Some(timeout))
            .set_number_of_retries(1)
            .set_concurrency_limit(1_024);
        let client = client(config, password)?;
        let connection = ConnectionManager::new_lazy_with_config(client, options).map_err(address)?;
        Ok(Self {
            connection,
            timeout,
            times,
            metrics,
            up: AtomicBool::new(false),
            scripts_refused: AtomicBool::new(false),
            rests_until: Mutex::default(),
        })
    }

    /// The values of the keys in one round trip; all absent when Valkey does not answer.
    pub async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Bytes>> {
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(full_key(namespace, key));
        }
        let mut connection = self.connection.clone();
        let found: Option<Vec<Option<Vec<u8>>>> = self.watch(command.query_async(&mut connection)).await;
        match found {
            Some(values) if values.len() == keys.len() => values.into_iter().map(|v| v.map(Bytes::from)).collect(),
            Some(_) | None => vec![None; keys.len()],
        }
    }

    /// Keeps the values in one round trip.
    pub async fn store_many(&self, namespace: Namespace, entries: Vec<(CacheKey, Bytes)>) {
        if entries.is_empty() {
            return;
        }
        let seconds = self.times.of(namespace).as_secs().max(1);
        let mut pipeline = redis::pipe();
        for (key, value) in &entries {
            pipeline.set_ex(full_key(namespace, key), value.as_ref(), seconds).ignore();
        }
        let mut connection = self.connection.clone();
        let _: Option<()> = self.watch(pipeline.query_async(&mut connection)).await;
    }

    /// Removes the values of the keys in one round trip; `None` when Valkey does not answer.
    pub async fn remove_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Option<u64> {
        if keys.is_empty() {
            return Some(0);
        }
        let mut command = redis::cmd("UNLINK");
        for key in keys {
            command.arg(full_key(namespace, key));
        }
        let mut connection = self.connection.clone();
        self.watch(command.query_async(&mut connection)).await
    }

    /// How long the value of a key stays, `None` where there is none.
    pub async fn time_to_live(&self, namespace: Namespace, key: &CacheKey) -> Option<Duration> {
        let mut connection = self.connection.clone();
        let ms: i64 = self.watch(redis::cmd("PTTL").arg(full_key(namespace, key)).query_async(&mut connection)).await?;
        u64::try_from(ms).ok().map(Duration::from_millis)
    }

    /// What a script gives for the keys and arguments: whole numbers; `None` when Valkey does not answer, or runs no scripts for us.
    pub async fn run(&self, script: &str, keys: &[String], arguments: &[u64]) -> Option<Vec<i64>> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
        let mut connection = self.connection.clone();
        let run = async {
            match command.query_async(&mut connection).await {
                Ok(numbers) => Ok(Some(numbers)),
                Err(error) if error.code().is_some_and(|code| SCRIPT_REFUSALS.contains(&code)) => {
                    if !self.scripts_refused.swap(true, Ordering::Relaxed) {
                        warn!(%error, "Valkey refuses a script; each gateway counts by itself what keys may spend");
                    }
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        };
        self.watch(run).await.flatten()
    }

    /// Whether it answers a PING. Asks even after a failure.
    pub async fn is_reachable(&self) -> bool {
        self.rest_until(None);
        let mut connection = self.connection.clone();
        self.watch(redis::cmd("PING").query_async::<String>(&mut connection)).await.is_some()
    }

    /// Memory and evictions from INFO; `None` when it does not answer.
    pub async fn figures(&self) -> Option<ServerFigures> {
        let mut connection = self.connection.clone();
        let text: String = self.watch(redis::cmd("INFO").query_async(&mut connection)).await?;
        let figure = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok());
        Some(ServerFigures { memory_used_bytes: figure("used_memory")?, evicted_keys: figure("evicted_keys")? })
    }

    /// Bounds the wait, counts what fails, and notes when Valkey comes and goes.
    async fn watch<T>(&self, command: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        if self.rests() {
            return None;
        }
        let failure = match tokio::time::timeout(self.timeout.saturating_mul(2), command).await {
            Ok(Ok(value)) => {
                if !self.up.swap(true, Ordering::Relaxed) {
                    self.metrics.valkey_connection_success.inc();
                    info!("Valkey answers");
                }
                return Some(value);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.rest_until(Some(Instant::now() + REST));
        self.metrics.valkey_connection_error.inc();
        if self.up.swap(false, Ordering::Relaxed) || self.metrics.valkey_connection_error.get() == 1 {
            warn!(error = %failure, "Valkey does not answer; going on without it");
        }
        None
    }

    fn rests(&self) -> bool {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn rest_until(&self, until: Option<Instant>) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

fn client(config: &CacheConfig, password: Option<SecretString>) -> Result<Client, ValkeyError> {
    let address = |source| ValkeyError::Address { host: config.host.clone(), port: config.port, source };
    let mut redis = RedisConnectionInfo::default().set_db(i64::from(config.database));
    if let Some(password) = &password {
        redis = redis.set_password(password.expose_secret());
    }
    let (host, port) = (config.host.clone(), config.port);
    let with = |addr: ConnectionAddr| -> Result<ConnectionInfo, ValkeyError> {
        Ok(addr.into_connection_info().map_err(address)?.set_redis_settings(redis.clone()))
    };
    if !config.tls {
        return Client::open(with(ConnectionAddr::Tcp(host, port))?).map_err(address);
    }
    let info = with(ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None })?;
    let Some(path) = &config.tls_ca_file else { return Client::open(info).map_err(address) };
    let root = std::fs::read(path).map_err(|source| ValkeyError::ReadCertificates { path: path.clone(), source })?;
    Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(root) }).map_err(address)
}

fn full_key(namespace: Namespace, key: &CacheKey) -> String {
    format!("{}{}", namespace.prefix(), key.0)
}
