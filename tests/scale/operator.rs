//! The operator's own program, as it is released: started, looked into, killed.

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::setting;

/// What is waited for takes less than this.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Without a reconcile for so long, what has happened is answered.
const QUIET: Duration = Duration::from_secs(12);

/// A running operator. It is killed when it is dropped.
pub(crate) struct Operator {
    child: Child,
    url: String,
    pipelines: usize,
}

/// Its metrics and its memory at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// By name with labels.
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) resident_mb: f64,
    pub(crate) peak_mb: f64,
}

impl Sample {
    /// The sum of a metric over all labels that hold `with`.
    pub(crate) fn sum(&self, name: &str, with: &str) -> f64 {
        let of = |key: &str| key.split('{').next() == Some(name) && key.contains(with);
        self.metrics.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    }

    pub(crate) fn writes(&self) -> f64 {
        self.sum("ragline_operator_api_writes_total", "")
    }

    pub(crate) fn reconciles(&self) -> f64 {
        self.sum("ragline_operator_reconciles_total", "")
    }
}

impl Operator {
    pub(crate) async fn start(pipelines: usize) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let mut program = Command::new(setting("RAGLINE_SCALE_OPERATOR", "target/release/ragline-operator"));
        program.args(["run", "--no-leader-election", "--listen", &listen, "--log-level", "warn"]);
        // As the chart has it.
        program.env("MALLOC_ARENA_MAX", "1");
        let log = fs::OpenOptions::new().create(true).append(true).open(setting("RAGLINE_SCALE_LOG", "/dev/null")).unwrap();
        program.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let operator = Self { child: program.spawn().unwrap(), url: format!("http://{listen}"), pipelines };
        let begun = Instant::now();
        while !reqwest::get(format!("{}/readyz", operator.url)).await.is_ok_and(|reply| reply.status().is_success()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "the operator does not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        operator
    }

    /// As a crash would.
    pub(crate) fn kill(self) {
        drop(self);
    }

    pub(crate) async fn sample(&self) -> Sample {
        let text = reqwest::get(format!("{}/metrics", self.url)).await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        let metrics = lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect();
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let megabytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<f64>().ok()).unwrap_or_default() / 1_024.0
        };
        Sample { metrics, resident_mb: megabytes("VmRSS:"), peak_mb: megabytes("VmHWM:") }
    }

    /// Waits until this process has looked at every pipeline and found it Ready.
    pub(crate) async fn all_told(&self) {
        let begun = Instant::now();
        loop {
            let told = self.sample().await.sum("ragline_operator_pipeline_condition", "condition=\"Ready\"");
            if told >= self.pipelines as f64 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the operator has told of {told} pipelines");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until nothing is answered any more; what the timer begins does not count.
    pub(crate) async fn quiet(&self) -> Sample {
        let begun = Instant::now();
        let mut last = self.sample().await;
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.sample().await;
            let due = QUIET.as_secs_f64() / 120.0 * self.pipelines as f64;
            if now.writes() == last.writes() && now.reconciles() - last.reconciles() <= due * 2.0 + 2.0 {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "the operator does not come to rest");
            last = now;
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
