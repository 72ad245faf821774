//! Logs: one JSON object a line on standard output. No secret ever reaches a field.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter {filter:?} is not valid; give a level or directives such as info,ragline_operator=debug")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error("logging was started twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging for the process.
///
/// # Errors
/// A filter that does not parse, or a second call.
pub fn start(filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false))
        .try_init()
        .map_err(TelemetryError::Twice)
}

/// An error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
