//! The only place where the operator speaks to the Kubernetes API.

pub mod access;
mod client;
pub mod covers;

pub use client::{Cluster, FIELD_MANAGER, RequestError};
