//! Traces as a whole: opened from the settings, joined to the log's spans, sent beside everything else until the process ends. Nothing that is
//! served waits for the collector, and nothing fails with it.

use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider, SpanData},
};
use ragline_config::env;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Metadata, Subscriber, info, level_filters::LevelFilter, warn};
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};
use uuid::Uuid;

use super::{
    queue::{Spans, queue},
    tracer::StageTracer,
};
use crate::{
    backends::collector::{Collector, CollectorError},
    metrics::Metrics,
    settings::Settings,
};

/// The name of the service, and of what makes the spans.
const SERVICE: &str = "ragline-gateway";
/// The target of spans that are logged and not traced: probes come every few seconds and say nothing.
pub const UNTRACED: &str = "ragline_gateway::probe";
/// Only spans of our own are traced: those of libraries may carry texts.
const OWN: &str = "ragline_gateway";
/// Tries to send the same spans.
const TRIES: u32 = 3;
/// The pause after the first.
const PAUSE: Duration = Duration::from_secs(1);

/// Traces that are switched on.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    exporter: Exporter,
}

impl Traces {
    /// `None` where no collector is named.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn open(settings: &Settings) -> Result<Option<Self>, CollectorError> {
        let tracing = &settings.config.tracing;
        let Some(endpoint) = &tracing.endpoint else { return Ok(None) };
        let (queue, spans) = queue();
        let resource = resource();
        let root = Sampler::TraceIdRatioBased(tracing.sampling_ratio);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .with_resource(resource.clone())
            .with_span_processor(queue)
            .build();
        let headers = settings.secrets.tracing_headers.clone();
        let collector = Collector::new(endpoint, tracing.tls_ca_file.as_deref(), headers, &resource)?;
        Ok(Some(Self { provider, exporter: Exporter { spans, collector, is_away: false } }))
    }

    /// What turns the log's spans into those of traces.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(StageTracer(self.provider.tracer(SERVICE)));
        let plain = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
        let is_traced: fn(&Metadata<'_>) -> bool = is_traced;
        let filter = FilterFn::new(is_traced).with_max_level_hint(LevelFilter::DEBUG);
        plain.with_tracked_inactivity(false).with_context_activation(false).with_filter(filter)
    }

    /// What sends them.
    pub fn into_exporter(self) -> Exporter {
        self.exporter
    }
}

fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(OWN) && metadata.target() != UNTRACED
}

/// What the process is, with what the standard variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say of it.
fn resource() -> Resource {
    let instance = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let mut own = vec![
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance.unwrap_or_else(|| Uuid::new_v4().to_string())),
    ];
    let named = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    if !named(env::OTEL_SERVICE_NAME) {
        own.push(KeyValue::new("service.name", SERVICE));
    }
    Resource::builder().with_attributes(own).build()
}

/// Sends spans to the collector.
#[derive(Debug)]
pub struct Exporter {
    spans: Spans,
    collector: Collector,
    /// The last spans could not be sent, which has been logged.
    is_away: bool,
}

impl Exporter {
    /// Sends what ends, and after the stop what is left.
    pub async fn run(mut self, metrics: Metrics, stop: CancellationToken) {
        loop {
            let batch = self.spans.batch(&stop).await;
            metrics.spans_dropped.with_label_values(&["queue_full"]).inc_by(self.spans.overflown());
            if batch.is_empty() {
                return;
            }
            self.send(batch, &metrics, &stop).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>, metrics: &Metrics, stop: &CancellationToken) {
        let count = batch.len() as u64;
        let message = self.collector.message(batch);
        let mut pause = PAUSE;
        let mut tries = 1;
        let sent = loop {
            match self.collector.send(message.clone()).await {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                        break Err(error);
                    }
                    pause *= 2;
                }
                ended => break ended,
            }
        };
        let dropped = |reason, spans| metrics.spans_dropped.with_label_values(&[reason]).inc_by(spans);
        match sent {
            Ok(rejected) => {
                metrics.spans_sent.inc_by(count.saturating_sub(rejected));
                dropped("rejected", rejected);
                if std::mem::take(&mut self.is_away) {
                    info!("the collector of traces takes spans again");
                }
            }
            Err(error) => {
                dropped("unsent", count);
                if !std::mem::replace(&mut self.is_away, true) {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "the collector of traces takes no spans; they are dropped until it does");
                }
            }
        }
    }
}
