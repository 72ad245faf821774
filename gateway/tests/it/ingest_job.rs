//! The worker on fakes: what is a file's fault fails it alone, everything else waits and goes on.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use ragline_gateway::{
    ingest::{job::Parts, settings::WorkerSettings, upload::Uploads, worker},
    metrics::Metrics,
    traits::{
        embedder::EmbedError,
        ingest::{Fault, Job, JobItem, JobStatus, JobStore, NewItem},
    },
};
use serde_json::Map;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    http_fakes::{FakeStore, OURS, store},
    http_models::{Paragraphs, WordEmbedder},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A worker with what is around it.
struct Bench {
    store: Arc<FakeStore>,
    embedder: Arc<WordEmbedder>,
    registry: prometheus::Registry,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

fn settings() -> WorkerSettings {
    WorkerSettings { most_delay: Duration::from_millis(20), group: 2, ..WorkerSettings::default() }
}

fn bench(settings: WorkerSettings) -> Bench {
    let (store, embedder, registry) = (store(), Arc::new(WordEmbedder::new(8)), prometheus::Registry::new());
    let parts = Parts {
        blobs: Arc::clone(&store) as _,
        jobs: Arc::clone(&store) as _,
        documents: Arc::clone(&store) as _,
        embedder: Arc::clone(&embedder) as _,
        cutter: Arc::new(Paragraphs),
        threads: Parts::threads(&settings),
        settings,
        metrics: Metrics::register(&registry).unwrap(),
    };
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker::run(parts, stop.clone()));
    Bench { store, embedder, registry, stop, worker }
}

impl Bench {
    async fn upload(&self, files: &[(&str, &str)]) -> Uuid {
        let mut uploads = Uploads::new(Arc::clone(&self.store) as _, OURS);
        let mut items = Vec::new();
        for (source, text) in files {
            let mut writer = uploads.begin(1 << 20).await.unwrap();
            writer.write(Bytes::from(text.to_string())).await.unwrap();
            let blob = writer.finish().await.unwrap();
            items.push(NewItem {
                source: source.to_string(),
                content_type: None,
                metadata: Map::new(),
                blob: blob.id,
                size_bytes: blob.size_bytes,
                content_hash: blob.content_hash,
            });
        }
        uploads.keep();
        self.store.create(OURS, items).await.unwrap()
    }

    async fn job(&self, id: Uuid) -> Job {
        self.store.job(OURS, id).await.unwrap().unwrap()
    }

    /// The job once `holds` of it.
    async fn until(&self, id: Uuid, holds: impl Fn(&Job) -> bool) -> Job {
        let wait = async {
            loop {
                let job = self.job(id).await;
                if holds(&job) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(job) => job,
            Err(_) => panic!("in vain: {:?}", self.job(id).await),
        }
    }

    async fn ended(&self, id: Uuid) -> Vec<JobItem> {
        self.until(id, |job| job.done == job.total).await.items
    }

    /// Of the first job's files.
    fn faults(&self) -> Vec<Option<Fault>> {
        self.store.inner().jobs[0].items.iter().map(|item| item.fault).collect()
    }

    fn count(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let of =
            |metric: &&prometheus::proto::Metric| label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label);
        family.get_metric().iter().find(of).map_or(0.0, |metric| metric.get_counter().get_value())
    }
}

fn unreachable() -> EmbedError {
    EmbedError::Unreachable { host: "models".into(), source: "refused".into() }
}

#[tokio::test]
async fn a_file_becomes_a_document_in_order() {
    let bench = bench(settings());
    let job = bench.upload(&[("a.txt", "one\n\ntwo\n\nthree\n\nfour\n\nfive")]).await;
    let items = bench.ended(job).await;
    assert_eq!((items[0].status, items[0].chunks_done, items[0].chunks_total), (JobStatus::Completed, 5, Some(5)));
    let document = bench.store.inner().documents[0].clone();
    let texts: Vec<_> = document.chunks.iter().map(|chunk| (chunk.position, chunk.text.as_str())).collect();
    assert_eq!(texts, [(0, "one"), (1, "two"), (2, "three"), (3, "four"), (4, "five")]);
    assert!(document.chunks.iter().all(|chunk| chunk.windows.as_ref().is_some_and(|windows| windows.len() == 1)));
    assert_eq!(
        (bench.count("ragline_ingest_documents_total", "completed"), bench.count("ragline_ingest_chunks_total", "")),
        (1.0, 5.0)
    );
}

#[tokio::test]
async fn a_file_that_is_at_fault_fails_alone_with_its_reason() {
    let bench = bench(settings());
    let files = [("empty.txt", ""), ("broken.pdf", "x"), ("panic.pdf", "x"), ("blank.txt", " \n\n "), ("good.txt", "good")];
    let job = bench.upload(&files).await;
    let items = bench.ended(job).await;
    let reasons: Vec<_> = items.iter().map(|item| item.reason.clone().unwrap_or_default()).collect();
    for (reason, says) in reasons.iter().zip(["is empty", "is encrypted", "may be broken", "no text was found"]) {
        assert!(reason.contains(says), "{reason:?} does not say {says:?}");
    }
    assert_eq!(items[4].status, JobStatus::Completed);
    assert_eq!(bench.faults(), [Some(Fault::File), Some(Fault::File), Some(Fault::File), Some(Fault::File), None]);
    let job = bench.job(job).await;
    assert_eq!((job.status, job.done, job.failed), (JobStatus::Completed, 5, 4));
    assert_eq!(bench.count("ragline_ingest_documents_total", "failed"), 4.0);
}

