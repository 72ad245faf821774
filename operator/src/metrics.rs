//! The operator's metrics. One struct with its registry; labels come from closed sets alone.

mod pipeline_conditions;

use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

pub use self::pipeline_conditions::PipelineConditions;

/// Upper bounds in seconds of a reconcile, which waits for nothing but the API server.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Every metric of the operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Label `outcome`: `ready`, `waiting`, `refused`, `paused` or `failed`.
    pub reconciles: IntCounterVec,
    pub reconcile_seconds: Histogram,
    /// Reconciles under way.
    pub reconciles_running: IntGauge,
    /// Pipelines that wait for another try after an error.
    pub pipelines_in_backoff: IntGauge,
    /// Labels `resource` and `verb`; rows of the access table only.
    pub api_requests: IntCounterVec,
    /// Label `resource`: objects of pipelines that were created, patched or deleted. Leader election does not count.
    pub api_writes: IntCounterVec,
    /// Label `outcome`: `read`, `unreachable` or `refused`.
    pub index_readings: IntCounterVec,
    pub index_reading_seconds: HistogramVec,
    /// 1 while this process leads.
    pub leader: IntGauge,
    pub watch_errors: IntCounter,
    /// Labels `pipeline_namespace`, `pipeline`, `condition` and `reason`; 1 where the condition is True.
    pub pipeline_conditions: PipelineConditions,
    registry: Registry,
}

impl Metrics {
    /// Counts a reconcile from here to [`Running::ended`].
    pub fn reconcile_begun(&self) -> Running {
        self.reconciles_running.inc();
        Running { metrics: self.clone(), begun: Instant::now() }
    }

    /// All of them in Prometheus' text format.
    ///
    /// # Errors
    /// The library's encoder refuses a metric.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = String::new();
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        self.pipeline_conditions.write(&mut text);
        Ok(text)
    }

    /// Metrics of which nothing was counted yet.
    ///
    /// # Errors
    /// Two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let name = |name: &str| format!("ragline_operator_{name}");
        let counters =
            |n: &str, help: &str, labels: &[&str]| keep(&registry, IntCounterVec::new(Opts::new(name(n), help), labels)?);
        let gauge = |n: &str, help: &str| keep(&registry, IntGauge::new(name(n), help)?);
        let seconds = |n: &str, help: &str| HistogramOpts::new(name(n), help).buckets(SECONDS.to_vec());
        Ok(Self {
            reconciles: counters("reconciles_total", "Reconciles by outcome.", &["outcome"])?,
            reconcile_seconds: keep(&registry, Histogram::with_opts(seconds("reconcile_seconds", "Time of one reconcile."))?)?,
            reconciles_running: gauge("reconciles_running", "Reconciles under way.")?,
            pipelines_in_backoff: gauge("pipelines_in_backoff", "Pipelines that wait for another try after an error.")?,
            api_requests: counters("api_requests_total", "Requests to the Kubernetes API.", &["resource", "verb"])?,
            api_writes: counters("api_writes_total", "Writes to objects of pipelines.", &["resource"])?,
            index_readings: counters("index_readings_total", "Readings of a gateway's index by outcome.", &["outcome"])?,
            index_reading_seconds: keep(
                &registry,
                HistogramVec::new(seconds("index_reading_seconds", "Time of one reading of a gateway's index."), &["outcome"])?,
            )?,
            pipeline_conditions: PipelineConditions::default(),
            leader: gauge("leader", "1 while this process leads.")?,
            watch_errors: keep(
                &registry,
                IntCounter::new(name("watch_errors_total"), "Watches that broke and were started again.")?,
            )?,
            registry,
        })
    }
}

/// A reconcile under way. One that is dropped, since it panicked or was cut off, is no longer counted as running.
#[derive(Debug)]
pub struct Running {
    metrics: Metrics,
    begun: Instant,
}

impl Running {
    /// Counts how it ended.
    pub fn ended(self, outcome: &str) {
        self.metrics.reconciles.with_label_values(&[outcome]).inc();
        self.metrics.reconcile_seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.metrics.reconciles_running.dec();
    }
}

fn keep<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_librarys_metrics_and_ours() {
        let metrics = Metrics::new().unwrap();
        metrics.leader.set(1);
        metrics.pipeline_conditions.tell(
            "team",
            "docs",
            &[pipeline_conditions::condition("Ready", "True", "AllComponentsReady")],
        );
        let text = metrics.text().unwrap();
        assert!(text.contains("ragline_operator_leader 1\n") && text.contains("condition=\"Ready\""), "{text}");
    }
}
