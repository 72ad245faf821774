//! Trip three: a question becomes an answer. The trip reads as its steps; each step has a file. No I/O but through the traits.

pub mod citations;
mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod prompt;
mod request;
mod retrieve;

pub use request::{AnswerError, AnswerOutcome, AnswerRequest, Citation, SearchOutcome, SearchRequest};
pub use retrieve::Retriever;
