//! The commands that talk to a running gateway: `ingest`, `ask`, `search`, `workspaces`, `keys`. They know the API and nothing of what is behind it.

mod api;
mod args;
mod ask;
mod files;
mod ingest;
mod keys;
mod output;
mod pages;
mod search;
mod upload;
mod watch;
mod workspaces;

use std::process::ExitCode;

pub use args::{AskArgs, ConnectionArgs, IngestArgs, KeysCommand, SearchArgs, WorkspacesCommand};

use self::{api::Api, output::Output};

/// Sends files to a gateway and, unless told otherwise, waits until they can be searched. Fails when a file failed.
///
/// # Errors
/// Whatever keeps the command from its work: no key, a path that does not exist, a gateway that does not answer.
pub async fn ingest(arguments: IngestArgs) -> anyhow::Result<ExitCode> {
    ingest::run(&Api::open(&arguments.connection)?, &arguments, &mut Output::stdout()).await
}

/// Asks a gateway a question.
///
/// # Errors
/// As [`ingest`].
pub async fn ask(arguments: AskArgs) -> anyhow::Result<ExitCode> {
    ask::run(&Api::open(&arguments.connection)?, &arguments, &mut Output::stdout()).await
}

/// Searches through a gateway.
///
/// # Errors
/// As [`ingest`].
pub async fn search(arguments: SearchArgs) -> anyhow::Result<ExitCode> {
    search::run(&Api::open(&arguments.connection)?, &arguments, &mut Output::stdout()).await
}

/// Manages the workspaces of a pipeline.
///
/// # Errors
/// As [`ingest`].
pub async fn workspaces(command: WorkspacesCommand) -> anyhow::Result<ExitCode> {
    workspaces::run(command, &mut Output::stdout()).await
}

/// Manages the keys of a workspace.
///
/// # Errors
/// As [`ingest`].
pub async fn keys(command: KeysCommand) -> anyhow::Result<ExitCode> {
    keys::run(command, &mut Output::stdout()).await
}
