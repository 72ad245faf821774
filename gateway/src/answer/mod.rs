//! Trip three: a question becomes an answer. The trip reads as its steps; each step has a file. No I/O but through the traits.

mod event;
mod request;
mod retrieve;

pub use request::{AnswerError, AnswerOutcome, AnswerRequest, Citation, SearchOutcome, SearchRequest};
pub use retrieve::Retriever;
