//! Texts to ask about: excerpts of the PostgreSQL manual and the documents of `verify`, cut and embedded as an ingest does, with the
//! built-in parts alone.

use std::{collections::BTreeMap, fs, path::Path};

use chrono::Utc;
use ragline_config::Chunking;
use ragline_gateway::{
    ingest::{chunk::chunk, extract::extract, window::windows},
    traits::{
        embedder::{Embedder, Vector},
        search::Match,
    },
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::model::builtin;

/// Passages that an answer is made of, by default.
const PASSAGES: usize = 5;

/// The chunks of the corpus and one vector for each window.
pub(crate) struct Corpus {
    pub(crate) chunks: Vec<Match>,
    /// Index of the chunk, vector.
    windows: Vec<(usize, Vector)>,
}

impl Corpus {
    /// Embedded once for all tests of the process.
    pub(crate) async fn shared() -> &'static Self {
        static CORPUS: OnceCell<Corpus> = OnceCell::const_new();
        CORPUS.get_or_init(|| async { Self::embed(builtin().as_ref()).await }).await
    }

    async fn embed(embedder: &dyn Embedder) -> Self {
        let folders = ["tests/it/data/postgresql", "src/verify/documents"];
        let folders = folders.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        let mut files: Vec<_> =
            folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
        files.sort();
        let (mut chunks, mut owners, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for path in files {
            let filename = path.file_name().unwrap().to_string_lossy().into_owned();
            let extracted = extract(&fs::read(&path).unwrap(), &filename, None).unwrap();
            for chunk in chunk(&extracted, &Chunking::default(), embedder.tokenizer()) {
                for window in windows(&chunk.text, embedder.window_tokens(), embedder.tokenizer()) {
                    owners.push(chunks.len());
                    texts.push(window.to_owned());
                }
                chunks.push(Match {
                    chunk_id: i64::try_from(chunks.len()).unwrap(),
                    similarity: Some(0.0),
                    lexical: None,
                    score: None,
                    calibrated: false,
                    text: chunk.text,
                    tokens: Some(chunk.tokens),
                    position: chunk.position,
                    heading_path: chunk.heading_path,
                    place: chunk.place,
                    kind: chunk.kind,
                    metadata: serde_json::Map::new(),
                    document_id: Uuid::nil(),
                    file_id: None,
                    filename: filename.clone(),
                    content_type: "text/markdown".into(),
                    ingested_at: Utc::now(),
                });
            }
        }
        let vectors = embedder.embed_batch(&texts).await.unwrap();
        Self { chunks, windows: owners.into_iter().zip(vectors).collect() }
    }

    /// The nearest chunks, as many as an answer is made of.
    pub(crate) fn search(&self, vector: &[f32]) -> Vec<Match> {
        let mut found = self.search_all(vector);
        found.truncate(PASSAGES);
        found
    }

    /// All chunks, the nearest first, each by its best window.
    pub(crate) fn search_all(&self, vector: &[f32]) -> Vec<Match> {
        let mut best: BTreeMap<usize, f32> = BTreeMap::new();
        for (chunk, window) in &self.windows {
            let similarity: f32 = window.iter().zip(vector).map(|(a, b)| a * b).sum();
            best.entry(*chunk).and_modify(|known| *known = known.max(similarity)).or_insert(similarity);
        }
        let mut ranked: Vec<(usize, f32)> = best.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.iter().map(|&(chunk, similarity)| Match { similarity: Some(similarity), ..self.chunks[chunk].clone() }).collect()
    }
}
