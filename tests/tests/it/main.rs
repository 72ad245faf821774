//! Tests that concern more than one package. Those of the module `e2e` need a real Kubernetes and the
//! feature `e2e`, `e2e::failover` CloudNativePG on it and the feature `cnpg`, those of `apiserver` an API
//! server and the feature `apiserver`, those of `monitoring::programs` helm, promtool and Lua and the
//! feature `programs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends by a panic")]

#[cfg(feature = "apiserver")]
mod apiserver;
mod chart;
mod classes;
#[cfg(feature = "e2e")]
mod e2e;
#[cfg(any(feature = "apiserver", feature = "programs"))]
mod helm;
mod monitoring;
mod operator_readme;
mod plan;
mod specs;
mod tidy;
