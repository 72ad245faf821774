//! The server's figures for the metrics, and the loop that keeps the database tidy.

use std::time::Duration;

use sqlx::Row;
use tokio::time::{MissedTickBehavior, interval};

use super::{Store, failed};
use crate::traits::{responses::MOST_RESPONSES, search::StoreError};

/// How often orphaned bytes and old jobs are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How often deleted workspaces are looked for, beside being told of one.
const ERASE_EVERY: Duration = Duration::from_secs(30);

/// What the application may know about the server as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerFigures {
    /// Connections to this database that run a statement.
    pub connections_active: i64,
    pub locks_waiting: i64,
    /// Counted since the server's statistics were reset.
    pub buffers_alloc: i64,
    /// Scans of the vector indexes that serve now.
    pub index_scans: i64,
}

impl Store {
    /// Reads the server's figures.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn figures(&self) -> Result<ServerFigures, StoreError> {
        let error = |error| failed("reading the server's figures", error);
        let row = sqlx::query("SELECT connections_active, locks_waiting, buffers_alloc, index_scans FROM server_figures()")
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(error)?;
        Ok(ServerFigures {
            connections_active: row.try_get("connections_active").map_err(error)?,
            locks_waiting: row.try_get("locks_waiting").map_err(error)?,
            buffers_alloc: row.try_get("buffers_alloc").map_err(error)?,
            index_scans: row.try_get("index_scans").map_err(error)?,
        })
    }

    /// Removes bytes that nothing names, jobs and keys that ended a month ago, and responses that are older; gives their number.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn sweep(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT sweep() + forget_keys() + forget_responses($1)")
            .bind(i32::try_from(MOST_RESPONSES).unwrap_or(i32::MAX))
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("sweeping", error))
    }

    /// Sweeps and merges postings now and then, and erases deleted workspaces as soon as it hears of them, for ever. To be spawned,
    /// and aborted on shutdown.
    pub async fn maintain(self) {
        Box::pin(self.again_after_silence(|| async { tokio::join!(self.keep_clean(), self.tend_postings()) })).await;
    }

    async fn keep_clean(&self) {
        let mut deleted = self.inner.signals.erase();
        let mut sweeps = interval(SWEEP_EVERY);
        let mut erasures = interval(ERASE_EVERY);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        erasures.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = sweeps.tick() => {
                    self.sweep_and_tell().await;
                    self.delete_expired_files().await;
                    self.tend_vector_stores().await;
                }
                _ = erasures.tick() => self.erase_all().await,
                // The sender lives as long as the store.
                _ = deleted.changed() => self.erase_all().await,
            }
        }
    }

    async fn sweep_and_tell(&self) {
        match self.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed orphaned uploads, old jobs, keys and responses"),
            Err(error) => tracing::warn!(error = %error, "orphaned uploads could not be removed, trying again later"),
        }
    }
}
