//! The queue: every file is given out once, survives its worker, and ends with a word.

use std::{collections::HashSet, time::Duration};

use ragline_gateway::traits::ingest::{BlobStore, DocumentStore, Fault, JobStatus, JobStore};
use serde_json::json;

use crate::{
    database::{default_workspace, fresh},
    store_fixture::{FINGERPRINT, LEASE, chunk, claimed, document, queued, texts},
};

#[tokio::test]
async fn many_workers_never_get_the_same_file() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let sources: Vec<String> = (0..60).map(|n| format!("{n}.txt")).collect();
    let job = queued(&store, workspace, &sources.iter().map(String::as_str).collect::<Vec<_>>(), json!({})).await;
    let workers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(claim) = store.claim(LEASE, 3).await.unwrap() {
                store.fail(&claim, Fault::Server, "enough").await.unwrap();
                mine.push(claim.source);
            }
            mine
        })
    });
    let mut all = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.unwrap());
    }
    assert_eq!(all.len(), 60);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 60);
    let job = store.job(workspace, job).await.unwrap().unwrap();
    assert_eq!((job.status, job.total, job.done, job.failed), (JobStatus::Failed, 60, 60, 60));
    assert_eq!(job.items[0].reason.as_deref(), Some("enough"));
    assert!(job.finished_at.is_some());
}

#[tokio::test]
async fn a_job_with_one_success_is_completed_and_keeps_the_reasons() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let job = queued(&store, workspace, &["good", "bad"], json!({})).await;
    assert_eq!(store.job(workspace, job).await.unwrap().unwrap().status, JobStatus::Queued);
    let good = store.claim(LEASE, 3).await.unwrap().unwrap();
    let bad = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert_eq!(store.job(workspace, job).await.unwrap().unwrap().status, JobStatus::Running);
    assert!(store.renew(&good, LEASE, 3, Some(10)).await.unwrap());
    let item = &store.job(workspace, job).await.unwrap().unwrap().items[0];
    assert_eq!((item.chunks_done, item.chunks_total), (3, Some(10)));
    store.fail(&bad, Fault::File, "no text\0 in it").await.unwrap();
    assert_eq!(store.job(workspace, job).await.unwrap().unwrap().status, JobStatus::Running);
    store.stage(&good, vec![chunk(0, "good", 0)]).await.unwrap();
    let published = store.publish(&good, document(), &FINGERPRINT).await.unwrap();
    let job = store.job(workspace, job).await.unwrap().unwrap();
    assert_eq!((job.status, job.done, job.failed), (JobStatus::Completed, 2, 1));
    assert_eq!((job.items[0].status, job.items[0].document_id), (JobStatus::Completed, Some(published.document_id)));
    assert_eq!((job.items[1].status, job.items[1].reason.as_deref()), (JobStatus::Failed, Some("no text in it")));
}

#[tokio::test]
async fn a_file_whose_worker_dies_each_time_fails_in_the_end() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let job = queued(&store, workspace, &["poison"], json!({})).await;
    for attempt in 1..=3 {
        let claim = store.claim(Duration::from_millis(1), 3).await.unwrap().unwrap();
        assert_eq!(claim.attempt, attempt);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(store.claim(LEASE, 3).await.unwrap().is_none());
    let job = store.job(workspace, job).await.unwrap().unwrap();
    assert_eq!(job.status, JobStatus::Failed);
    assert!(job.items[0].reason.as_deref().unwrap().contains("3 tries"), "{:?}", job.items[0].reason);
}

