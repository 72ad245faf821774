//! A collector of traces on the loopback: takes OTLP over HTTP as protobuf, and tells what it was sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::{sync::watch, time::timeout};

/// Spans are gathered for a moment before they are sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Empty: none.
    pub(crate) parent: String,
    /// As the protocol numbers them: 1 internal, 2 server, 3 client, 5 consumer.
    pub(crate) kind: i32,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Whether its status is an error.
    pub(crate) failed: bool,
    pub(crate) events: usize,
}

impl Seen {
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) spans: Vec<Seen>,
    pub(crate) resource: BTreeMap<String, String>,
    /// Of the last request.
    pub(crate) headers: HeaderMap,
    /// Every byte of every request.
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Collector {
    /// `http://host:port`.
    pub(crate) address: String,
    taken: watch::Sender<Taken>,
}

impl Collector {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let collector = Arc::new(Self { address, taken: watch::Sender::new(Taken::default()) });
        let routes = Router::new().fallback(take).with_state(Arc::clone(&collector));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        collector
    }

    /// The trace that has a span of this name which begins it here, once all of it has come: its first span is sent last.
    pub(crate) async fn trace(&self, first: &str, is_wanted: impl Fn(&Seen) -> bool) -> (Seen, Vec<Seen>) {
        let find = |taken: &Taken| taken.spans.iter().find(|span| span.name == first && is_wanted(span)).cloned();
        let taken = self.taken_once(|taken| find(taken).is_some(), first).await;
        let first = find(&taken).unwrap();
        let others = taken.spans.into_iter().filter(|span| span.trace_id == first.trace_id && span.span_id != first.span_id);
        let others = others.collect();
        (first, others)
    }

    pub(crate) async fn taken_once(&self, is_there: impl Fn(&Taken) -> bool, what: &str) -> Taken {
        let mut taken = self.taken.subscribe();
        let waited = timeout(PATIENCE, taken.wait_for(|taken| is_there(taken))).await;
        match waited {
            Ok(taken) => taken.unwrap().clone(),
            Err(_) => panic!("{what} did not come: {:#?}", self.taken.borrow().spans),
        }
    }

    pub(crate) fn taken(&self) -> Taken {
        self.taken.borrow().clone()
    }
}

async fn take(State(collector): State<Arc<Collector>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!((uri.path(), headers[header::CONTENT_TYPE].as_bytes()), ("/v1/traces", &b"application/x-protobuf"[..]));
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else { return StatusCode::BAD_REQUEST.into_response() };
    collector.taken.send_modify(|taken| {
        taken.bytes.extend_from_slice(&body);
        taken.headers = headers;
        for resource in request.resource_spans {
            taken.resource = texts(resource.resource.unwrap_or_default().attributes);
            taken.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(seen));
        }
    });
    ExportTraceServiceResponse::default().encode_to_vec().into_response()
}

fn seen(span: Span) -> Seen {
    Seen {
        name: span.name,
        trace_id: hex::encode(span.trace_id),
        span_id: hex::encode(span.span_id),
        parent: hex::encode(span.parent_span_id),
        kind: span.kind,
        attributes: texts(span.attributes),
        failed: span.status.is_some_and(|status| status.code == 2),
        events: span.events.len(),
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|pair| (pair.key, text(pair.value.and_then(|value| value.value)))).collect()
}
