//! Spans that ended, until they are sent: a bounded queue. When it is full, what comes is dropped and counted; whoever ended a span never
//! waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Spans that may wait, about a kilobyte each.
const MOST_WAITING: usize = 4_096;
/// Spans that are sent together.
const BATCH: usize = 512;
/// A span waits so long for company.
const GATHER: Duration = Duration::from_secs(2);

/// The end where spans go in.
#[derive(Debug)]
pub(super) struct Queue {
    sender: Sender<SpanData>,
    overflown: Arc<AtomicU64>,
}

/// The end where they come out.
#[derive(Debug)]
pub(super) struct Spans {
    receiver: Receiver<SpanData>,
    overflown: Arc<AtomicU64>,
}

pub(super) fn queue() -> (Queue, Spans) {
    let (sender, receiver) = channel(MOST_WAITING);
    let overflown = Arc::<AtomicU64>::default();
    (Queue { sender, overflown: Arc::clone(&overflown) }, Spans { receiver, overflown })
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.overflown.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is queued is sent by whoever holds the other end.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Spans {
    /// The next spans to send together; none once nothing comes any more. After the stop: what is there.
    pub(super) async fn batch(&mut self, stop: &CancellationToken) -> Vec<SpanData> {
        let mut batch = Vec::new();
        if stop.run_until_cancelled(self.receiver.recv_many(&mut batch, BATCH)).await.is_some() {
            let until = Instant::now() + GATHER;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                let more = timeout_at(until, self.receiver.recv_many(&mut batch, room));
                match stop.run_until_cancelled(more).await {
                    Some(Ok(count)) if count > 0 => {}
                    Some(Ok(_) | Err(_)) | None => break,
                }
            }
            return batch;
        }
        while batch.len() < BATCH
            && let Ok(span) = self.receiver.try_recv()
        {
            batch.push(span);
        }
        batch
    }

    /// Spans that were dropped since this was asked last.
    pub(super) fn overflown(&self) -> u64 {
        self.overflown.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

    use super::*;

    /// Spans that ended. Nothing comes any more once the provider is gone.
    fn traced(sampler: Sampler, count: usize) -> (SdkTracerProvider, Spans) {
        let (queue, spans) = queue();
        let provider = SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(queue).build();
        let tracer = provider.tracer("test");
        for _ in 0..count {
            tracer.start("stage").end();
        }
        (provider, spans)
    }

    #[tokio::test]
    async fn what_finds_no_room_is_dropped_and_counted_and_the_rest_comes_in_batches() {
        let (_provider, mut spans) = traced(Sampler::AlwaysOn, MOST_WAITING + 7);
        assert_eq!((spans.overflown(), spans.overflown()), (7, 0));
        let stop = CancellationToken::new();
        assert_eq!(spans.batch(&stop).await.len(), BATCH);
        stop.cancel();
        let mut left = 0;
        loop {
            let batch = spans.batch(&stop).await;
            if batch.is_empty() {
                break;
            }
            left += batch.len();
        }
        assert_eq!(left, MOST_WAITING - BATCH, "nothing that was queued is lost at the stop");
    }

    #[tokio::test]
    async fn what_is_not_sampled_is_not_queued() {
        let (_provider, mut spans) = traced(Sampler::AlwaysOff, 3);
        let stop = CancellationToken::new();
        stop.cancel();
        assert!(spans.batch(&stop).await.is_empty());
    }
}
