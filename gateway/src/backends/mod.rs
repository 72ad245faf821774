//! The outside world behind the traits: one module per outside thing.

pub mod builtin;
pub mod cache;
pub mod extractive;
pub mod off;
pub mod pgvector;
