//! From a file's bytes to the chunks that are stored: what the trip needs of extraction, chunking and windows. Pure and slow, hence
//! run on threads of its own.

use std::sync::Arc;

use ragline_config::Chunking;

use crate::{
    redact::Counts,
    traits::{
        ingest::{Fault, Hash, Metadata},
        place::{ChunkKind, Place},
    },
};

/// A file, cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    pub content_type: String,
    pub title: Option<String>,
    pub chunks: Vec<CutChunk>,
    /// What was taken out of the text.
    pub redacted: Counts,
}

/// One chunk and the texts that are embedded for it.
#[derive(Clone, Debug, PartialEq)]
pub struct CutChunk {
    pub text: String,
    pub tokens: u32,
    pub heading_path: Vec<String>,
    pub place: Place,
    pub kind: ChunkKind,
    pub metadata: Metadata,
    /// One vector each.
    pub windows: Vec<String>,
}

/// Why a file cannot be cut. The text goes to the person who uploaded it.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct CutError {
    pub reason: String,
    pub fault: Fault,
}

/// Cuts files.
pub trait Cutter: Send + Sync + std::fmt::Debug {
    /// Cuts one file.
    ///
    /// # Errors
    /// The file is broken, encrypted or of no known format.
    fn cut(&self, bytes: Vec<u8>, filename: &str, content_type: Option<&str>) -> Result<Cut, CutError>;

    /// Over all settings that change what comes out.
    fn fingerprint(&self) -> Hash;

    /// The same with other sizes; `None` for one that has none.
    fn with(&self, _: &Chunking) -> Option<Arc<dyn Cutter>> {
        None
    }
}
