//! The figures of a run: a table to read and a file for programs.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};

use crate::{operator::Sample, setting};

/// What the operator did between two moments.
pub(crate) struct Phase<'a> {
    pub(crate) before: &'a Sample,
    pub(crate) after: &'a Sample,
    pub(crate) pipelines: usize,
}

impl Phase<'_> {
    fn delta(&self, name: &str, with: &str) -> f64 {
        self.after.sum(name, with) - self.before.sum(name, with)
    }

    /// Requests of these verbs, but those that begin a watch.
    fn requests(&self, verbs: &[&str]) -> f64 {
        verbs.iter().map(|verb| self.delta("ragline_operator_api_requests_total", &format!("verb=\"{verb}\""))).sum()
    }

    /// A quantile of the time of a reconcile in seconds, between the bounds of the histogram's buckets.
    fn quantile(&self, quantile: f64) -> f64 {
        let bucket = "ragline_operator_reconcile_seconds_bucket";
        let bounds: BTreeMap<u64, f64> = self
            .after
            .metrics
            .keys()
            .filter_map(|key| key.strip_prefix(bucket)?.split('"').nth(1)?.parse::<f64>().ok())
            .filter(|bound| bound.is_finite())
            .map(|bound| ((bound * 1e6) as u64, bound))
            .collect();
        let up_to = |bound: f64| self.delta(bucket, &format!("le=\"{bound}\""));
        let wanted = self.delta("ragline_operator_reconcile_seconds_count", "") * quantile;
        let (mut lower, mut below) = (0.0, 0.0);
        for bound in bounds.into_values() {
            let count = up_to(bound);
            if count >= wanted {
                return lower + (bound - lower) * (wanted - below) / (count - below).max(1.0);
            }
            (lower, below) = (bound, count);
        }
        lower
    }
}

/// Figures in the order in which they are told.
pub(crate) struct Figures {
    pipelines: usize,
    list: Vec<(String, f64, &'static str)>,
}

impl Figures {
    pub(crate) fn new(pipelines: usize) -> Self {
        Self { pipelines, list: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.list.push((name.to_owned(), value, unit));
    }

    pub(crate) fn phase(&mut self, name: &str, phase: &Phase<'_>) {
        let each = phase.pipelines as f64;
        let reconciles = phase.after.reconciles() - phase.before.reconciles();
        self.add(&format!("reconciles a pipeline, {name}"), reconciles / each, "");
        self.add(&format!("reconcile p50, {name}"), phase.quantile(0.5) * 1e3, "ms");
        self.add(&format!("reconcile p99, {name}"), phase.quantile(0.99) * 1e3, "ms");
        self.add(&format!("reads a pipeline, {name}"), phase.requests(&["get", "list"]) / each, "");
        self.add(&format!("writes a pipeline, {name}"), phase.requests(&["create", "patch", "update", "delete"]) / each, "");
    }

    pub(crate) fn memory(&mut self, name: &str, sample: &Sample) {
        self.add(&format!("resident memory, {name}"), sample.resident_mb, "MB");
        self.add(&format!("most resident memory, {name}"), sample.peak_mb, "MB");
    }

    /// Prints them, and adds them to the file of the run.
    pub(crate) fn keep(&self) {
        println!("\n  {} pipelines", self.pipelines);
        for (name, value, unit) in &self.list {
            println!("  {name:<48} {value:>10.1} {unit}");
        }
        let path = setting("RAGLINE_SCALE_RESULTS", "target/scale/results.json");
        let path = Path::new(&path);
        let mut results: Map<String, Value> =
            fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let figures: Vec<Value> =
            self.list.iter().map(|(name, value, unit)| json!({"name": name, "value": value, "unit": unit})).collect();
        results.insert(self.pipelines.to_string(), Value::Array(figures));
        fs::write(path, serde_json::to_vec_pretty(&results).unwrap()).unwrap();
    }
}
