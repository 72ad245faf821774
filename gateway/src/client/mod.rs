//! The commands that talk to a running gateway: `ingest`, `rechunk`, `ask`, `search`, `workspaces`, `keys`, `eval --url`. They know the
//! API and nothing of what is behind it.

mod api;
mod args;
mod ask;
mod eval;
mod events;
mod exit;
mod files;
mod ingest;
mod keys;
mod manage;
mod output;
mod pages;
mod progress;
mod rechunk;
mod search;
mod tell;
mod upload;
mod watch;
mod watched;
mod workspaces;

use std::process::ExitCode;

pub use self::{
    args::{AskArgs, ConnectionArgs, EvalArgs, IngestArgs, ModeArg, RechunkArgs, SearchArgs},
    eval::Remote,
    exit::{HELP as EXIT_HELP, code as exit_code},
    manage::{KeysCommand, ManageArgs, NewKeyArgs, WorkspacesCommand},
};

use self::{api::Api, output::Output, progress::Progress, watched::Watched};
use crate::eval::{Choice, EvalError, Report, Target, dataset::Dataset};

/// Sends files to a gateway and, unless told otherwise, waits until they can be searched. Fails when a file failed.
///
/// # Errors
/// Whatever keeps the command from its work: no key, a path that does not exist, a gateway that does not answer.
pub async fn ingest(arguments: IngestArgs) -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout(Progress::new(arguments.quiet));
    ingest::run(&Api::open(&arguments.connection)?, &arguments, &mut output).await
}

/// Has stale documents cut anew and, unless told otherwise, waits for it. Fails when one failed or has no bytes.
///
/// # Errors
/// As [`ingest`].
pub async fn rechunk(arguments: RechunkArgs) -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout(Progress::new(arguments.quiet));
    rechunk::run(&Api::open(&arguments.connection)?, &arguments, &mut output).await
}

/// Asks a gateway a question.
///
/// # Errors
/// As [`ingest`].
pub async fn ask(arguments: AskArgs) -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout(Progress::new(arguments.quiet));
    ask::run(&Api::open(&arguments.connection)?, &arguments, &mut output).await
}

/// Searches through a gateway.
///
/// # Errors
/// As [`ingest`].
pub async fn search(arguments: SearchArgs) -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout(Progress::new(arguments.quiet));
    search::run(&Api::open(&arguments.connection)?, &arguments, &mut output).await
}

/// The gateway that a collection is to be evaluated on; `None` without an address.
///
/// # Errors
/// As [`ingest`].
pub fn eval_target(arguments: &EvalArgs) -> anyhow::Result<Option<Remote>> {
    let EvalArgs { folder: _, url: Some(url), key_file, key, ca_file, modes: _, threshold: _, hits: _, quiet: _, json: _ } =
        arguments
    else {
        return Ok(None);
    };
    let (url, key_file, key, ca_file) = (url.clone(), key_file.clone(), key.clone(), ca_file.clone());
    Remote::new(ConnectionArgs { url, key_file, key, ca_file }).map(Some)
}

/// Evaluates a collection, and shows how far it is.
///
/// # Errors
/// As [`crate::eval::run`].
pub async fn evaluate(target: &mut dyn Target, dataset: &Dataset, choice: &Choice, quiet: bool) -> Result<Report, EvalError> {
    let progress = Progress::new(quiet);
    let questions = dataset.questions.len() as u64;
    let report = crate::eval::run(&mut Watched::new(target, &progress, questions), dataset, choice).await;
    progress.end();
    report
}

/// Manages the workspaces of a pipeline.
///
/// # Errors
/// As [`ingest`].
pub async fn workspaces(command: WorkspacesCommand) -> anyhow::Result<ExitCode> {
    workspaces::run(command, &mut Output::stdout(Progress::none())).await
}

/// Manages the keys of a workspace.
///
/// # Errors
/// As [`ingest`].
pub async fn keys(command: KeysCommand) -> anyhow::Result<ExitCode> {
    keys::run(command, &mut Output::stdout(Progress::none())).await
}
