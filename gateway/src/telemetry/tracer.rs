//! How spans of the log become spans of a trace: under the names and kinds of OpenTelemetry's conventions, each with what it is about.

use std::{borrow::Cow, sync::Arc};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, SpanKind, Tracer},
};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::subject::Subject;

/// The span of a request that somebody made to the gateway.
const REQUEST: &str = "request";
/// The span of a request that the gateway makes to a server.
const CALL: &str = "call";
/// The span of a file that is taken in.
const INGEST: &str = "ingest";

/// The SDK's tracer with the conventions.
#[derive(Debug)]
pub(super) struct StageTracer(pub(super) SdkTracer);

impl Tracer for StageTracer {
    type Span = Span;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> Span {
        let attributes = builder.attributes.get_or_insert_default();
        let named = |key: &str| attributes.iter().find(|attribute| attribute.key.as_str() == key);
        let word = |key: &str| named(key).map_or(Cow::Borrowed("_OTHER"), |attribute| attribute.value.as_str());
        let (name, kind) = match builder.name.as_ref() {
            REQUEST => {
                let name = format!("{} {}", word("http.request.method"), word("http.route"));
                (Some(name), SpanKind::Server)
            }
            CALL => (Some(word("http.request.method").into_owned()), SpanKind::Client),
            INGEST => (None, SpanKind::Consumer),
            _ => (None, SpanKind::Internal),
        };
        let known = parent.get::<Arc<Subject>>().into_iter().flat_map(|subject| subject.attributes());
        attributes.extend(known.collect::<Vec<KeyValue>>());
        builder.span_kind = Some(kind);
        if let Some(name) = name {
            builder.name = Cow::Owned(name);
        }
        self.0.build_with_context(builder, parent)
    }
}