#[tokio::test]
async fn a_released_file_waits_and_is_not_counted_as_tried() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let claim = claimed(&store, workspace, "a.txt", json!({})).await;
    store.stage(&claim, vec![chunk(0, "one", 0)]).await.unwrap();
    store.release(&claim, Duration::from_millis(400), "the embedding server is away").await.unwrap();
    let item = &store.job(workspace, claim.job_id).await.unwrap().unwrap().items[0];
    assert_eq!((item.status, item.reason.as_deref()), (JobStatus::Queued, Some("the embedding server is away")));
    assert!(store.claim(LEASE, 3).await.unwrap().is_none());
    let begun = std::time::Instant::now();
    store.wait_for_work(Duration::from_secs(30)).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    tokio::time::sleep(Duration::from_millis(450).saturating_sub(begun.elapsed())).await;
    let again = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert_eq!((again.attempt, again.released), (1, 1));
    // The staging area was emptied.
    store.stage(&again, vec![chunk(0, "one", 0)]).await.unwrap();
    assert_eq!(store.publish(&again, document(), &FINGERPRINT).await.unwrap().chunks, 1);
}

#[tokio::test]
async fn new_work_wakes_a_worker_at_once() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move {
            while store.claim(LEASE, 3).await.unwrap().is_none() {
                store.wait_for_work(Duration::from_secs(30)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Another gateway takes the upload in.
    queued(&database.store(), workspace, &["a.txt"], json!({})).await;
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("the worker was not woken").unwrap();
}

#[tokio::test]
async fn files_of_one_source_are_stored_in_the_order_they_came() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    queued(&store, workspace, &["a.txt"], json!({ "n": 1 })).await;
    queued(&store, workspace, &["a.txt"], json!({ "n": 2 })).await;
    let first = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert!(store.claim(LEASE, 3).await.unwrap().is_none(), "two files of one source at once");
    store.stage(&first, vec![chunk(0, "first", 0)]).await.unwrap();
    store.publish(&first, document(), &FINGERPRINT).await.unwrap();
    let second = store.claim(LEASE, 3).await.unwrap().unwrap();
    store.stage(&second, vec![chunk(0, "second", 0)]).await.unwrap();
    store.publish(&second, document(), &FINGERPRINT).await.unwrap();
    assert_eq!(texts(&store, workspace, 0, 10).await, ["second"]);
}

#[tokio::test]
async fn cancelling_spares_the_file_under_way() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let job = queued(&store, workspace, &["a", "b"], json!({})).await;
    let claim = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert!(store.cancel(workspace, job).await.unwrap());
    assert!(store.claim(LEASE, 3).await.unwrap().is_none());
    store.stage(&claim, vec![chunk(0, "one", 0)]).await.unwrap();
    store.publish(&claim, document(), &FINGERPRINT).await.unwrap();
    let job = store.job(workspace, job).await.unwrap().unwrap();
    assert_eq!((job.items[0].status, job.items[1].status), (JobStatus::Completed, JobStatus::Cancelled));
    let untouched = queued(&store, workspace, &["c"], json!({})).await;
    store.cancel(workspace, untouched).await.unwrap();
    assert_eq!(store.job(workspace, untouched).await.unwrap().unwrap().status, JobStatus::Cancelled);
}

#[tokio::test]
async fn orphaned_bytes_are_swept_and_wanted_ones_kept() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let orphan = BlobStore::begin(&store, workspace).await.unwrap();
    let young = BlobStore::begin(&store, workspace).await.unwrap();
    let claim = claimed(&store, workspace, "a.txt", json!({})).await;
    sqlx::query("UPDATE blob SET created_at = now() - interval '2 hours' WHERE id <> $1")
        .bind(young)
        .execute(&database.owner())
        .await
        .unwrap();
    assert_eq!(store.sweep().await.unwrap(), 1);
    assert!(store.append(workspace, orphan, 0, bytes::Bytes::from_static(b"x")).await.is_err());
    store.append(workspace, young, 0, bytes::Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(store.piece(workspace, claim.blob.unwrap(), 0).await.unwrap().unwrap(), "a.txt");
    assert!(store.piece(workspace, claim.blob.unwrap(), 1).await.unwrap().is_none());
}

#[tokio::test]
async fn the_server_figures_are_readable() {
    let database = fresh().await;
    let figures = database.store().figures().await.unwrap();
    assert!(figures.buffers_alloc > 0 && figures.connections_active >= 0, "{figures:?}");
}
