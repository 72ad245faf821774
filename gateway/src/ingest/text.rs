//! The [`Cutter`] that serves: extraction, redaction, chunks of the embedder's tokens, windows.

use std::sync::Arc;

use ragline_config::Chunking;
use sha2::{Digest, Sha256};

use super::{
    chunk::{self, Chunk},
    cut::{Cut, CutChunk, CutError, Cutter},
    extract::{self, ExtractError, Extracted},
    redacted, window,
};
use crate::{
    redact::Redactor,
    telemetry::stage,
    traits::{
        embedder::Embedder,
        ingest::{Fault, Hash, Metadata},
    },
};

/// Cuts for an embedder.
#[derive(Clone, Debug)]
pub struct TextCutter {
    pub chunking: Chunking,
    pub embedder: Arc<dyn Embedder>,
    pub redactor: Redactor,
}

impl Cutter for TextCutter {
    fn cut(&self, bytes: Vec<u8>, filename: &str, content_type: Option<&str>) -> Result<Cut, CutError> {
        let span = tracing::debug_span!("extract", stage = "extract", size_bytes = bytes.len());
        let extracted = span.in_scope(|| extract::extract(&bytes, filename, content_type));
        let mut extracted = extracted.map_err(|error| {
            stage::fail(&span, "unreadable");
            let fault = if matches!(error, ExtractError::Unsupported { .. }) { Fault::Format } else { Fault::File };
            CutError { reason: error.to_string(), fault }
        })?;
        drop((bytes, span));
        let span = tracing::debug_span!("redact", stage = "redact");
        let redacted = span.in_scope(|| redacted::redact(&mut extracted, &self.redactor));
        drop(span);
        let _chunking = tracing::debug_span!("chunk", stage = "chunk").entered();
        let tokenizer = self.embedder.tokenizer();
        let chunks = chunk::chunk(&extracted, &self.chunking, tokenizer);
        let Extracted { title, content_type, blocks: _ } = extracted;
        let chunks = chunks.into_iter().map(|chunk| {
            let Chunk { position: _, text, tokens, overlap_tokens: _, heading_path, place, kind } = chunk;
            let windows = window::windows(&text, self.embedder.window_tokens(), tokenizer);
            let windows = windows.into_iter().map(str::to_owned).collect();
            CutChunk { text, tokens, heading_path, place, kind, metadata: Metadata::new(), windows }
        });
        Ok(Cut { content_type: content_type.to_owned(), title, chunks: chunks.collect(), redacted })
    }

    fn fingerprint(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(chunk::fingerprint(&self.chunking, self.embedder.model_name()));
        hasher.update(self.redactor.fingerprint());
        hasher.finalize().into()
    }

    fn with(&self, chunking: &Chunking) -> Option<Arc<dyn Cutter>> {
        Some(Arc::new(Self { chunking: chunking.clone(), ..self.clone() }))
    }
}
