//! What a command's exit status says.

use std::process::ExitCode;

use super::api::{NoKey, Refusal, Unreachable};

/// The key is missing, not known, or may not do this.
const NOT_LET_IN: u8 = 3;
/// The gateway cannot be reached or has no room: a later try may succeed.
const NOT_NOW: u8 = 4;

/// What `--help` says of it.
pub const HELP: &str = "\
Exit status:
  0  all went well
  1  it failed, wholly or in part
  2  the command line is wrong
  3  the API key is missing, not known, or may not do this
  4  the gateway cannot be reached or has no room now; a later try may succeed";

/// The exit status that fits what ended a command.
pub fn code(error: &anyhow::Error) -> ExitCode {
    status(error).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn status(error: &anyhow::Error) -> Option<u8> {
    error.chain().find_map(|cause| {
        if cause.is::<NoKey>() {
            return Some(NOT_LET_IN);
        }
        if cause.is::<Unreachable>() {
            return Some(NOT_NOW);
        }
        match cause.downcast_ref::<Refusal>()?.status.as_u16() {
            401 | 403 => Some(NOT_LET_IN),
            429 | 502..=504 => Some(NOT_NOW),
            _ => None,
        }
    })
}
