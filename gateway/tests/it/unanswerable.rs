//! "I don't know": 50 questions that the corpus answers and 50 that it does not, asked of excerpts of the PostgreSQL manual with the
//! built-in parts alone. At most one in ten of either kind may be taken for the other.

use std::{collections::BTreeMap, fs, path::Path};

use chrono::Utc;
use ragline_config::Chunking;
use ragline_gateway::{
    answer::confidence::{self, Assessment},
    ingest::{chunk::chunk, extract::extract, window::windows},
    traits::{
        embedder::{Embedder, Vector},
        search::Match,
    },
};
use serde::Deserialize;
use uuid::Uuid;

use crate::model::builtin;

/// Passages that an answer is made of, by default.
const PASSAGES: usize = 5;
/// Of 50 questions of a kind.
const MOST_WRONG: usize = 5;

#[derive(Deserialize)]
struct Question {
    question: String,
    answerable: bool,
}

/// The chunks of the corpus and one vector for each window.
struct Corpus {
    chunks: Vec<Match>,
    /// Index of the chunk, vector.
    windows: Vec<(usize, Vector)>,
}

impl Corpus {
    async fn embed(embedder: &dyn Embedder) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/postgresql");
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
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

    /// The nearest chunks, each by its best window.
    fn search(&self, vector: &[f32]) -> Vec<Match> {
        let mut best: BTreeMap<usize, f32> = BTreeMap::new();
        for (chunk, window) in &self.windows {
            let similarity: f32 = window.iter().zip(vector).map(|(a, b)| a * b).sum();
            best.entry(*chunk).and_modify(|known| *known = known.max(similarity)).or_insert(similarity);
        }
        let mut ranked: Vec<(usize, f32)> = best.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
            .iter()
            .take(PASSAGES)
            .map(|&(chunk, similarity)| Match { similarity: Some(similarity), ..self.chunks[chunk].clone() })
            .collect()
    }
}

fn questions() -> Vec<Question> {
    include_str!("data/questions.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_a_tenth_of_the_questions_of_either_kind_is_taken_for_the_other() {
    let embedder = builtin();
    let corpus = Corpus::embed(embedder.as_ref()).await;
    let mut wrong: BTreeMap<bool, Vec<String>> = BTreeMap::new();
    for Question { question, answerable } in questions() {
        let matches = corpus.search(&embedder.embed(&question).await.unwrap());
        let Assessment { carries_answer, confidence } = confidence::assess(&question, &matches, embedder.as_ref()).await.unwrap();
        if carries_answer != answerable {
            wrong.entry(answerable).or_default().push(format!("{confidence:.2} {question}"));
        }
    }
    let count = |answerable: bool| wrong.get(&answerable).map_or(0, Vec::len);
    assert!(count(true) <= MOST_WRONG && count(false) <= MOST_WRONG, "{wrong:#?}");
}

#[test]
fn there_are_fifty_questions_of_each_kind() {
    let answerable = questions().iter().filter(|q| q.answerable).count();
    assert_eq!((answerable, questions().len()), (50, 100));
}
