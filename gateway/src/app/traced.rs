//! The sending of traces: it begins before the first request and ends after the last.

use std::time::Duration;

use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{metrics::Metrics, telemetry::traces::Exporter};

/// What is left at the end must be sent within this.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

/// The task that sends.
#[derive(Debug)]
pub(super) struct Traced {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Traced {
    pub(super) fn start(exporter: Exporter, metrics: Metrics) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(exporter.run(metrics, stop.clone())), stop }
    }

    /// Has the spans of the last requests sent. A collector that does not take them holds the end up no longer than a moment.
    pub(super) async fn finish(mut self) {
        self.stop.cancel();
        if timeout(FLUSH_WITHIN, &mut self.task).await.is_err() {
            self.task.abort();
            warn!("the last spans were not taken by the collector of traces in time; they are dropped");
        }
    }
}
