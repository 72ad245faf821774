//! Documents for the tests of the store, put in as the ingest would.

use std::time::Duration;

use bytes::Bytes;
use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        ingest::{BlobStore, Claim, DocumentStore, Hash, JobStore, Metadata, NewDocument, NewItem, Published, StagedChunk},
        place::{ChunkKind, Lines, Place},
        search::{Nearest, NearestQuery, Searcher, WorkspaceId},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::DIMENSIONS;

pub(crate) const LEASE: Duration = Duration::from_secs(60);
pub(crate) const FINGERPRINT: Hash = [7; 32];

/// A unit vector that points `step` sixteenths of the way round a plane; near steps are near each other.
pub(crate) fn vector(step: u32) -> Vec<f32> {
    let angle = f64::from(step) * 0.01;
    let mut vector = vec![0.0; DIMENSIONS as usize];
    vector[0] = angle.cos() as f32;
    vector[1] = angle.sin() as f32;
    vector
}

pub(crate) fn hash(text: &str) -> Hash {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).into()
}

pub(crate) fn object(value: Value) -> Metadata {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// A chunk with one window.
pub(crate) fn chunk(position: u32, text: &str, step: u32) -> StagedChunk {
    StagedChunk {
        position,
        text: text.to_owned(),
        tokens: 3,
        heading_path: vec!["Chapter \"one\"".into(), format!("Section {position}")],
        place: Place { page: Some(position + 1), sheet: Some("Sheet".into()), lines: Some(Lines { from: 1, to: 9 }) },
        kind: ChunkKind::Comment,
        content_hash: hash(text),
        metadata: object(json!({ "chunk": position })),
        windows: Some(vec![vector(step)]),
    }
}

/// Queues a file with some bytes and claims it.
pub(crate) async fn claimed(store: &Store, workspace: WorkspaceId, source: &str, metadata: Value) -> Claim {
    queued(store, workspace, &[source], metadata).await;
    let claim = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert_eq!(claim.source, source);
    claim
}

/// Queues files as one job.
pub(crate) async fn queued(store: &Store, workspace: WorkspaceId, sources: &[&str], metadata: Value) -> Uuid {
    let mut items = Vec::new();
    for source in sources {
        let blob = BlobStore::begin(store, workspace).await.unwrap();
        store.append(workspace, blob, 0, Bytes::from(source.to_string())).await.unwrap();
        items.push(NewItem {
            source: source.to_string(),
            content_type: Some("text/plain".into()),
            metadata: object(metadata.clone()),
            blob,
            size_bytes: source.len() as u64,
            content_hash: hash(source),
        });
    }
    store.create(workspace, items).await.unwrap()
}

pub(crate) fn document() -> NewDocument {
    document_of(Vec::new())
}

/// A document with chunks that were not staged.
pub(crate) fn document_of(rest: Vec<StagedChunk>) -> NewDocument {
    NewDocument { content_type: "text/plain".into(), title: Some("A title".into()), rest }
}

/// Stores a document from its chunks.
pub(crate) async fn stored(store: &Store, workspace: WorkspaceId, source: &str, chunks: Vec<StagedChunk>) -> Published {
    let claim = claimed(store, workspace, source, json!({ "source": source })).await;
    store.publish(&claim, document_of(chunks), &FINGERPRINT).await.unwrap()
}

/// The same by way of the staging area.
pub(crate) async fn stored_in_stages(store: &Store, workspace: WorkspaceId, source: &str, chunks: Vec<StagedChunk>) -> Published {
    let claim = claimed(store, workspace, source, json!({ "source": source })).await;
    for chunk in chunks {
        store.stage(&claim, vec![chunk]).await.unwrap();
    }
    store.publish(&claim, document(), &FINGERPRINT).await.unwrap()
}

pub(crate) async fn nearest(store: &Store, workspace: WorkspaceId, step: u32, limit: u32) -> Nearest {
    store.nearest(&NearestQuery { workspace, vector: vector(step), limit, filter: None }).await.unwrap()
}

pub(crate) async fn texts(store: &Store, workspace: WorkspaceId, step: u32, limit: u32) -> Vec<String> {
    nearest(store, workspace, step, limit).await.matches.into_iter().map(|found| found.text).collect()
}
