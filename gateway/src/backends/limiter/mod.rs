//! Keeps the budgets of callers: shared by all gateways in Valkey, with a floor in the process.

mod local;
mod shared;

pub use local::LocalLimiter;
pub use shared::SharedLimiter;
