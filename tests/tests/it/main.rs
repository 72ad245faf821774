//! Tests that concern more than one package. Those of the module `e2e` need a real Kubernetes and the
//! feature `e2e`, those of `apiserver` an API server and the feature `apiserver`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends by a panic")]

#[cfg(feature = "apiserver")]
mod apiserver;
mod chart;
#[cfg(feature = "e2e")]
mod e2e;
mod operator_readme;
mod tidy;
