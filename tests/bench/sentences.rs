//! Real sentences with their real vectors: those of the pages of PostgreSQL's manual that the gateway's tests have. Embedded once,
//! and kept in target/bench. A row is two of them, so that a few thousand make a million rows whose neighbours are as near and as
//! unevenly spread as those of real text.

use std::{collections::hash_map::DefaultHasher, fs, hash::Hasher, path::Path};

use anyhow::{Context, ensure};
use ragline_gateway::traits::embedder::Embedder;

use crate::surroundings::Surroundings;

/// Shorter lines are headings and code.
const LEAST_CHARS: usize = 60;
/// Longer ones are cut by the model.
const MOST_CHARS: usize = 600;

/// Texts with unit vectors.
#[derive(Clone, Debug)]
pub(crate) struct Sentences {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    /// Real questions to the same pages.
    pub(crate) questions: Vec<String>,
    question_vectors: Vec<Vec<f32>>,
}

impl Sentences {
    pub(crate) async fn load(around: &Surroundings, embedder: &dyn Embedder) -> anyhow::Result<Self> {
        let texts = texts(&around.pages, around.sentences)?;
        let questions = questions(&around.pages)?;
        let all: Vec<String> = texts.iter().chain(&questions).cloned().collect();
        let dimensions = embedder.dimensions() as usize;
        let path = around.folder.join(format!("sentences-{:016x}.f32", fingerprint(&all, embedder.model_name())));
        let kept = fs::read(&path).ok().filter(|bytes| bytes.len() == all.len() * dimensions * 4);
        let mut vectors = match kept {
            Some(bytes) => unpacked(&bytes, dimensions),
            None => {
                println!("  embedding {} sentences, once", all.len());
                let vectors = embedder.embed_batch(&all).await?;
                fs::write(&path, packed(&vectors)).with_context(|| path.display().to_string())?;
                vectors
            }
        };
        let question_vectors = vectors.split_off(texts.len());
        Ok(Self { texts, vectors, questions, question_vectors })
    }

    /// The text and the vector of a row: the vector is the first sentence's, turned a third of the way to the second's.
    pub(crate) fn row(&self, number: usize, dimensions: usize) -> (String, Vec<f32>) {
        let count = self.texts.len();
        let (first, second) = (number % count, (number / count + number * 7 + 1) % count);
        let mixed = self.vectors[first].iter().zip(&self.vectors[second]).map(|(a, b)| 2.0 * a + b).collect();
        (format!("{} {}", self.texts[first], self.texts[second]), widened(mixed, dimensions))
    }

    pub(crate) fn question_vectors(&self, dimensions: usize) -> Vec<Vec<f32>> {
        self.question_vectors.iter().map(|vector| widened(vector.clone(), dimensions)).collect()
    }
}

/// A unit vector of so many dimensions: repeated, which leaves every cosine as it was, and costs what a larger model's would.
fn widened(vector: Vec<f32>, dimensions: usize) -> Vec<f32> {
    let wide: Vec<f32> = vector.iter().copied().cycle().take(dimensions).collect();
    let norm = wide.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    wide.into_iter().map(|number| number / norm).collect()
}

fn texts(pages: &Path, most: usize) -> anyhow::Result<Vec<String>> {
    let folder = pages.join("postgresql");
    let mut paths: Vec<_> = fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        for line in fs::read_to_string(path)?.lines() {
            texts.extend(line.split_inclusive(". ").map(str::trim).filter(|text| fits(text)).map(str::to_owned));
        }
    }
    texts.sort();
    texts.dedup();
    texts.truncate(most);
    ensure!(texts.len() == most, "{} holds only {} sentences", folder.display(), texts.len());
    Ok(texts)
}

fn fits(text: &str) -> bool {
    (LEAST_CHARS..=MOST_CHARS).contains(&text.chars().count())
}

fn questions(pages: &Path) -> anyhow::Result<Vec<String>> {
    let lines = fs::read_to_string(pages.join("questions.jsonl"))?;
    let question = |line: &str| -> anyhow::Result<String> {
        let value: serde_json::Value = serde_json::from_str(line)?;
        Ok(value["question"].as_str().context("a line without a question")?.to_owned())
    };
    lines.lines().map(question).collect()
}

fn fingerprint(texts: &[String], model: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(model.as_bytes());
    texts.iter().for_each(|text| hasher.write(text.as_bytes()));
    hasher.finish()
}

fn packed(vectors: &[Vec<f32>]) -> Vec<u8> {
    vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect()
}

fn unpacked(bytes: &[u8], dimensions: usize) -> Vec<Vec<f32>> {
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    numbers.chunks(dimensions).map(<[f32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Sentences {
        let (texts, vectors) = (vec!["a".into(), "b".into()], vec![vec![1.0, 0.0], vec![0.0, 1.0]]);
        Sentences { texts, vectors, questions: Vec::new(), question_vectors: vec![vec![0.6, 0.8]] }
    }

    #[test]
    fn a_row_is_nearest_to_its_first_sentence() {
        let (text, vector) = two().row(0, 2);
        assert_eq!(text, "a b");
        assert!((vector[0] - 0.894).abs() < 1e-3 && (vector[1] - 0.447).abs() < 1e-3, "{vector:?}");
    }

    #[test]
    fn widening_leaves_the_cosines_as_they_were() {
        let sentences = two();
        let cosine = |dimensions| {
            let (_, row) = sentences.row(0, dimensions);
            row.iter().zip(&sentences.question_vectors(dimensions)[0]).map(|(a, b)| a * b).sum::<f32>()
        };
        assert!((cosine(2) - cosine(8)).abs() < 1e-6);
    }

    #[test]
    fn what_is_kept_is_what_was_embedded() {
        let vectors = vec![vec![1.5, -2.0], vec![0.25, 8.0]];
        assert_eq!(unpacked(&packed(&vectors), 2), vectors);
    }
}
