//! The command line: what can be said, and which part of the program does it.

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};
use ragline_config::env;

use crate::{
    app::{self, App},
    backends::pgvector::{migrate, pool},
    client, http, index,
    settings::Settings,
    telemetry, verify,
};

/// The longest that `migrate` and `index run` wait for PostgreSQL to answer.
const DATABASE_PATIENCE: Duration = Duration::from_secs(120);

/// Ragline's gateway: ingests documents, embeds, searches, and answers with citations.
#[derive(Debug, Parser)]
#[command(name = "ragline-gateway", version, propagate_version = true)]
pub struct Cli {
    /// Configuration file; its fields are those of the RagPipeline resource.
    #[arg(long, global = true, env = env::CONFIG, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API and take documents in.
    Serve,
    /// Make or update the database's schema.
    Migrate,
    /// The vector index.
    #[command(subcommand)]
    Index(IndexCommand),
    /// Send files and folders to a gateway and wait until they can be searched.
    Ingest(client::IngestArgs),
    /// Ask a gateway a question.
    Ask(client::AskArgs),
    /// Search through a gateway.
    Search(client::SearchArgs),
    /// Manage the workspaces of a pipeline through its gateway.
    #[command(subcommand)]
    Workspaces(client::WorkspacesCommand),
    /// Manage the keys of workspaces through a gateway.
    #[command(subcommand)]
    Keys(client::KeysCommand),
    /// Check the configuration file and the environment, and print what would be used.
    CheckConfig,
    /// Print the description of the HTTP API.
    Openapi,
    /// Prove on the live pipeline that each part works. Leaves nothing behind; ends with 1 when a test fails.
    Verify {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum IndexCommand {
    /// Measure, plan, and build the index that the size of the data asks for.
    Run,
    /// Print how the indexes stand, as JSON.
    Status,
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever ended the command, with the chain of causes.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.config;
        let settings = || Settings::load(path.as_deref(), |name| std::env::var(name).ok()).map_err(anyhow::Error::from);
        match self.command {
            Command::Serve => app::serve(with_log(settings()?)?).await?,
            Command::Migrate => run_migrate(&with_log(settings()?)?).await?,
            Command::Index(IndexCommand::Run) => run_index(&with_log(settings()?)?).await?,
            Command::Index(IndexCommand::Status) => print_index_status(&settings()?).await?,
            Command::Ingest(arguments) => return client::ingest(arguments).await,
            Command::Ask(arguments) => return client::ask(arguments).await,
            Command::Search(arguments) => return client::search(arguments).await,
            Command::Workspaces(command) => return client::workspaces(command).await,
            Command::Keys(command) => return client::keys(command).await,
            Command::CheckConfig => check_config(&settings()?)?,
            Command::Openapi => print(&http::routes::openapi().to_pretty_json()?)?,
            Command::Verify { json } => return run_verify(settings()?, json).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn with_log(settings: Settings) -> anyhow::Result<Settings> {
    telemetry::init(&settings.config.logging.level)?;
    Ok(settings)
}

async fn run_migrate(settings: &Settings) -> anyhow::Result<()> {
    let bootstrap = settings.database_bootstrap_url()?;
    let (owner, application) = (settings.database_owner_url()?, settings.database_url()?);
    let urls = migrate::Urls { bootstrap: bootstrap.as_ref(), owner: &owner, application: &application };
    let space = app::space_wanted(&settings.config);
    let done = migrate::migrate(&settings.config.database, &urls, &space, DATABASE_PATIENCE).await?;
    tracing::info!(schema_version = done.schema_version, applied = done.applied, "the schema is up to date");
    Ok(())
}

async fn run_index(settings: &Settings) -> anyhow::Result<()> {
    let owner = pool::owner(&settings.config.database, &settings.database_owner_url()?)?;
    let report = index::run(&owner, &settings.config.index).await?;
    print(&serde_json::to_string_pretty(&report)?)
}

async fn print_index_status(settings: &Settings) -> anyhow::Result<()> {
    let store = app::connect(settings)?;
    let status = index::status(store.pool(), &settings.config.index).await?;
    print(&serde_json::to_string_pretty(&status)?)
}

fn check_config(settings: &Settings) -> anyhow::Result<()> {
    settings.database_url().context("the configuration is valid, but nothing could be served")?;
    print(&settings.config.to_yaml()?)
}

/// Without a log: what is found is in the report.
async fn run_verify(settings: Settings, json: bool) -> anyhow::Result<ExitCode> {
    let report = verify::run(&App::verify_parts(settings)?).await;
    print(&if json { report.to_json()? } else { report.to_text() })?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes to standard output. A reader that went away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output cannot be written"),
        Ok(()) | Err(_) => Ok(()),
    }
}
