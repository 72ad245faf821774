//! BM25 over packed postings: the words of a text, the bytes they become, the score, and what a merge makes of several segments.
//! Values in, values out: no SQL, no clock, no I/O. Bytes come from a database that may be damaged: they give an error, never a panic.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod blob;
pub mod codec;
pub mod merge;
pub mod score;
pub mod segment;
pub mod tiers;
pub mod words;

/// Version of everything that is stored as bytes. Each piece of postings begins with it.
pub const FORMAT: u8 = 1;

/// Stored bytes that do not mean anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Corrupt {
    #[error("the postings have format {found}, this program reads {FORMAT}")]
    Format { found: u8 },
    #[error("the postings end in the middle")]
    CutShort,
    #[error("a number in the postings is too large")]
    TooLarge,
    #[error("the postings hold a term frequency of {found}")]
    Frequency { found: u8 },
    #[error("the postings name chunk {ordinal} of a segment of {n}")]
    Ordinal { ordinal: u64, n: u32 },
    #[error("a term counts {counted} chunks and names {named}")]
    Count { counted: u32, named: u32 },
    #[error("a term is not text")]
    Term,
    #[error("the list of chunks has {bytes} bytes for {n} chunks")]
    Members { bytes: usize, n: u32 },
    #[error("the segments have {found} chunks, more than fit")]
    Full { found: u64 },
}

/// The first byte is taken off; it must be the version.
fn versioned(bytes: &[u8]) -> Result<&[u8], Corrupt> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => Ok(rest),
        Some((&found, _)) => Err(Corrupt::Format { found }),
        None => Err(Corrupt::CutShort),
    }
}
