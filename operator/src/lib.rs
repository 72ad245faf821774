//! The operator.

pub mod admin;
pub mod cluster;
pub mod leader;
pub mod metrics;
pub mod plan;
pub mod telemetry;
