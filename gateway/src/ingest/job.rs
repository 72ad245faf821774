//! One file from its bytes to a searchable document. Reads as its steps; nothing of it can be found before the last.

use std::{
    collections::HashSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tracing::Span;
use uuid::Uuid;

use super::{
    blocking,
    cut::{Cut, CutChunk, CutError, Cutter},
    settings::WorkerSettings,
};
use crate::{
    metrics::Metrics,
    telemetry::stage,
    traits::{
        embedder::{EmbedError, Embedder},
        ingest::{BlobStore, Claim, DocumentStore, Hash, JobStore, NewDocument, Published, StagedChunk},
        search::StoreError,
    },
};

/// What the trip works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub blobs: Arc<dyn BlobStore>,
    pub jobs: Arc<dyn JobStore>,
    pub documents: Arc<dyn DocumentStore>,
    pub embedder: Arc<dyn Embedder>,
    pub cutter: Arc<dyn Cutter>,
    pub settings: WorkerSettings,
    pub metrics: Metrics,
    /// Threads that may cut files; see [`Parts::threads`].
    pub threads: Arc<Semaphore>,
}

impl Parts {
    /// Threads for cutting: two a worker, so that one lost to a file that never ends leaves another.
    pub fn threads(settings: &WorkerSettings) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(settings.workers.max(1) * 2))
    }
}

/// How far a file is. Read by the renewal of its lease.
#[derive(Debug, Default)]
pub(super) struct Progress {
    done: AtomicU32,
    /// 0: not known yet.
    total: AtomicU32,
}

impl Progress {
    pub(super) fn now(&self) -> (u32, Option<u32>) {
        let total = self.total.load(Ordering::Relaxed);
        (self.done.load(Ordering::Relaxed), (total > 0).then_some(total))
    }
}

/// The spans of the stages that groups of chunks take turns in: one each for a file of any size, open from the first group that needs it.
#[derive(Debug, Default)]
struct GroupSpans {
    embed: OnceLock<Span>,
    store: OnceLock<Span>,
}

impl GroupSpans {
    fn embed(&self) -> Span {
        self.embed.get_or_init(|| tracing::debug_span!("embed", stage = "embed")).clone()
    }

    fn store(&self) -> Span {
        self.store.get_or_init(|| tracing::debug_span!("store", stage = "store")).clone()
    }
}

/// How a file ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    Published(Published),
    /// The very same was stored already.
    Unchanged(Uuid),
}

