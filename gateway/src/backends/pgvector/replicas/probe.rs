//! The question that each server is asked, on a connection that is kept for it: the pool's may all be busy.

use std::{pin::Pin, sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::lag::Replayed;
use crate::backends::pgvector::session::Server;

/// A server that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A connection that is being made is waited for so often before another is begun.
const LONGEST_CONNECT: u32 = 8;
/// By which the connection is known in `pg_stat_activity`, apart from the pool's.
const NAME: &str = "ragline-watch";

/// A replica that has replayed all that it has received is not late by its own word, however long ago that was.
const ASK: &str = "SELECT pg_is_in_recovery(), \
      (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint, \
      CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() IS NULL OR pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() \
        THEN 0::float8 ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float8 END";

/// Of a primary without replicas nobody wants to know where its log ends, and not every host of PostgreSQL would tell.
const ASK_ALONE: &str = "SELECT pg_is_in_recovery(), 0::bigint, 0::float8";

type Asking = Pin<Box<dyn Future<Output = Result<(PgConnection, (bool, i64, f64)), sqlx::Error>> + Send>>;

/// Asks one server.
pub(super) struct Probe {
    server: Arc<Server>,
    question: &'static str,
    connection: Option<PgConnection>,
    /// A question on a connection that is still being made, and how often it was waited for.
    connecting: Option<(Asking, u32)>,
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
        Self { server, question: ASK, connection: None, connecting: None }
    }

    /// Of a primary without replicas.
    pub(super) fn alone(server: Arc<Server>) -> Self {
        Self { server, question: ASK_ALONE, connection: None, connecting: None }
    }

    /// Asks on this connection, or on one that is made for it.
    fn on(&self, kept: Option<PgConnection>) -> Asking {
        let (server, question) = (Arc::clone(&self.server), self.question);
        Box::pin(async move {
            let mut connection = match kept {
                Some(connection) => connection,
                None => PgConnection::connect_with(&server.options().application_name(NAME)).await?,
            };
            let answer = sqlx::query_as(question).fetch_one(&mut connection).await?;
            Ok((connection, answer))
        })
    }

    /// Asks whoever is behind the address the next time: a connection stays with the server that it was made to.
    pub(super) fn let_go(&mut self) {
        self.connection = None;
    }

    pub(super) async fn ask(&mut self) -> Result<Answer, Silence> {
        // Taken out, so that a connection which fails or hangs is dropped with its question.
        let (mut asking, waited) = match (self.connection.take(), self.connecting.take()) {
            (kept @ Some(_), _) => (self.on(kept), LONGEST_CONNECT),
            (None, Some(connecting)) => connecting,
            (None, None) => (self.on(None), 0),
        };
        let Ok(answer) = timeout(PATIENCE, &mut asking).await else {
            // A server that is slow to take connections would otherwise never have one.
            self.connecting = (waited + 1 < LONGEST_CONNECT).then_some((asking, waited + 1));
            return Err(Silence::TimedOut);
        };
        let (connection, (in_recovery, position, own_lag)) = answer.map_err(Silence::Refused)?;
        self.connection = Some(connection);
        if !in_recovery {
            return Ok(Answer::Primary(position));
        }
        let own_lag = Duration::try_from_secs_f64(own_lag.max(0.0)).unwrap_or(Duration::MAX);
        Ok(Answer::Replica(Replayed { position, own_lag }))
    }
}