#[tokio::test]
async fn a_file_whose_reading_never_ends_fails_alone() {
    let bench = bench(WorkerSettings { extract_timeout: Duration::from_millis(100), ..settings() });
    let job = bench.upload(&[("slow.pdf", "x")]).await;
    let items = bench.ended(job).await;
    assert!(items[0].reason.as_deref().is_some_and(|reason| reason.contains("limits.extractTimeoutSeconds")), "{items:?}");
}

#[tokio::test]
async fn a_provider_that_is_away_is_waited_for_and_the_reason_is_shown() {
    let bench = bench(WorkerSettings { most_delay: Duration::from_secs(1), ..settings() });
    bench
        .embedder
        .failures
        .lock()
        .unwrap()
        .extend([unreachable(), EmbedError::Unauthorized { host: "models".into(), variables: String::new() }]);
    let job = bench.upload(&[("a.txt", "one")]).await;
    let waiting = bench.until(job, |job| job.items[0].reason.is_some()).await;
    let reason = waiting.items[0].reason.clone().unwrap();
    assert!(reason.contains("refuses the key") && reason.contains("try 1 of 61"), "{reason}");
    let items = bench.ended(job).await;
    assert_eq!((items[0].status, &items[0].reason), (JobStatus::Completed, &None));
    assert_eq!(bench.store.inner().jobs[0].items[0].released, 2);
}

#[tokio::test]
async fn a_provider_that_stays_away_fails_the_file_in_the_end() {
    let bench = bench(WorkerSettings { max_releases: 2, ..settings() });
    bench.embedder.failures.lock().unwrap().extend((0..9).map(|_| unreachable()));
    let job = bench.upload(&[("a.txt", "one")]).await;
    let items = bench.ended(job).await;
    let reason = items[0].reason.clone().unwrap();
    assert!(reason.contains("models cannot be reached") && reason.contains("given up after 3 tries"), "{reason}");
    assert_eq!(bench.faults(), [Some(Fault::Server)]);
    assert_eq!(bench.embedder.failures.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn a_database_that_is_away_stops_nothing_for_good() {
    let bench = bench(settings());
    bench.store.away.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.store.away.store(false, Ordering::Relaxed);
    let job = bench.upload(&[("a.txt", "one")]).await;
    assert_eq!(bench.ended(job).await[0].status, JobStatus::Completed);
}

#[tokio::test]
async fn an_unchanged_file_is_not_embedded_again_and_a_changed_one_only_where_it_changed() {
    let bench = bench(settings());
    for text in ["one\n\ntwo\n\nthree", "one\n\ntwo\n\nthree", "one\n\n2\n\nthree"] {
        let job = bench.upload(&[("a.txt", text)]).await;
        assert_eq!(bench.ended(job).await[0].status, JobStatus::Completed);
    }
    assert_eq!(bench.embedder.texts.load(Ordering::Relaxed), 4);
    assert_eq!((bench.store.inner().documents.len(), bench.count("ragline_ingest_documents_total", "unchanged")), (1, 1.0));
    let fresh: Vec<_> = bench.store.inner().documents[0].chunks.iter().map(|chunk| chunk.windows.is_some()).collect();
    assert_eq!(fresh, [false, true, false]);
}

#[tokio::test]
async fn a_shutdown_gives_the_file_back() {
    let bench = bench(settings());
    let job = bench.upload(&[("slow.txt", "one")]).await;
    bench.until(job, |job| job.items[0].status == JobStatus::Running).await;
    bench.stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), bench.worker).await.expect("the worker waits for the slow file").unwrap();
    let inner = bench.store.inner();
    let item = &inner.jobs[0].items[0];
    assert_eq!((item.view.status, item.view.reason.as_deref()), (JobStatus::Queued, Some("the gateway restarts")));
}

#[tokio::test]
async fn a_lost_lease_ends_the_work_without_a_word() {
    let bench = bench(WorkerSettings { lease: Duration::from_millis(80), ..settings() });
    let job = bench.upload(&[("slow.txt", "one")]).await;
    bench.until(job, |job| job.items[0].status == JobStatus::Running).await;
    // Somebody else takes it for a long time.
    bench.store.inner().jobs[0].items[0].lease = Some((Uuid::new_v4(), tokio::time::Instant::now() + PATIENCE));
    let second = bench.upload(&[("b.txt", "two")]).await;
    assert_eq!(bench.ended(second).await[0].status, JobStatus::Completed);
    assert_eq!(bench.job(job).await.items[0].status, JobStatus::Running);
    assert_eq!(bench.store.inner().documents.len(), 1);
}