/// Why a file was not ingested. The texts are reasons for people.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the file is empty")]
    Empty,
    #[error("the file is larger than {limit} bytes; split it, or raise limits.fileBytes")]
    TooLarge { limit: u64 },
    #[error("no text was found in the file; a scanned document needs text recognition first")]
    NoText,
    #[error("{}", .0.reason)]
    Cut(CutError),
    #[error("reading the file failed in the reader of its format; it may be broken")]
    Panicked,
    #[error("reading the file took longer than {seconds} s (limits.extractTimeoutSeconds)")]
    TooSlow { seconds: u64 },
    #[error("only {found} of {expected} bytes of the file are stored; upload it again")]
    Truncated { found: u64, expected: u64 },
    #[error("the document was deleted or replaced before it could be cut anew")]
    Gone,
    #[error("other files are still being read; this one waits for its turn")]
    Crowded,
    #[error("a text could not be embedded")]
    Embed(#[source] EmbedError),
    #[error("the store failed")]
    Store(#[source] StoreError),
}

/// Ingests the claimed file.
pub(super) async fn ingest(parts: &Parts, claim: &Claim, progress: &Progress) -> Result<Ended, IngestError> {
    let Parts { documents, cutter, settings, threads, .. } = parts;
    if claim.size_bytes == 0 {
        return Err(IngestError::Empty);
    }
    let own = claim.chunking.as_ref().and_then(|chunking| cutter.with(chunking));
    let cutter = own.as_ref().unwrap_or(cutter);
    let fingerprint = cutter.fingerprint();
    if let Some(document) = documents.is_unchanged(claim, &fingerprint).await.map_err(IngestError::Store)? {
        documents.complete_unchanged(claim, document).await.map_err(IngestError::Store)?;
        return Ok(Ended::Unchanged(document));
    }
    let bytes = stage::run(tracing::debug_span!("read", stage = "read"), read(parts, claim)).await?;
    let Cut { content_type, title, chunks, redacted } =
        blocking::cut(cutter, threads, claim, bytes, settings.extract_timeout).await?;
    if chunks.is_empty() {
        return Err(IngestError::NoText);
    }
    progress.total.store(u32::try_from(chunks.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
    let mut position = 0;
    let mut held = Held::default();
    let spans = GroupSpans::default();
    for group in groups(chunks, settings.group) {
        if held.is_full() {
            let staging = documents.stage(claim, std::mem::take(&mut held).chunks);
            stage::run(spans.store(), staging).await.map_err(IngestError::Store)?;
        }
        let ready = embed_group(parts, claim, group, position, &spans).await?;
        position += u32::try_from(ready.len()).unwrap_or(u32::MAX);
        ready.into_iter().for_each(|chunk| held.push(chunk));
        progress.done.store(position, Ordering::Relaxed);
    }
    drop(spans);
    let document = NewDocument { content_type, title, rest: held.chunks };
    let publishing = documents.publish(claim, document, &fingerprint);
    let published =
        stage::run(tracing::debug_span!("publish", stage = "publish"), publishing).await.map_err(IngestError::Store)?;
    parts.metrics.count_redacted(&redacted);
    Ok(Ended::Published(published))
}

/// The file's bytes, whole: its format cannot be read otherwise.
async fn read(parts: &Parts, claim: &Claim) -> Result<Vec<u8>, IngestError> {
    let limit = parts.settings.file_bytes;
    if claim.size_bytes > limit {
        return Err(IngestError::TooLarge { limit });
    }
    let blob = claim.blob.ok_or(IngestError::Gone)?;
    let mut bytes = Vec::with_capacity(usize::try_from(claim.size_bytes).unwrap_or_default());
    let mut number = 0;
    while let Some(piece) = parts.blobs.piece(claim.workspace, blob, number).await.map_err(IngestError::Store)? {
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(IngestError::TooLarge { limit });
        }
        bytes.extend_from_slice(&piece);
        number += 1;
    }
    let found = bytes.len() as u64;
    if found == claim.size_bytes { Ok(bytes) } else { Err(IngestError::Truncated { found, expected: claim.size_bytes }) }
}

/// Groups of chunks whose windows number about `most`.
fn groups(chunks: Vec<CutChunk>, most: usize) -> Vec<Vec<CutChunk>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut windows = 0;
    for chunk in chunks {
        windows += chunk.windows.len().max(1);
        group.push(chunk);
        if windows >= most {
            groups.push(std::mem::take(&mut group));
            windows = 0;
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// Chunks that are ready to be stored and wait for the rest of their document, so that it is written once. What is more than a gateway
/// should keep in memory goes to the staging area meanwhile.
#[derive(Debug, Default)]
struct Held {
    chunks: Vec<StagedChunk>,
    bytes: usize,
}

impl Held {
    /// Passed by one group of texts at most, as is the next.
    const MOST_CHUNKS: usize = 1_000;
    /// Of texts and vectors.
    const MOST_BYTES: usize = 16 << 20;

    fn push(&mut self, chunk: StagedChunk) {
        self.bytes +=
            chunk.text.len() + chunk.windows.iter().flatten().map(|vector| size_of_val(vector.as_slice())).sum::<usize>();
        self.chunks.push(chunk);
    }

    fn is_full(&self) -> bool {
        self.chunks.len() >= Self::MOST_CHUNKS || self.bytes >= Self::MOST_BYTES
    }
}

/// Embeds what has no stored vectors. `first`: the position of the group's first chunk.
async fn embed_group(
    parts: &Parts,
    claim: &Claim,
    group: Vec<CutChunk>,
    first: u32,
    spans: &GroupSpans,
) -> Result<Vec<StagedChunk>, IngestError> {
    let hashes: Vec<Hash> = group.iter().map(|chunk| hash(parts.embedder.as_ref(), &chunk.windows)).collect();
    let stored = parts.documents.embedded(claim.workspace, &hashes).await.map_err(IngestError::Store)?;
    let mut vectors = embed(parts, &group, &hashes, &stored, spans).await?.into_iter();
    let ready = group.into_iter().zip(hashes).zip(first..).map(|((chunk, content_hash), position)| {
        let CutChunk { text, tokens, heading_path, place, kind, metadata, windows } = chunk;
        let windows = (!stored.contains(&content_hash)).then(|| vectors.by_ref().take(windows.len()).collect());
        StagedChunk { position, text, tokens, heading_path, place, kind, content_hash, metadata, windows }
    });
    Ok(ready.collect())
}

/// The vectors of all windows of the chunks that have none, in order.
async fn embed(
    parts: &Parts,
    group: &[CutChunk],
    hashes: &[Hash],
    stored: &HashSet<Hash>,
    spans: &GroupSpans,
) -> Result<Vec<Vec<f32>>, IngestError> {
    let missing = group.iter().zip(hashes).filter(|(_, hash)| !stored.contains(*hash));
    let texts: Vec<String> = missing.flat_map(|(chunk, _)| chunk.windows.iter().cloned()).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let vectors = stage::run(spans.embed(), parts.embedder.embed_batch(&texts)).await.map_err(IngestError::Embed)?;
    if vectors.len() == texts.len() {
        return Ok(vectors);
    }
    let what = format!("{} vectors for {} texts", vectors.len(), texts.len());
    Err(IngestError::Embed(EmbedError::Malformed { host: parts.embedder.model_name().to_owned(), what }))
}

/// Over all that the vectors depend on.
fn hash(embedder: &dyn Embedder, windows: &[String]) -> Hash {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    add(embedder.model_name());
    add(&embedder.dimensions().to_string());
    for window in windows {
        add(window);
    }
    hasher.finalize().into()
}
