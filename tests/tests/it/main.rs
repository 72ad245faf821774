//! Tests that concern more than one package. Those of the module `e2e` need a real Kubernetes and the feature `e2e`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends by a panic")]

mod chart;
#[cfg(feature = "e2e")]
mod e2e;
mod operator_readme;
