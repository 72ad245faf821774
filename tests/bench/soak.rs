//! Ten minutes of everything at once, for `make soak`: every answer is a success or tells when to come back, and memory stays flat.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures::StreamExt;
use reqwest::{
    Client, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{figure::Figure, load, surroundings::Surroundings, texts, weights};

const GROUP: &str = "Soak";
/// Callers at once.
const CALLERS: u64 = 12;
/// Between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Share of the time after which caches and pools are full.
const WARM: f64 = 0.3;
/// Memory may be so many times what it was when warm.
const MOST_GROWTH: f64 = 1.15;
/// Documents and vector stores of one caller that exist at a time.
const KEPT: usize = 20;

/// What the callers share.
struct Soak {
    client: Client,
    base: String,
    key: String,
    done: AtomicU64,
    refused: AtomicUsize,
}

/// Everything at once for as long as `RAGLINE_SOAK_SECONDS` says.
pub(crate) async fn run(around: &Surroundings) -> anyhow::Result<()> {
    let soak = Arc::new(Soak {
        client: load::client()?,
        base: around.cached_url.clone(),
        key: around.api_key.clone(),
        done: AtomicU64::new(0),
        refused: AtomicUsize::new(0),
    });
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let (soak, lasts) = (Arc::clone(&soak), around.soaks);
        callers.spawn(async move { soak.call(number, begin, lasts).await });
    }
    let mut memory = Vec::new();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    while begin.elapsed() < around.soaks {
        tokio::select! {
            _ = looks.tick() => memory.push(weights::resident_kib(around.gateway_pid)? / 1_024.0),
            Some(ended) = callers.join_next() => ended??,
        }
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    let (warm, end) = warm_and_end(&memory).context("the soak was too short to look at the memory twice")?;
    let keep = |name: &str, value, unit| Figure::new(GROUP, name, value, unit).keep(&around.folder);
    keep("requests", soak.done.load(Ordering::Relaxed) as f64, "requests")?;
    keep("refused with retry-after", soak.refused.load(Ordering::Relaxed) as f64, "requests")?;
    keep("memory of the gateway when warm", warm, "MiB")?;
    Figure::new(GROUP, "memory of the gateway at the end", end, "MiB").beside("when warm", warm).keep(&around.folder)?;
    ensure!(end <= warm * MOST_GROWTH, "memory grew from {warm:.0} to {end:.0} MiB");
    Ok(())
}

/// Means of the tenth that follows the warming and of the last tenth.
fn warm_and_end(memory: &[f64]) -> Option<(f64, f64)> {
    let tenth = (memory.len() / 10).max(1);
    let warm = memory.get((memory.len() as f64 * WARM) as usize..)?.get(..tenth)?;
    let end = memory.get(memory.len() - tenth..)?;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    Some((mean(warm), mean(end)))
}

impl Soak {
    async fn call(&self, caller: u64, begin: Instant, lasts: Duration) -> anyhow::Result<()> {
        let (mut documents, mut turn) = (Vec::new(), caller);
        while begin.elapsed() < lasts {
            let question = texts::question(turn);
            match turn % 6 {
                0 | 1 => drop(self.ask("v1/search", json!({"query": question})).await?),
                2 => drop(self.ask("v1/answers", json!({"question": question})).await?),
                3 => drop(self.ask("v1/embeddings", json!({"model": "all-MiniLM-L6-v2", "input": question})).await?),
                4 => self.abandon(&question).await?,
                _ => self.replace(caller, turn, &mut documents).await?,
            }
            turn += 1;
        }
        Ok(())
    }

    /// A stream that its caller leaves after the first bytes.
    async fn abandon(&self, question: &str) -> anyhow::Result<()> {
        let request = self.post("v1/answers").json(&json!({"question": question, "stream": true}));
        let response = request.send().await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        ensure!(response.status().is_success() || response.status() == 429, "a stream was answered {}", response.status());
        drop(response.bytes_stream().next().await);
        Ok(())
    }

    /// A document comes, and the oldest of this caller's goes.
    async fn replace(&self, caller: u64, turn: u64, documents: &mut Vec<String>) -> anyhow::Result<()> {
        let text = format!("{} {}", texts::question(turn), texts::question(turn * 7 + caller));
        let part = Part::text(text).file_name(format!("soak-{caller}-{turn}.txt"));
        let Some(job) = self.send(self.post("v1/documents").multipart(Form::new().part("file", part))).await? else {
            return Ok(());
        };
        let id = job["job"]["id"].as_str().context("an upload without a job")?.to_owned();
        documents.push(id);
        if documents.len() > KEPT {
            let job = self.send(self.get(&format!("v1/jobs/{}", documents.remove(0)))).await?.unwrap_or_default();
            if let Some(document) = job["files"][0]["document_id"].as_str() {
                self.send(self.client.delete(format!("{}/v1/documents/{document}", self.base)).bearer_auth(&self.key)).await?;
            }
        }
        Ok(())
    }

    async fn ask(&self, path: &str, body: Value) -> anyhow::Result<Option<Value>> {
        self.send(self.post(path).json(&body)).await
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}/{path}", self.base)).bearer_auth(&self.key)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}/{path}", self.base)).bearer_auth(&self.key)
    }

    /// The answer; `None` for a refusal that says when to come back.
    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Option<Value>> {
        let response = request.send().await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        let status = response.status();
        if matches!(status.as_u16(), 429 | 503) && response.headers().contains_key("retry-after") {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
            return Ok(None);
        }
        if !status.is_success() && status.as_u16() != 404 {
            bail!("answered {status}: {}", response.text().await.unwrap_or_default());
        }
        Ok(Some(response.json().await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warm_tenth_is_compared_with_the_last() {
        let rising: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(warm_and_end(&rising), Some((34.5, 94.5)));
        assert_eq!(warm_and_end(&[]), None);
    }
}
