//! Searches that are made without a pause while servers fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::env_fixture::Gateway;

/// Questions under way at once.
const ASKERS: usize = 6;

/// What one search was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) request_id: bool,
    pub(crate) took: Duration,
}

/// Searches without a pause until told to stop.
pub(crate) struct Askers {
    stop: Arc<AtomicBool>,
    /// Searches that succeeded.
    good: watch::Sender<usize>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Answered>>>,
}

impl Askers {
    pub(crate) fn start(gateway: &Arc<Gateway>) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(0));
        let ask = |asker: usize| {
            let (gateway, stop, good) = (Arc::clone(gateway), Arc::clone(&stop), good.clone());
            tokio::spawn(async move {
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let answered = search(&gateway, &format!("before {asker} {}", answers.len())).await;
                    if answered.status == 200 {
                        good.send_modify(|good| *good += 1);
                    }
                    answers.push(answered);
                }
                answers
            })
        };
        let tasks = (0..ASKERS).map(ask).collect();
        Self { stop, good, tasks }
    }

    /// Resolves when so many more searches have succeeded.
    pub(crate) async fn succeed(&self, more: usize) {
        let wanted = *self.good.borrow() + more;
        let mut good = self.good.subscribe();
        let reached = good.wait_for(|good| *good >= wanted);
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("searches do not succeed again").unwrap();
    }

    pub(crate) async fn end(self) -> Vec<Answered> {
        self.stop.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for task in self.tasks {
            answers.extend(task.await.unwrap());
        }
        answers
    }
}

/// One search.
pub(crate) async fn search(gateway: &Gateway, query: &str) -> Answered {
    let begun = Instant::now();
    let response = gateway.request(Method::POST, "/v1/search").json(&json!({"query": query})).send().await.unwrap();
    let (status, request_id) = (response.status().as_u16(), response.headers().contains_key("x-request-id"));
    let body: Value = response.json().await.unwrap();
    Answered { status, code: body["error"]["code"].as_str().map(str::to_owned), request_id, took: begun.elapsed() }
}
