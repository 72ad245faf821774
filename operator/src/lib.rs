//! The operator: controller → reconcile → { cluster, the only I/O; plan, pure }. Imports follow these arrows.

pub mod admin;
pub mod app;
pub mod backoff;
pub mod certificate;
pub mod cli;
pub mod cluster;
pub mod context;
pub mod controller;
pub mod draw;
pub mod leader;
pub mod metrics;
pub mod plan;
pub mod reconcile;
pub mod render;
pub mod rest;
pub mod telemetry;
