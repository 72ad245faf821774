//! Trip two: a document becomes chunks. The trip is [`job`]; the loop that claims files is [`worker`].

pub mod metadata;
pub mod upload;
