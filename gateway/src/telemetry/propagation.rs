//! Traces across processes, by W3C Trace Context: `traceparent` and `tracestate` are taken from callers and given to the servers of models.
//! Where traces are off, nothing here does anything.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, TraceId,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{stage, subject::Subject};

static ON: AtomicBool = AtomicBool::new(false);

/// From here on spans are traced.
pub(super) fn switch_on() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether this process traces.
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// The trace of a trip, from its outermost span on. When it is dropped, also with a request that is given up, that span is told what the trip was
/// about, which is not known when it begins.
#[derive(Debug)]
pub struct Trace {
    pub id: TraceId,
    pub subject: Arc<Subject>,
    span: Span,
}

impl Trace {
    /// Makes the span the first of this process in its trace: the caller's, where headers name one. The span's field `trace_id` is filled.
    /// `None`: traces are off, or no span like this is traced.
    pub fn begin(span: &Span, headers: Option<&HeaderMap>) -> Option<Self> {
        if !is_on() {
            return None;
        }
        let own = Context::new();
        let propagator = TraceContextPropagator::new();
        let parent = headers.map_or_else(|| own.clone(), |headers| propagator.extract_with_context(&own, &Headers(headers)));
        let subject = Arc::<Subject>::default();
        span.set_parent(parent.with_value(Arc::clone(&subject))).ok()?;
        let id = trace_id(span)?;
        span.record("trace_id", tracing::field::display(id));
        Some(Self { id, subject, span: span.clone() })
    }

    /// Tells how the request was answered. `error` is the code of an answer whose fault is ours.
    pub fn end(self, status: u16, error: Option<String>) {
        self.span.set_attribute("http.response.status_code", i64::from(status));
        if let Some(code) = error {
            stage::fail(&self.span, code);
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        for attribute in self.subject.attributes() {
            self.span.set_attribute(attribute.key, attribute.value);
        }
    }
}

/// The trace that a span belongs to, for log lines.
pub fn trace_id(span: &Span) -> Option<TraceId> {
    if !is_on() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id())
}

/// Names the span as the parent of what a server does with a request.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    if is_on() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut HeadersMut(headers));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
