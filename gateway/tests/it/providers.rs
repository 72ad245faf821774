//! Embedding and generation providers: the built-in model against reference vectors, the others against fakes.

mod builtin;
mod embedding;
mod fake;
mod fallback;
mod openai;
pub(crate) mod stream_fake;
mod streams;
