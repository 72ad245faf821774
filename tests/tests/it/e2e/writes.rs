//! Small documents, uploaded one after the other from outside the cluster, and which of them the gateway took.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::multipart::{Form, Part};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    load::{Failure, client, way_in},
    world::World,
};

/// Time between an answer and the next upload. What is taken in has to be embedded, too.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of the uploads.
#[derive(Debug)]
pub(crate) struct Written {
    /// Names of the documents that were taken, each with the moment of its answer.
    pub(crate) accepted: Vec<(String, Instant)>,
    pub(crate) failures: Vec<Failure>,
}

impl Written {
    /// The longest time from one accepted upload to the next, in seconds.
    pub(crate) fn longest_gap(&self) -> f64 {
        let moments = self.accepted.windows(2).map(|pair| pair[1].1.duration_since(pair[0].1));
        moments.max().unwrap_or_default().as_secs_f64()
    }

    /// From a moment to the first upload that was accepted after it, in seconds.
    pub(crate) fn first_after(&self, moment: Instant) -> f64 {
        let after = self.accepted.iter().map(|(_, accepted)| accepted.saturating_duration_since(moment));
        after.filter(|after| !after.is_zero()).min().unwrap_or(Duration::MAX).as_secs_f64()
    }
}

/// Uploads under way.
pub(crate) struct Writes {
    stop: Arc<AtomicBool>,
    accepted: watch::Receiver<usize>,
    running: JoinHandle<Written>,
}

impl Writes {
    /// Begins to write into the pipeline `a`, which must let in what is not of its network.
    pub(crate) async fn begin(world: &World) -> Self {
        let (url, key) = way_in(world).await;
        let (stop, count) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(0));
        let accepted = count.subscribe();
        let running = tokio::spawn(run(format!("{url}/v1/documents"), key, stop.clone(), count));
        Self { stop, accepted, running }
    }

    /// Resolves when so many more documents were taken.
    pub(crate) async fn succeed(&self, more: usize) {
        let mut accepted = self.accepted.clone();
        let wanted = *accepted.borrow() + more;
        let reached = accepted.wait_for(|count| *count >= wanted);
        tokio::time::timeout(Duration::from_secs(120), reached).await.expect("no document is taken").unwrap();
    }

    /// Sends no more, and waits for the last answer.
    pub(crate) async fn end(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.unwrap()
    }
}

async fn run(url: String, key: String, stop: Arc<AtomicBool>, count: watch::Sender<usize>) -> Written {
    let http = client(Duration::from_secs(30));
    let mut written = Written { accepted: Vec::new(), failures: Vec::new() };
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("note-{number}.md");
        let text = format!("# Note {number}\n\nThe lamp of house {number} was lit at dusk.\n");
        let form = Form::new().part("file", Part::text(text).file_name(name.clone()));
        let sent = Instant::now();
        match http.post(&url).bearer_auth(&key).multipart(form).send().await {
            Ok(reply) if reply.status().is_success() => {
                written.accepted.push((name, Instant::now()));
                count.send_replace(written.accepted.len());
            }
            Ok(reply) => {
                let (status, wait) = (reply.status(), reply.headers().get("retry-after").cloned());
                let what = format!("{status}, retry-after {wait:?}: {}", reply.text().await.unwrap_or_default());
                written.failures.push(Failure { sent, what });
            }
            Err(error) => written.failures.push(Failure { sent, what: format!("{error:?}") }),
        }
        tokio::time::sleep(PAUSE).await;
    }
    written
}
