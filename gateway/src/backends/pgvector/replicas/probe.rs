//! The question that each server is asked, on a connection that is kept for it: the pool's may all be busy.

use std::time::Duration;

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use super::lag::Replayed;

/// A server that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A replica that has replayed all that it has received is not late by its own word, however long ago that was.
const ASK: &str = "SELECT pg_is_in_recovery(), \
      (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint, \
      CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() IS NULL OR pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() \
        THEN 0::float8 ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float8 END";

/// Asks one server.
#[derive(Debug)]
pub(super) struct Probe {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    /// It takes writes; where its log ends.
    Primary(i64),
    Replica(Replayed),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error("it refuses or ends the connection")]
    Refused(#[source] sqlx::Error),
    #[error("it has not answered within {} s", PATIENCE.as_secs())]
    TimedOut,
}

impl Probe {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None }
    }

    /// Asks whoever is behind the address the next time: a connection stays with the server that it was made to.
    pub(super) fn let_go(&mut self) {
        self.connection = None;
    }

    pub(super) async fn ask(&mut self) -> Result<Answer, Silence> {
        // Taken out, so that a connection which fails or hangs is dropped with its question.
        let kept = self.connection.take();
        let asking = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.options).await?,
            };
            let answer: (bool, i64, f64) = sqlx::query_as(ASK).fetch_one(&mut connection).await?;
            Ok((connection, answer))
        };
        let (connection, (in_recovery, position, own_lag)) =
            timeout(PATIENCE, asking).await.map_err(|_| Silence::TimedOut)?.map_err(Silence::Refused)?;
        self.connection = Some(connection);
        if !in_recovery {
            return Ok(Answer::Primary(position));
        }
        let own_lag = Duration::try_from_secs_f64(own_lag.max(0.0)).unwrap_or(Duration::MAX);
        Ok(Answer::Replica(Replayed { position, own_lag }))
    }
}
