//! The tier in Valkey. Connects on first use and again by itself; every wait is bounded by cache.timeoutMs. What fails is counted
//! and is a miss, and Valkey is left alone for a moment then, so that one question does not wait out the limit once a step. The log
//! says once that Valkey went away and once that it came back.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ragline_config::Cache as CacheConfig;
use redis::RedisError;
use tracing::{info, warn};

use super::{
    TimesToLive,
    connection::{ConnectError, Connection, Passwords},
};
use crate::{
    metrics::Metrics,
    traits::cache::{CacheKey, Namespace},
};

/// A Valkey that failed is not asked again for this long.
const REST: Duration = Duration::from_secs(1);

/// A client of Valkey.
pub struct ValkeyCache {
    connection: Connection,
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
    pub fn open(config: &CacheConfig, passwords: &Passwords, times: TimesToLive, metrics: Metrics) -> Result<Self, ConnectError> {
        Ok(Self {
            connection: Connection::new(config, passwords)?,
            timeout: Duration::from_millis(config.timeout_ms),
            times,
            metrics,
            up: AtomicBool::new(false),
            scripts_refused: AtomicBool::new(false),
            rests_until: Mutex::default(),
        })
    }

    /// The values of the keys in one round trip; all absent when Valkey does not answer.
    pub async fn load_many(&self, namespace: Namespace, keys: &[CacheKey]) -> Vec<Option<Bytes>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(full_key(namespace, key));
        }
        let found: Option<Vec<Option<Vec<u8>>>> = self.watch(self.connection.query(&command)).await;
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
        let set = |(key, value): &(CacheKey, Bytes)| {
            let mut command = redis::cmd("SETEX");
            command.arg(full_key(namespace, key)).arg(seconds).arg(value.as_ref());
            command
        };
        let commands: Vec<_> = entries.iter().map(set).collect();
        self.watch(self.connection.send(&commands)).await;
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
        self.watch(self.connection.query(&command)).await
    }

    /// How long the value of a key stays, `None` where there is none.
    pub async fn time_to_live(&self, namespace: Namespace, key: &CacheKey) -> Option<Duration> {
        let ms: i64 = self.watch(self.connection.query(redis::cmd("PTTL").arg(full_key(namespace, key)))).await?;
        u64::try_from(ms).ok().map(Duration::from_millis)
    }

    /// What a script gives for the keys, which all have one hash tag, and arguments: whole numbers; `None` when Valkey does not
    /// answer, or runs no scripts for us.
    pub async fn run(&self, script: &str, keys: &[String], arguments: &[u64]) -> Option<Vec<i64>> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
        let run = async {
            match self.connection.query(&command).await {
                Ok(numbers) => Ok(Some(numbers)),
                Err(error) if self.connection.is_refusal(&error) => {
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
        self.watch(self.connection.query::<redis::Value>(&redis::cmd("PING"))).await.is_some()
    }

    /// Memory and evictions from INFO, of all masters together; `None` when one does not answer.
    pub async fn figures(&self) -> Option<ServerFigures> {
        let texts = self.watch(self.connection.info()).await?;
        let sum = |name: &str| texts.iter().map(|text| figure(text, name)).sum::<Option<f64>>();
        Some(ServerFigures { memory_used_bytes: sum("used_memory")?, evicted_keys: sum("evicted_keys")? })
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

    /// Whether it failed so lately that it is not asked.
    pub(super) fn rests(&self) -> bool {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn rest_until(&self, until: Option<Instant>) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// A figure of INFO.
fn figure(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}

fn full_key(namespace: Namespace, key: &CacheKey) -> String {
    format!("{}{}", namespace.prefix(), key.0)
}
