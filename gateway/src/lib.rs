//! The gateway: http → { answer, ingest, index } → traits; backends implement the traits.
//!
//! - [`traits`]: what the trips need from the outside world.

pub mod answer;
pub mod app;
pub mod backends;
pub mod cli;
pub mod client;
pub mod eval;
pub mod http;
pub mod index;
pub mod ingest;
pub mod metrics;
pub mod redact;
pub mod settings;
pub mod telemetry;
pub mod traits;
pub mod verify;
