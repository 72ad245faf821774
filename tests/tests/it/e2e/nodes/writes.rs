//! Documents sent at a steady pace from outside the cluster, what became of each, and the proof that none is lost that was taken.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};

use super::until;
use crate::e2e::{
    api::Gateway,
    load::{client, way_in},
    world::World,
};

/// Time between two documents.
const PACE: Duration = Duration::from_secs(1);

/// One document.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) name: String,
    pub(super) sent: Instant,
    pub(super) took: Duration,
    pub(super) became: Became,
}

#[derive(Debug)]
pub(super) enum Became {
    /// The job that takes it in.
    Taken(String),
    Refused {
        status: u16,
        code: String,
        retry_after: bool,
    },
    Unanswered(#[expect(dead_code, reason = "shown when a check fails")] String),
}

impl Write {
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.became, Became::Taken(_))
    }
}

/// Writes under way.
pub(super) struct Writes {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Vec<Write>>,
}

impl Writes {
    pub(super) async fn begin(world: &World) -> Self {
        let (url, key) = way_in(world).await;
        let stop = Arc::new(AtomicBool::new(false));
        let running = tokio::spawn(write(format!("{url}/v1/documents"), key, stop.clone()));
        Self { stop, running }
    }

    /// Sends no more, and waits for the answers; in the order in which they were sent.
    pub(super) async fn end(self) -> Vec<Write> {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.unwrap()
    }
}

async fn write(url: String, key: String, stop: Arc<AtomicBool>) -> Vec<Write> {
    let http = client(Duration::from_secs(60));
    let mut pace = tokio::time::interval(PACE);
    let mut requests = JoinSet::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        number += 1;
        let name = format!("write-{number}.md");
        let text = format!("# Write {number}\n\nThe entry {number} of the lighthouse's log.\n");
        let form = Form::new().part("file", Part::text(text).file_name(name.clone()));
        let request = http.post(&url).bearer_auth(&key).multipart(form);
        requests.spawn(async move {
            let sent = Instant::now();
            let became = became(request).await;
            Write { name, sent, took: sent.elapsed(), became }
        });
    }
    let mut writes = requests.join_all().await;
    writes.sort_by_key(|write| write.sent);
    writes
}

async fn became(request: reqwest::RequestBuilder) -> Became {
    let reply = match request.send().await {
        Ok(reply) => reply,
        Err(error) => return Became::Unanswered(format!("{error:?}")),
    };
    let (status, retry_after) = (reply.status(), reply.headers().contains_key("retry-after"));
    let body: Value = reply.json().await.unwrap_or_default();
    match body["job"]["id"].as_str() {
        Some(id) if status.is_success() => Became::Taken(id.to_owned()),
        _ => {
            let code = body["error"]["code"].as_str().unwrap_or_default().to_owned();
            Became::Refused { status: status.as_u16(), code, retry_after }
        }
    }
}

/// Waits until every document that was taken is stored, and gives those that are not there in the end.
pub(super) async fn lost(world: &World, writes: &[Write]) -> Vec<String> {
    let gateway = Gateway::of(world, "a").await;
    for write in writes {
        let Became::Taken(job) = &write.became else { continue };
        until(&format!("{} is taken in", write.name), 120, async || {
            let job = gateway.get(&format!("/v1/jobs/{job}")).await;
            let status = job["status"].as_str().unwrap();
            assert!(!matches!(status, "failed" | "cancelled"), "{job:#}");
            status == "completed"
        })
        .await;
    }
    let documents = gateway.documents().await;
    let stored: BTreeSet<_> = documents.iter().map(|document| document["source"].as_str().unwrap()).collect();
    writes
        .iter()
        .filter(|write| write.is_taken() && !stored.contains(write.name.as_str()))
        .map(|write| write.name.clone())
        .collect()
}

/// Whether a document is taken now.
pub(super) async fn takes_writes(world: &World) -> bool {
    let (url, key) = way_in(world).await;
    let form = Form::new().part("file", Part::text("# Trial\n\nA trial.\n").file_name("trial.md"));
    let request = client(Duration::from_secs(20)).post(format!("{url}/v1/documents")).bearer_auth(key).multipart(form);
    matches!(became(request).await, Became::Taken(_))
}
