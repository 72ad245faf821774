//! Models and a cutter for tests: deterministic, quick, and broken on demand.

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use ragline_gateway::{
    ingest::cut::{Cut, CutChunk, CutError, Cutter},
    redact::Counts,
    traits::{
        embedder::{EmbedError, Embedder, Tokenizer, Vector},
        ingest::{Fault, Hash},
        place::{ChunkKind, Place},
    },
};
use tokio::sync::watch;

/// Tokens are words.
#[derive(Debug)]
pub(crate) struct Words;

impl Tokenizer for Words {
    fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect()
    }
}

/// Embeds by the words of a text: texts that share words are near each other.
#[derive(Debug)]
pub(crate) struct WordEmbedder {
    dimensions: u32,
    /// Errors that the next calls give, last first.
    pub(crate) failures: Mutex<Vec<EmbedError>>,
    /// Texts embedded so far.
    pub(crate) texts: AtomicUsize,
    /// Whether calls wait; and the number that do.
    stall: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl WordEmbedder {
    pub(crate) fn new(dimensions: u32) -> Self {
        let (stall, waiting) = (watch::Sender::new(false), watch::Sender::new(0));
        Self { dimensions, failures: Mutex::default(), texts: AtomicUsize::new(0), stall, waiting }
    }

    /// Lets every call wait until [`Self::flow`].
    pub(crate) fn stall(&self) {
        self.stall.send_replace(true);
    }

    /// Ends the waiting.
    pub(crate) fn flow(&self) {
        self.stall.send_replace(false);
    }

    /// Resolves once a call waits.
    pub(crate) async fn stalled(&self) {
        self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await.unwrap();
    }

    fn vector(&self, text: &str) -> Vector {
        let mut vector = vec![0.0_f32; self.dimensions as usize];
        vector[0] = 0.01;
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let hash = word.to_lowercase().bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
            vector[1 + hash % (self.dimensions as usize - 1)] += 1.0;
        }
        let norm = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.iter().map(|number| number / norm).collect()
    }
}

#[async_trait]
impl Embedder for WordEmbedder {
    async fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        Ok(self.embed_batch(&[text.to_owned()]).await?.remove(0))
    }

    async fn embed_batch(&self, texts: &[String]) -> Result<Vec<Vector>, EmbedError> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        self.stall.subscribe().wait_for(|stall| !stall).await.unwrap();
        if let Some(failure) = self.failures.lock().unwrap().pop() {
            return Err(failure);
        }
        self.texts.fetch_add(texts.len(), Ordering::Relaxed);
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }

    fn dimensions(&self) -> u32 {
        self.dimensions
    }

    fn model_name(&self) -> &str {
        "words"
    }

    fn provider(&self) -> &'static str {
        "builtin"
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &Words
    }

    fn can_be_shortened(&self) -> bool {
        true
    }

    fn window_tokens(&self) -> Option<usize> {
        None
    }

    async fn health(&self) -> Result<(), EmbedError> {
        Ok(())
    }
}

/// A chunk is a paragraph. `broken` in a file's name makes it unreadable, `panic` lets the reader panic, `slow` takes three seconds.
#[derive(Debug)]
pub(crate) struct Paragraphs;

impl Cutter for Paragraphs {
    fn cut(&self, bytes: Vec<u8>, filename: &str, content_type: Option<&str>) -> Result<Cut, CutError> {
        match filename {
            name if name.contains("broken") => {
                return Err(CutError { reason: "the PDF is encrypted".into(), fault: Fault::File });
            }
            name if name.contains("panic") => panic!("the reader of this format gave up"),
            name if name.contains("slow") => std::thread::sleep(std::time::Duration::from_secs(3)),
            _ => {}
        }
        let text = String::from_utf8(bytes).map_err(|_| CutError { reason: "the file is no text".into(), fault: Fault::File })?;
        let chunk = |paragraph: &str| CutChunk {
            text: paragraph.to_owned(),
            tokens: paragraph.split_whitespace().count() as u32,
            heading_path: Vec::new(),
            place: Place::default(),
            kind: ChunkKind::Doc,
            metadata: serde_json::Map::new(),
            windows: vec![paragraph.to_owned()],
        };
        let chunks = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()).map(chunk).collect();
        Ok(Cut {
            content_type: content_type.unwrap_or("text/plain").to_owned(),
            title: None,
            chunks,
            redacted: Counts::default(),
        })
    }

    fn fingerprint(&self) -> Hash {
        [3; 32]
    }
}
