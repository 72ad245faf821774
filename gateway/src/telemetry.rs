//! Logs: one JSON object a line on standard error, with the level or filter that was configured.

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

/// The target of the log line of a question, which has the described fields and no others.
pub const QUERY_TARGET: &str = "ragline_gateway::query";

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
    let lines = |with_spans| {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
        layer.with_span_list(with_spans).with_writer(std::io::stderr)
    };
    let of_questions = lines(false).with_filter(filter_fn(|metadata| metadata.target() == QUERY_TARGET));
    let of_all_else = lines(true).with_filter(filter_fn(|metadata| metadata.target() != QUERY_TARGET && !holds_texts(metadata)));
    tracing_subscriber::registry().with(filter).with(of_all_else.and_then(of_questions)).try_init().map_err(TelemetryError::Twice)
}

/// What the library of the Model Context Protocol says of a message has questions and passages in it, at any level but the highest.
fn holds_texts(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("rmcp") && *metadata.level() != Level::ERROR
}
