//! all-MiniLM-L6-v2 inside the process: an [`Embedder`] that needs no key and no network. A text is seen up to 256 tokens.

mod graph;
mod model;
mod queue;
mod tokenizer;
mod weights;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};

use self::{
    model::MiniLm,
    queue::{Line, Queue},
    tokenizer::WordPiece,
    weights::Weights,
};
use crate::traits::embedder::{EmbedError, Embedder, Tokenizer, Vector};

/// The model's name, as it is stored with the vectors.
pub const MODEL_NAME: &str = "all-MiniLM-L6-v2";
/// Numbers in a vector.
pub const DIMENSIONS: u32 = 384;

// The shape of all-MiniLM-L6-v2.
const LAYERS: usize = 6;
const HIDDEN: usize = 384;
const INTERMEDIATE: usize = 1_536;
const HEAD_SIZE: usize = 32;
const VOCABULARY: usize = 30_522;
const POSITIONS: usize = 512;
const TOKEN_TYPES: usize = 2;

/// Tokens that the model was made to see, the two special ones included.
const MAX_SEQUENCE_TOKENS: usize = 256;
/// Tokens of the texts that the model was trained on: windows of this size find more than those of 160 (see RETRIEVAL.md).
const WINDOW_TOKENS: usize = 128;
/// Padded tokens in one run: what a question may have to wait for.
const STEP_TOKENS: usize = 1_024;
/// Texts that are tokenized and sorted by length together.
const GROUP_TEXTS: usize = 256;
/// A batch no larger than this belongs to a question that somebody waits for, such as the sentences of its context.
const QUESTION_TEXTS: usize = 32;
/// Steps of one caller in the line at once.
const STEPS_AHEAD: usize = 2;

/// The built-in embedding model.
#[derive(Debug)]
pub struct BuiltinEmbedder {
    tokenizer: Arc<WordPiece>,
    queue: Queue,
}

/// Why the built-in model did not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "{path} cannot be read; put model.safetensors and tokenizer.json of all-MiniLM-L6-v2 into that folder, or set RAGLINE_MODEL_DIR"
    )]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} does not hold the weights of all-MiniLM-L6-v2: {what}")]
    Weights { path: PathBuf, what: String },
    #[error("{path} is no tokenizer that this program can use")]
    Tokenizer {
        path: PathBuf,
        #[source]
        source: tokenizers::Error,
    },
    #[error("the engine refuses the model")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no thread could be started for the model")]
    Thread(#[source] std::io::Error),
}

impl BuiltinEmbedder {
    /// Reads model.safetensors and tokenizer.json from a folder. Takes a second; blocks. Without `threads` the model uses as
    /// many as the process may.
    ///
    /// # Errors
    /// [`LoadError`] names the file and what is wrong with it.
    pub fn load(directory: &Path, threads: Option<NonZeroUsize>) -> Result<Self, LoadError> {
        let threads = threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let tokenizer = WordPiece::read(&directory.join("tokenizer.json"))?;
        let weights = Weights::read(&directory.join("model.safetensors"))?;
        let queue = Queue::start(MiniLm::load(weights, threads)?).map_err(LoadError::Thread)?;
        Ok(Self { tokenizer: Arc::new(tokenizer), queue })
    }

    async fn group(&self, line: Line, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        let (tokenizer, owned) = (Arc::clone(&self.tokenizer), texts.to_vec());
        let tokenize = move || owned.iter().map(|text| tokenizer.sequence(text)).collect::<Result<Vec<_>, _>>();
        let sequences = tokio::task::spawn_blocking(tokenize).await.map_err(|error| EmbedError::Model(Box::new(error)))?;
        let sequences = sequences.map_err(EmbedError::Model)?;
        let mut vectors = vec![Vector::new(); texts.len()];
        let mut done = futures::stream::iter(steps(sequences))
            .map(|step| async move {
                let (places, sequences): (Vec<usize>, Vec<Vec<i32>>) = step.into_iter().unzip();
                Ok::<_, EmbedError>((places, self.queue.run(line, sequences).await?))
            })
            .buffered(STEPS_AHEAD);
        while let Some((places, found)) = done.try_next().await? {
            for (place, vector) in places.into_iter().zip(found) {
                vectors[place] = vector;
            }
        }
        Ok(vectors)
    }
}

/// Packs sequences of similar length together, each with its place in the input; no step is larger than [`STEP_TOKENS`] padded.
fn steps(sequences: Vec<Vec<i32>>) -> Vec<Vec<(usize, Vec<i32>)>> {
    let mut sorted: Vec<(usize, Vec<i32>)> = sequences.into_iter().enumerate().collect();
    sorted.sort_by_key(|(_, ids)| ids.len());
    let mut steps: Vec<Vec<(usize, Vec<i32>)>> = Vec::new();
    for (place, ids) in sorted {
        match steps.last_mut() {
            Some(step) if (step.len() + 1) * ids.len() <= STEP_TOKENS => step.push((place, ids)),
            _ => steps.push(vec![(place, ids)]),
        }
    }
    steps
}

#[async_trait]
impl Embedder for BuiltinEmbedder {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        let sequence = self.tokenizer.sequence(text).map_err(EmbedError::Model)?;
        let vectors = self.queue.run(Line::Questions, vec![sequence]).await?;
        vectors.into_iter().next().ok_or_else(|| EmbedError::Model("the model gave no vector".into()))
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        let line = if texts.len() <= QUESTION_TEXTS { Line::Questions } else { Line::Passages };
        let mut vectors = Vec::with_capacity(texts.len());
        for group in texts.chunks(GROUP_TEXTS) {
            vectors.extend(self.group(line, group).await?);
        }
        Ok(vectors)
    }

    fn dimensions(&self) -> u32 {
        HIDDEN as u32
    }

    fn model_name(&self) -> &'static str {
        MODEL_NAME
    }

    fn provider(&self) -> &'static str {
        "builtin"
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.tokenizer.as_ref()
    }

    fn window_tokens(&self) -> Option<usize> {
        Some(WINDOW_TOKENS)
    }

    async fn health(&self) -> Result<(), EmbedError> {
        self.embed("ready").await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_every_sequence_and_stay_small() {
        let sequences: Vec<Vec<i32>> = (0..300).map(|n| vec![n; 1 + (n as usize * 37) % 256]).collect();
        let steps = steps(sequences.clone());
        let mut seen: Vec<(usize, Vec<i32>)> = steps.iter().flatten().cloned().collect();
        seen.sort();
        assert_eq!(seen.into_iter().map(|(_, ids)| ids).collect::<Vec<_>>(), sequences);
        for step in steps {
            let longest = step.iter().map(|(_, ids)| ids.len()).max().unwrap();
            assert!(step.len() == 1 || step.len() * longest <= STEP_TOKENS);
        }
    }
}
