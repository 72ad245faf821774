//! Logs: one JSON object a line on standard error, with the level or filter that was configured.

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(
        "LOG_LEVEL or logging.level is {level:?}; it must be error, warn, info, debug, trace or a filter such as info,sqlx=warn"
    )]
    Level {
        level: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("the log is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log.
///
/// # Errors
/// A level that does not parse, or a second call.
pub fn init(level: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(level).map_err(|source| TelemetryError::Level { level: level.to_owned(), source })?;
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(TelemetryError::Twice)
}
