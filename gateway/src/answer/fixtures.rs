//! Values for the tests of this trip.

use std::ops::Range;

use chrono::DateTime;
use uuid::Uuid;

use crate::traits::{
    embedder::Tokenizer,
    place::{ChunkKind, Place},
    search::Match,
};

/// A passage of a.md with this text.
pub(crate) fn found(text: &str) -> Match {
    Match {
        chunk_id: 1,
        similarity: Some(0.5),
        lexical: None,
        score: None,
        calibrated: false,
        text: text.into(),
        tokens: None,
        position: 0,
        heading_path: Vec::new(),
        place: Place::default(),
        kind: ChunkKind::Doc,
        metadata: serde_json::Map::new(),
        document_id: Uuid::nil(),
        file_id: None,
        filename: "a.md".into(),
        content_type: "text/markdown".into(),
        ingested_at: DateTime::UNIX_EPOCH,
    }
}

/// A token is what stands between spaces.
#[derive(Debug)]
pub(crate) struct Spaces;

impl Tokenizer for Spaces {
    fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let start = text.as_ptr() as usize;
        text.split_whitespace().map(|w| w.as_ptr() as usize - start..w.as_ptr() as usize - start + w.len()).collect()
    }
}
