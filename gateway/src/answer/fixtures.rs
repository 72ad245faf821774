//! Values for the tests of this trip.

use chrono::DateTime;
use uuid::Uuid;

use crate::traits::{
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
