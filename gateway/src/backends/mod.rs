//! The outside world behind the traits: one module per outside thing.

pub mod builtin;
pub mod cache;
pub mod extractive;
pub mod http;
pub mod lexical;
pub mod limiter;
pub mod off;
pub mod oidc;
pub mod openai;
pub mod pgvector;
pub mod rephrase;
pub mod rerank;
