//! The question that each server is asked, on a connection that is kept for it: the pool's may all be busy.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::lag::Replayed;
use crate::backends::pgvector::session::Server;

/// A server that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A replica that has replayed all that it has received is not late by its own word, however long ago that was.
const ASK: &str = "SELECT pg_is_in_recovery(), \
      (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint, \
      CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() IS NULL OR pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() \
        THEN 0::float8 ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float8 END";

/// Of a primary without replicas nobody wants to know where its log ends, and not every host of PostgreSQL would tell.
const ASK_ALONE: &str = "SELECT pg_is_in_recovery(), 0::bigint, 0::float8";

/// Asks one server.
#[derive(Debug)]
pub(super) struct Probe {
    server: Arc<Server>,
    question: &'static str,
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
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server, question: ASK, connection: None }
    }

    /// Of a primary without replicas.
    pub(super) fn alone(server: Arc<Server>) -> Self {
        Self { server, question: ASK_ALONE, connection: None }
    }

    pub(super) async fn ask(&mut self) -> Result<Answer, Silence> {
        // Taken out, so that a connection which fails or hangs is dropped with its question.
        let kept = self.connection.take();
        let asking = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.server.options()).await?,
            };
            let answer: (bool, i64, f64) = sqlx::query_as(self.question).fetch_one(&mut connection).await?;
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
