//! Logs: one JSON object a line on standard error, with the level or filter that was configured. Traces, where a collector is named: the
//! same spans, sent away. A trace holds numbers, names and words of closed sets; no event becomes part of one, since events have texts.

pub mod propagation;
mod queue;
pub mod stage;
pub mod subject;
mod tracer;
pub mod traces;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use self::traces::Traces;

/// The target of the log line of a question, which has the described fields, those of [`crate::answer`] beside them, and no others.
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

/// Sets up the process's log, and has its spans traced where `traces` are given.
///
/// # Errors
/// A level that does not parse, or a second call.
pub fn init(level: &str, traces: Option<&Traces>) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(level).map_err(|source| TelemetryError::Level { level: level.to_owned(), source })?;
    let Some(traces) = traces else {
        return tracing_subscriber::registry().with(filter).with(lines()).try_init().map_err(TelemetryError::Twice);
    };
    // What is logged and what is traced are chosen apart: stages are traced at any level of the log.
    let both = tracing_subscriber::registry().with(traces.layer()).with(lines().with_filter(filter));
    both.try_init().map_err(TelemetryError::Twice)?;
    propagation::switch_on();
    Ok(())
}

/// What writes the log.
fn lines<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let of_questions = line(false).with_filter(filter_fn(|metadata| metadata.target() == QUERY_TARGET));
    let of_all_else = line(true).with_filter(filter_fn(|metadata| metadata.target() != QUERY_TARGET && !holds_texts(metadata)));
    of_all_else.and_then(of_questions)
}

fn line<S>(with_spans: bool) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    layer.with_span_list(with_spans).with_writer(std::io::stderr)
}

/// What the library of the Model Context Protocol says of a message has questions and passages in it, at any level but the highest.
fn holds_texts(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("rmcp") && *metadata.level() != Level::ERROR
}
