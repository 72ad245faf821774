//! The load generator: clients that send the next request as soon as the last one is answered, for a bounded time, over connections
//! that are kept alive. And the bare route that shows what the generator itself can do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use axum::body::Bytes;
use reqwest::Client;
use tokio::task::JoinSet;

/// A request that has not been answered after this fails the measurement.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked again and again.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) api_key: String,
    /// Bodies in JSON, sent in turn.
    pub(crate) bodies: Arc<Vec<String>>,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
}

impl Rate {
    /// From the times of single requests.
    pub(crate) fn of(mut times_ms: Vec<f64>, took: Duration) -> anyhow::Result<Self> {
        ensure!(!times_ms.is_empty(), "not one request was answered in {took:?}");
        times_ms.sort_by(f64::total_cmp);
        let at = |share: f64| times_ms[((times_ms.len() - 1) as f64 * share).round() as usize];
        Ok(Self { per_second: times_ms.len() as f64 / took.as_secs_f64(), p50_ms: at(0.5), p95_ms: at(0.95) })
    }
}

impl Target {
    pub(crate) fn search(base: &str, api_key: &str, questions: &[String]) -> Self {
        let body = |question| serde_json::json!({"query": question, "limit": 5}).to_string();
        Self {
            url: format!("{base}/v1/search"),
            api_key: api_key.to_owned(),
            bodies: Arc::new(questions.iter().map(body).collect()),
        }
    }

    /// One answer.
    pub(crate) async fn ask(&self, client: &Client, body: &str) -> anyhow::Result<Bytes> {
        let request = client.post(&self.url).bearer_auth(&self.api_key).header("content-type", "application/json");
        let response = request.body(body.to_owned()).send().await.with_context(|| self.url.clone())?;
        let status = response.status();
        let bytes = response.bytes().await?;
        ensure!(status.is_success(), "{} answered {status}: {}", self.url, String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    /// Asks each question once, so that a cache holds the answers and every connection of the pool is made.
    pub(crate) async fn warm_up(&self) -> anyhow::Result<()> {
        let client = client()?;
        for body in self.bodies.iter() {
            self.ask(&client, body).await?;
        }
        Ok(())
    }

    /// The rate at which so many clients are answered.
    pub(crate) async fn rate(&self, clients: usize, lasts: Duration) -> anyhow::Result<Rate> {
        let client = client()?;
        let next = Arc::new(AtomicUsize::new(0));
        let begin = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (target, client, next) = (self.clone(), client.clone(), Arc::clone(&next));
            tasks.spawn(async move {
                let mut times_ms = Vec::new();
                while begin.elapsed() < lasts {
                    let body = &target.bodies[next.fetch_add(1, Ordering::Relaxed) % target.bodies.len()];
                    let asked = Instant::now();
                    target.ask(&client, body).await?;
                    times_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
                }
                anyhow::Ok(times_ms)
            });
        }
        let mut times_ms = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            times_ms.extend(ended??);
        }
        Rate::of(times_ms, begin.elapsed())
    }
}

pub(crate) fn client() -> anyhow::Result<Client> {
    Ok(Client::builder().timeout(PATIENCE).no_proxy().build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let rate = Rate::of((1..=100).rev().map(f64::from).collect(), Duration::from_secs(2)).unwrap();
        assert_eq!((rate.per_second, rate.p50_ms, rate.p95_ms), (50.0, 51.0, 95.0));
        assert!(Rate::of(Vec::new(), Duration::from_secs(1)).is_err());
    }
}
