//! What one process of the gateway does.

use clap::ValueEnum;

/// A part of the work that a process takes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Role {
    /// Answers the HTTP API.
    Api,
    /// Takes documents in.
    Worker,
}

/// The roles of one process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Roles {
    pub api: bool,
    pub worker: bool,
}

impl From<&[Role]> for Roles {
    fn from(roles: &[Role]) -> Self {
        Self { api: roles.contains(&Role::Api), worker: roles.contains(&Role::Worker) }
    }
}
