//! The outside world behind the traits: one module per outside thing.

pub mod anthropic;
pub mod builtin;
pub mod cache;
pub mod collector;
pub mod extractive;
pub mod fallback;
pub mod gemini;
pub mod http;
pub mod lexical;
pub mod limiter;
pub mod off;
pub mod oidc;
pub mod openai;
pub mod pgvector;
pub mod rephrase;
pub mod rerank;
pub mod short_questions;
pub mod text_embeddings_inference;
