//! The only place where the operator speaks to the Kubernetes API and to gateways.

pub mod access;
pub mod apply;
mod client;
pub mod covers;
pub mod index;
pub mod observe;
pub mod report;
pub mod shared;
pub mod warnings;

pub use client::{Cluster, FIELD_MANAGER, REQUEST_TIMEOUT, RequestError};
