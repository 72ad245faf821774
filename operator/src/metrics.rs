//! The operator's metrics. One struct, registered into a given registry; labels come from closed sets alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

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
    pipeline_conditions: IntGaugeVec,
    /// The reasons that each pipeline's conditions have in the gauge.
    told: Arc<Mutex<Told>>,
}

/// Condition and reason by namespace and name.
type Told = HashMap<(String, String), Vec<(String, String)>>;

impl Metrics {
    /// Counts a reconcile from here to [`Running::ended`].
    pub fn reconcile_begun(&self) -> Running {
        self.reconciles_running.inc();
        Running { metrics: self.clone(), begun: Instant::now() }
    }

    /// Tells how a pipeline is; without conditions it is forgotten.
    pub fn tell(&self, namespace: &str, name: &str, conditions: &[Condition]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> = conditions.iter().map(|one| (one.type_.clone(), one.reason.clone())).collect();
        let key = (namespace.to_owned(), name.to_owned());
        let before = if now.is_empty() { told.remove(&key) } else { told.insert(key, now.clone()) };
        for (condition, reason) in before.iter().flatten().filter(|pair| !now.contains(pair)) {
            // Not there any more is as good.
            let _ = self.pipeline_conditions.remove_label_values(&[namespace, name, condition, reason]);
        }
        for condition in conditions {
            let labels = [namespace, name, condition.type_.as_str(), condition.reason.as_str()];
            self.pipeline_conditions.with_label_values(&labels).set(i64::from(condition.status == "True"));
        }
    }

    /// Registers every metric.
    ///
    /// # Errors
    /// A name that the registry already holds.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let name = |name: &str| format!("ragline_operator_{name}");
        let counters =
            |n: &str, help: &str, labels: &[&str]| keep(registry, IntCounterVec::new(Opts::new(name(n), help), labels)?);
        let gauge = |n: &str, help: &str| keep(registry, IntGauge::new(name(n), help)?);
        let seconds = |n: &str, help: &str| HistogramOpts::new(name(n), help).buckets(SECONDS.to_vec());
        Ok(Self {
            reconciles: counters("reconciles_total", "Reconciles by outcome.", &["outcome"])?,
            reconcile_seconds: keep(registry, Histogram::with_opts(seconds("reconcile_seconds", "Time of one reconcile."))?)?,
            reconciles_running: gauge("reconciles_running", "Reconciles under way.")?,
            pipelines_in_backoff: gauge("pipelines_in_backoff", "Pipelines that wait for another try after an error.")?,
            api_requests: counters("api_requests_total", "Requests to the Kubernetes API.", &["resource", "verb"])?,
            api_writes: counters("api_writes_total", "Writes to objects of pipelines.", &["resource"])?,
            index_readings: counters("index_readings_total", "Readings of a gateway's index by outcome.", &["outcome"])?,
            index_reading_seconds: keep(
                registry,
                HistogramVec::new(seconds("index_reading_seconds", "Time of one reading of a gateway's index."), &["outcome"])?,
            )?,
            pipeline_conditions: keep(
                registry,
                IntGaugeVec::new(
                    Opts::new(name("pipeline_condition"), "1 where the condition of a pipeline is True."),
                    &["pipeline_namespace", "pipeline", "condition", "reason"],
                )?,
            )?,
            told: Arc::default(),
            leader: gauge("leader", "1 while this process leads.")?,
            watch_errors: keep(
                registry,
                IntCounter::new(name("watch_errors_total"), "Watches that broke and were started again.")?,
            )?,
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
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use prometheus::Encoder;

    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }
    }

    /// The lines about conditions.
    fn lines(registry: &Registry) -> Vec<String> {
        let mut text = Vec::new();
        prometheus::TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().filter(|line| line.starts_with("ragline_operator_pipeline_condition{")).map(str::to_owned).collect()
    }

    #[test]
    fn a_condition_is_told_with_its_newest_reason_until_the_pipeline_is_gone() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let [namespace, name] = ["team", "docs"];
        let still = condition("Stalled", "False", "NothingStalled");
        metrics.tell(namespace, name, &[condition("Ready", "False", "Provisioning"), still.clone()]);
        metrics.tell(namespace, name, &[condition("Ready", "True", "AllComponentsReady"), still]);
        let told = lines(&registry);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().any(|line| line.contains("AllComponentsReady") && line.ends_with(" 1")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("NothingStalled") && line.ends_with(" 0")), "{told:?}");
        metrics.tell(namespace, name, &[]);
        assert!(lines(&registry).is_empty());
    }
}
