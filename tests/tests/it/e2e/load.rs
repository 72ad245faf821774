//! Searches at a steady pace from outside the cluster, each on a connection of its own, and what became of them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{Secret, Service};
use ragline_config::ports;
use reqwest::{Client, ClientBuilder};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use super::{
    trust::{Trusted, trusted},
    world::World,
};

/// A request that was not answered as it should be.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) sent: Instant,
    pub(crate) what: String,
}

/// What a load was.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) sent: usize,
    pub(crate) seconds: f64,
    /// In the order in which they were sent.
    pub(crate) failures: Vec<Failure>,
    /// The longest that a request took which was answered as it should be.
    pub(crate) slowest: Duration,
}

impl Outcome {
    /// Seconds from the first request that failed to the last.
    pub(crate) fn gap(&self) -> f64 {
        match (self.failures.first(), self.failures.last()) {
            (Some(first), Some(last)) => last.sent.duration_since(first.sent).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// The way to the pipeline `a` from outside the cluster's network: the address of its gateways' Service, and a key.
pub(crate) async fn way_in(world: &World) -> (String, String) {
    let (address, key) = address_and_key(world).await;
    (format!("http://{address}"), key)
}

pub(crate) async fn address_and_key(world: &World) -> (SocketAddr, String) {
    let address = world.api::<Service>().get("a-gateway").await.unwrap().spec.unwrap().cluster_ip.unwrap();
    let secret = world.api::<Secret>().get("a-api-key").await.unwrap();
    let key = String::from_utf8(secret.data.unwrap()["api-key"].0.clone()).unwrap();
    (SocketAddr::new(address.parse().unwrap(), ports::GATEWAY_HTTP), key)
}

/// Requests each on a connection of its own, which has to be made in five seconds.
pub(crate) fn client(timeout: Duration) -> Client {
    unpooled(Client::builder(), timeout)
}

/// The same of a client that is made already as far as it goes.
pub(crate) fn unpooled(client: ClientBuilder, timeout: Duration) -> Client {
    client.connect_timeout(Duration::from_secs(5)).timeout(timeout).pool_max_idle_per_host(0).build().unwrap()
}

/// A load under way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Outcome>,
}

impl Load {
    /// Begins to search the pipeline `a`. With `fresh` each question is another, so that none is answered from the cache. The
    /// pipeline must let in what is not of its network.
    pub(crate) async fn begin(world: &World, pace: Duration, fresh: bool) -> Self {
        let (address, key) = address_and_key(world).await;
        let Trusted { url, client } = trusted(world, "a", address).await;
        let http = unpooled(client, Duration::from_secs(30));
        let stop = Arc::new(AtomicBool::new(false));
        let running = tokio::spawn(run(http, format!("{url}/v1/search"), key, pace, fresh, stop.clone()));
        Self { stop, running }
    }

    /// Sends no more, and waits for the answers.
    pub(crate) async fn end(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.unwrap()
    }
}

async fn run(http: Client, url: String, key: String, pace: Duration, fresh: bool, stop: Arc<AtomicBool>) -> Outcome {
    let (begun, number) = (Instant::now(), AtomicUsize::new(0));
    let mut pace = tokio::time::interval(pace);
    let mut requests = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let number = number.fetch_add(1, Ordering::Relaxed);
        let question = if fresh { format!("lighthouse {number}") } else { "lighthouse".to_owned() };
        let request = http.post(&url).bearer_auth(&key).json(&json!({"query": question}));
        requests.spawn(async move {
            let sent = Instant::now();
            match request.send().await {
                Ok(reply) if reply.status().is_success() => Ok(sent.elapsed()),
                Ok(reply) => {
                    let what = format!("{}: {}", reply.status(), reply.text().await.unwrap_or_default());
                    Err(Failure { sent, what })
                }
                Err(error) => Err(Failure { sent, what: format!("{error:?}") }),
            }
        });
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (mut failures, mut slowest) = (Vec::new(), Duration::ZERO);
    for outcome in requests.join_all().await {
        match outcome {
            Ok(took) => slowest = slowest.max(took),
            Err(failure) => failures.push(failure),
        }
    }
    failures.sort_by_key(|failure| failure.sent);
    Outcome { sent: number.into_inner(), seconds, failures, slowest }
}
