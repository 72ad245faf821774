//! What an error of PostgreSQL means to a caller. Decided by SQLSTATE, never by the message.

use std::io;

use crate::traits::search::StoreError;

/// Names the act that failed and sorts its error.
pub fn failed(action: &'static str, error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::Unreachable(Box::new(error))
        }
        sqlx::Error::PoolTimedOut => StoreError::PoolExhausted,
        sqlx::Error::Database(database) => match database.code().as_deref().map(meaning) {
            Some(Meaning::Unreachable) => StoreError::Unreachable(Box::new(error)),
            Some(Meaning::Unauthorized) => StoreError::Unauthorized(Box::new(error)),
            Some(Meaning::Busy) => StoreError::PoolExhausted,
            Some(Meaning::DiskFull) => StoreError::DiskFull,
            Some(Meaning::TimedOut) => StoreError::TimedOut,
            Some(Meaning::Conflict) => StoreError::Conflict { what: "data" },
            Some(Meaning::Other) | None => StoreError::Failed { action, source: Box::new(error) },
        },
        sqlx::Error::Protocol(_) => StoreError::Unreachable(Box::new(error)),
        _ => StoreError::Failed { action, source: Box::new(error) },
    }
}

/// Whether waiting may help: the server is starting, or the network is not there yet.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(source) => source.kind() != io::ErrorKind::InvalidInput,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| matches!(meaning(&code), Meaning::Unreachable | Meaning::Busy))
        }
        sqlx::Error::PoolTimedOut => true,
        _ => false,
    }
}

/// Whether the error says that a table or function is not there.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(code.as_str(), "42P01" | "42883" | "3F000"))
}

pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned)
}

enum Meaning {
    Unreachable,
    Unauthorized,
    Busy,
    DiskFull,
    TimedOut,
    Conflict,
    Other,
}

fn meaning(code: &str) -> Meaning {
    match code {
        // Shutting down, crashed, starting up; a primary that has become a standby refuses to write.
        "57P01" | "57P02" | "57P03" | "57P05" | "25006" => Meaning::Unreachable,
        "28P01" | "28000" => Meaning::Unauthorized,
        "53300" => Meaning::Busy,
        "53100" => Meaning::DiskFull,
        "57014" | "55P03" => Meaning::TimedOut,
        "40001" | "40P01" => Meaning::Conflict,
        _ if code.starts_with("08") => Meaning::Unreachable,
        _ => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_connection_is_unreachable_and_transient() {
        let error = failed("reading", sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()));
        assert!(matches!(error, StoreError::Unreachable(_)) && error.is_transient(), "{error}");
    }

    #[test]
    fn a_missing_row_is_a_bug_of_ours() {
        assert!(matches!(failed("reading", sqlx::Error::RowNotFound), StoreError::Failed { action: "reading", .. }));
    }
}
