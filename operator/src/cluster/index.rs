//! Asks each pipeline's gateway how its vector index stands, beside the reconciles and never within one. A gateway that does
//! not answer costs nothing but an old reading.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use kube::{core::DeserializeGuard, runtime::reflector::ObjectRef};
use ragline_config::IndexReport;
use ragline_crds::RagPipeline;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::{metrics::Metrics, telemetry::chain};

/// Time between two readings of a pipeline.
const PERIOD: Duration = Duration::from_secs(15);
/// One reading may take this long.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Gateways that are asked at once.
const AT_ONCE: usize = 8;
/// A longer reply is refused.
const REPLY_BYTES: usize = 256 << 10;
/// Pipelines that are remembered; further ones have no reading.
const REMEMBERED: usize = 10_000;
/// An older reading is not believed.
const GOOD_FOR: Duration = Duration::from_secs(120);

/// Why a gateway's index is not known.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    #[error("the gateway does not answer")]
    Unreachable(#[source] reqwest::Error),
    #[error("the gateway answered {0}")]
    Refused(reqwest::StatusCode),
    #[error("the gateway's reply is longer than {REPLY_BYTES} bytes")]
    TooLong,
    #[error("the gateway's reply is not understood")]
    Parse(#[source] serde_json::Error),
}

/// Where a gateway is asked, and with which key.
#[derive(Clone, Eq, PartialEq)]
pub struct Target {
    pub url: String,
    pub api_key: String,
    /// The authority that its certificate must be of, as PEM. `None`: it is called without TLS.
    pub authority: Option<String>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Entry {
    target: Target,
    /// For the authority of the target, where there is one.
    http: Option<reqwest::Client>,
    reading: Option<(Instant, IndexReport)>,
}

/// A pipeline.
pub type Who = ObjectRef<DeserializeGuard<RagPipeline>>;

/// The latest reading of each pipeline.
#[derive(Clone, Debug, Default)]
pub struct Readings(Arc<Mutex<HashMap<Who, Entry>>>);

impl Readings {
    /// Asks this gateway from now on.
    pub fn follow(&self, pipeline: Who, target: Target) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&pipeline) {
            if entry.target.authority != target.authority {
                entry.http = trusting(&target);
            }
            entry.target = target;
        } else if entries.len() < REMEMBERED {
            entries.insert(pipeline, Entry { http: trusting(&target), target, reading: None });
        }
    }

    /// Asks it no more.
    pub fn forget(&self, pipeline: &Who) {
        self.lock().remove(pipeline);
    }

    /// The latest reading that can still be believed.
    pub fn latest(&self, pipeline: &Who) -> Option<IndexReport> {
        let entries = self.lock();
        let (at, reading) = entries.get(pipeline)?.reading.as_ref()?;
        (at.elapsed() < GOOD_FOR).then(|| reading.clone())
    }

    fn targets(&self) -> Vec<(Who, Target, Option<reqwest::Client>)> {
        self.lock().iter().map(|(pipeline, entry)| (pipeline.clone(), entry.target.clone(), entry.http.clone())).collect()
    }

    /// Keeps a reading; tells whether it differs from the one before.
    fn keep(&self, pipeline: &Who, reading: IndexReport) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(pipeline) else { return false };
        let news = entry.reading.as_ref().is_none_or(|(_, before)| *before != reading);
        entry.reading = Some((Instant::now(), reading));
        news
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the gateways of all pipelines are asked with.
///
/// # Panics
/// Never: the settings are constants.
pub fn client() -> reqwest::Client {
    settings().build().expect("the settings of the HTTP client are constants")
}

fn settings() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("ragline-operator/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

/// A client that trusts the target's authority alone. With one that cannot be read the gateway is not known by anybody, so it is
/// asked in vain.
fn trusting(target: &Target) -> Option<reqwest::Client> {
    let authorities = reqwest::Certificate::from_pem_bundle(target.authority.as_deref()?.as_bytes());
    settings().tls_certs_only(authorities.unwrap_or_default()).build().ok()
}

/// Asks all gateways in turn until `stop`; pipelines whose index changed go to `news`.
pub async fn poll(readings: Readings, http: reqwest::Client, metrics: Metrics, news: mpsc::Sender<Who>, stop: CancellationToken) {
    let mut turns = tokio::time::interval(PERIOD);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            () = stop.cancelled() => return,
        }
        stream::iter(readings.targets())
            .for_each_concurrent(AT_ONCE, |(pipeline, target, trusting)| {
                let (readings, http, metrics, news) = (&readings, &http, &metrics, &news);
                async move {
                    let begun = Instant::now();
                    let outcome = match read(trusting.as_ref().unwrap_or(http), &target).await {
                        Ok(reading) => {
                            if readings.keep(&pipeline, reading) {
                                // A full queue loses nothing: the reading waits for the pipeline's next turn.
                                let _ = news.try_send(pipeline);
                            }
                            "read"
                        }
                        Err(error) => {
                            debug!("no reading of the index of {pipeline}: {}", chain(&error));
                            if matches!(error, ReadingError::Unreachable(_)) { "unreachable" } else { "refused" }
                        }
                    };
                    metrics.index_readings.with_label_values(&[outcome]).inc();
                    metrics.index_reading_seconds.with_label_values(&[outcome]).observe(begun.elapsed().as_secs_f64());
                }
            })
            .await;
    }
}

async fn read(http: &reqwest::Client, target: &Target) -> Result<IndexReport, ReadingError> {
    let request = http.get(&target.url).bearer_auth(&target.api_key).timeout(TIMEOUT);
    let mut reply = request.send().await.map_err(ReadingError::Unreachable)?;
    if !reply.status().is_success() {
        return Err(ReadingError::Refused(reply.status()));
    }
    let mut body = Vec::new();
    while let Some(piece) = reply.chunk().await.map_err(ReadingError::Unreachable)? {
        if body.len() + piece.len() > REPLY_BYTES {
            return Err(ReadingError::TooLong);
        }
        body.extend_from_slice(&piece);
    }
    serde_json::from_slice(&body).map_err(ReadingError::Parse)
}
