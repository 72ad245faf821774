//! A schema of its own with as many rows as wanted, stored as the ingest stores them: staged, published, postings and all. No gateway
//! works on it, so that nobody else takes its files.

use std::time::{Duration, Instant};

use anyhow::Context;
use ragline_config::{Config, Database, TlsMode};
use ragline_gateway::{
    backends::pgvector::{
        Store,
        migrate::{Urls, migrate},
        pool,
        space::SpaceWanted,
    },
    index,
    traits::{
        ingest::{BlobStore, Claim, DocumentStore, Hash, JobStore, Metadata, NewDocument, NewItem, StagedChunk},
        place::{ChunkKind, Place},
        search::{Directory, WorkspaceId},
    },
};
use sqlx::PgPool;

use crate::{sentences::Sentences, surroundings::Surroundings};

/// Chunks of one document.
const CHUNKS_EACH: usize = 1_000;
/// Chunks go round through this many values of `kind`, so that a filter for one leaves as large a share.
const KINDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(600);
const FINGERPRINT: Hash = [7; 32];

/// The rows.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) store: Store,
    pub(crate) owner: PgPool,
    pub(crate) workspace: WorkspaceId,
    pub(crate) sentences: Sentences,
    pub(crate) dimensions: usize,
    pub(crate) schema: String,
    stored: usize,
}

impl Rows {
    /// Makes the schema, empty.
    pub(crate) async fn open(around: &Surroundings, sentences: Sentences, dimensions: u32) -> anyhow::Result<Self> {
        let schema = format!("rows_{dimensions}");
        let database = Database { tls_mode: TlsMode::Disable, schema: schema.clone(), ..Database::default() };
        let index = Config::default().index;
        let space = SpaceWanted {
            model: "sentences".to_owned(),
            dimensions,
            element_type: index.element_type,
            distance_metric: index.distance_metric,
            quantization: index.quantization,
        };
        let [bootstrap, owner, application] = &around.database_urls;
        migrate(&database, &Urls { bootstrap: Some(bootstrap), owner, application }, &space, PATIENCE).await?;
        let store = Store::connect(&database, application, space)?;
        let workspace = store.workspace("default").await?.context("there is no workspace `default`")?;
        let owner = pool::owner(&database, owner)?;
        Ok(Self { store, owner, workspace, sentences, dimensions: dimensions as usize, schema, stored: 0 })
    }

    /// Stores rows until there are so many.
    pub(crate) async fn fill(&mut self, rows: usize) -> anyhow::Result<()> {
        while self.stored < rows {
            self.store_some((rows - self.stored).min(CHUNKS_EACH)).await?;
        }
        Ok(())
    }

    /// Stores one document of so many chunks, which are few enough to be published at once; gives how long that took.
    pub(crate) async fn store_some(&mut self, chunks: usize) -> anyhow::Result<Duration> {
        let rest = self.chunks(chunks);
        let claim = self.claim().await?;
        let begin = Instant::now();
        self.publish(&claim, rest).await?;
        Ok(begin.elapsed())
    }

    /// Stores one document by way of the staging area, as those are that are too large for memory.
    pub(crate) async fn store_staged(&mut self, chunks: usize) -> anyhow::Result<Duration> {
        let staged = self.chunks(chunks);
        let claim = self.claim().await?;
        let begin = Instant::now();
        self.store.stage(&claim, staged).await?;
        self.publish(&claim, Vec::new()).await?;
        Ok(begin.elapsed())
    }

    async fn publish(&mut self, claim: &Claim, rest: Vec<StagedChunk>) -> anyhow::Result<()> {
        let document = NewDocument { content_type: "text/plain".to_owned(), title: None, rest };
        self.stored += self.store.publish(claim, document, &FINGERPRINT).await?.chunks as usize;
        Ok(())
    }

    /// The next rows, which are then to be stored.
    pub(crate) fn chunks(&self, count: usize) -> Vec<StagedChunk> {
        let chunk = |position: usize| {
            let number = self.stored + position;
            let (text, vector) = self.sentences.row(number, self.dimensions);
            let mut content_hash = [0; 32];
            content_hash[..8].copy_from_slice(&(number as u64).to_le_bytes());
            StagedChunk {
                position: u32::try_from(position).unwrap_or(u32::MAX),
                text,
                tokens: 60,
                heading_path: Vec::new(),
                place: Place::default(),
                kind: ChunkKind::default(),
                content_hash,
                metadata: Metadata::from_iter([("kind".to_owned(), (number % KINDS).into())]),
                windows: Some(vec![vector]),
            }
        };
        (0..count).map(chunk).collect()
    }

    async fn claim(&self) -> anyhow::Result<Claim> {
        let blob = BlobStore::begin(&self.store, self.workspace).await?;
        let item = NewItem {
            source: format!("rows/{}", self.stored),
            content_type: Some("text/plain".to_owned()),
            metadata: Metadata::new(),
            blob,
            size_bytes: 0,
            content_hash: FINGERPRINT,
        };
        self.store.create(self.workspace, vec![item]).await?;
        self.store.claim(LEASE, 1).await?.context("somebody else took the file")
    }

    /// Builds the index that the policy wants.
    pub(crate) async fn index(&self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        sqlx::raw_sql("ANALYZE chunk; ANALYZE attribute; ANALYZE embeddings").execute(&self.owner).await?;
        Box::pin(index::run(&self.owner, &Config::default().index)).await?;
        // As a gateway would have done meanwhile.
        self.store.tend_all(true).await?;
        Ok(begin.elapsed())
    }

    /// As figures name them.
    pub(crate) fn name(&self) -> String {
        format!("{} rows of {} dimensions", thousands(self.stored), self.dimensions)
    }

    pub(crate) fn stored(&self) -> usize {
        self.stored
    }
}

fn thousands(number: usize) -> String {
    if number.is_multiple_of(1_000) { format!("{}k", number / 1_000) } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers_are_short() {
        assert_eq!((thousands(20_000), thousands(1_500)), ("20k".to_owned(), "1500".to_owned()));
    }
}
