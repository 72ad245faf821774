//! The SQL of the search by words: postings are written with the chunks, merged beside the searches, and scored in
//! [`crate::backends::lexical`]. Statements reach `lex_seg` and `lex_post` by equality alone, which the policies let use the index.
//!
//! Deleting a document removes its chunks and no postings: what is gone is dropped when a hit is looked up, and by the next merge.

mod merge;
mod search;
mod upkeep;
mod write;

pub(super) use self::{
    search::matching_on,
    write::{Words, index_document, indexed},
};
use crate::{backends::lexical::Corrupt, traits::search::StoreError};

/// Stored postings that cannot be read.
fn corrupt(error: Corrupt) -> StoreError {
    StoreError::Failed { action: "reading postings", source: Box::new(error) }
}

/// A number of a column that is never negative.
fn unsigned(number: i32) -> u32 {
    number.unsigned_abs()
}
