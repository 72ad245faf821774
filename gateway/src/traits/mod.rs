//! What the trips need from the outside world. Trips use these traits, backends implement them; nothing here does I/O.

pub mod cache;
pub mod embedder;
pub mod files;
pub mod filter;
pub mod generator;
pub mod ingest;
pub mod inspect;
pub mod limiter;
pub mod passages;
pub mod place;
pub mod rephraser;
pub mod reranker;
pub mod responses;
pub mod search;
pub mod tokens;
pub mod uploads;
pub mod vector_stores;
pub mod workspaces;
