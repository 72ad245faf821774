//! The command line: what can be said, and which part of the program does it.

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use ragline_config::env;

use crate::{
    app::{self, App},
    backends::pgvector::{migrate, pool, roles},
    client,
    eval::{Choice, Target, dataset::Dataset},
    http, index,
    settings::Settings,
    telemetry::{self, traces::Traces},
    verify,
};

/// The longest that `migrate` and `index run` wait for PostgreSQL to answer.
const DATABASE_PATIENCE: Duration = Duration::from_secs(120);

/// Ragline's gateway: ingests documents, embeds, searches, and answers with citations.
#[derive(Debug, Parser)]
#[command(name = "ragline-gateway", version, propagate_version = true, after_help = client::EXIT_HELP)]
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
    Serve {
        /// What this process does; a worker alone answers only /livez, /readyz and /metrics.
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = [app::Role::Api, app::Role::Worker])]
        roles: Vec<app::Role>,
    },
    /// Make or update the database's schema.
    Migrate,
    /// The roles that gateways log in to the database with.
    #[command(subcommand)]
    Roles(RolesCommand),
    /// The vector index.
    #[command(subcommand)]
    Index(IndexCommand),
    /// Send files and folders to a gateway and wait until they can be searched.
    #[command(after_help = client::EXIT_HELP)]
    Ingest(client::IngestArgs),
    /// Have a gateway cut documents anew that were cut with other settings.
    #[command(after_help = client::EXIT_HELP)]
    Rechunk(client::RechunkArgs),
    /// Ask a gateway a question.
    #[command(after_help = client::EXIT_HELP)]
    Ask(client::AskArgs),
    /// Search through a gateway.
    #[command(after_help = client::EXIT_HELP)]
    Search(client::SearchArgs),
    /// Measure how well a collection with judged questions is searched, in a workspace of its own that is removed in the end. Ends
    /// with 1 when a mode asked for is not available.
    #[command(after_help = client::EXIT_HELP)]
    Eval(client::EvalArgs),
    /// Manage the workspaces of a pipeline through its gateway.
    #[command(subcommand, after_help = client::EXIT_HELP)]
    Workspaces(client::WorkspacesCommand),
    /// Manage the keys of workspaces through a gateway.
    #[command(subcommand, after_help = client::EXIT_HELP)]
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
    /// Print what makes a shell complete this command line; `--help` says where it goes.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions { shell: Shell },
}

const COMPLETIONS_HELP: &str = "\
Where it goes:
  bash        ragline-gateway completions bash > ~/.local/share/bash-completion/completions/ragline-gateway
  zsh         ragline-gateway completions zsh > a file _ragline-gateway in a folder of $fpath
  fish        ragline-gateway completions fish > ~/.config/fish/completions/ragline-gateway.fish
  powershell  ragline-gateway completions powershell | Out-String | Invoke-Expression, in $PROFILE
  elvish      eval (ragline-gateway completions elvish | slurp), in rc.elv";

#[derive(Debug, Subcommand)]
enum RolesCommand {
    /// Lock a role out that another one has taken the place of, and end its sessions. Needs DATABASE_BOOTSTRAP_URL.
    Retire {
        /// Its name.
        role: String,
    },
}

#[derive(Debug, Subcommand)]
enum IndexCommand {
    /// Move workspaces that have outgrown the pool, measure, plan, and build the index that the size of the data asks for.
    Run,
    /// Print how the indexes stand.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
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
            Command::Serve { roles } => run_serve(settings()?, &roles).await?,
            Command::Migrate => run_migrate(&with_log(settings()?)?).await?,
            Command::Roles(RolesCommand::Retire { role }) => retire_role(&with_log(settings()?)?, &role).await?,
            Command::Index(IndexCommand::Run) => run_index(&with_log(settings()?)?).await?,
            Command::Index(IndexCommand::Status { json }) => print_index_status(&settings()?, json).await?,
            Command::Ingest(arguments) => return client::ingest(arguments).await,
            Command::Rechunk(arguments) => return client::rechunk(arguments).await,
            Command::Ask(arguments) => return client::ask(arguments).await,
            Command::Search(arguments) => return client::search(arguments).await,
            Command::Eval(arguments) => return run_eval(arguments, settings).await,
            Command::Workspaces(command) => return client::workspaces(command).await,
            Command::Keys(command) => return client::keys(command).await,
            Command::CheckConfig => check_config(&settings()?)?,
            Command::Openapi => print(&serde_json::to_string_pretty(&http::routes::openapi())?)?,
            Command::Verify { json } => return Box::pin(run_verify(settings()?, json)).await,
            Command::Completions { shell } => print(&completions(shell))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn with_log(settings: Settings) -> anyhow::Result<Settings> {
    telemetry::init(&settings.config.logging.level, None)?;
    Ok(settings)
}

async fn run_serve(settings: Settings, roles: &[app::Role]) -> anyhow::Result<()> {
    let traces = Traces::open(&settings)?;
    telemetry::init(&settings.config.logging.level, traces.as_ref())?;
    app::serve(settings, roles.into(), traces.map(Traces::into_exporter)).await
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

async fn retire_role(settings: &Settings, role: &str) -> anyhow::Result<()> {
    let url = settings.database_bootstrap_url()?.context("environment variable DATABASE_BOOTSTRAP_URL is not set")?;
    let sessions_ended = roles::retire(&settings.config.database, &url, role, DATABASE_PATIENCE).await?;
    tracing::info!(role, sessions_ended, "the role is locked out");
    Ok(())
}

async fn run_index(settings: &Settings) -> anyhow::Result<()> {
    let owner = pool::owner(&settings.config.database, &settings.database_owner_url()?)?;
    let report = index::run(&owner, &settings.config.index).await?;
    print(&serde_json::to_string_pretty(&report)?)
}

async fn print_index_status(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let store = app::connect(settings)?;
    let status = index::status(&store.pool(), &settings.config.index).await?;
    print(&if json { serde_json::to_string_pretty(&status)? } else { status.to_text() })
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

/// Without a log: what is found is in the report.
async fn run_eval(arguments: client::EvalArgs, settings: impl Fn() -> anyhow::Result<Settings>) -> anyhow::Result<ExitCode> {
    let dataset = Dataset::read(&arguments.folder)?;
    let choice = Choice { modes: arguments.modes(), threshold: arguments.threshold };
    let mut target: Box<dyn Target> = match client::eval_target(&arguments)? {
        Some(remote) => Box::new(remote),
        None => Box::new(App::eval_parts(settings()?)?.into_target()),
    };
    let report = client::evaluate(target.as_mut(), &dataset, &choice, arguments.quiet).await?;
    if let Some(file) = &arguments.hits {
        std::fs::write(file, report.hits_to_json_lines()?).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    print(&if arguments.json { report.to_json()? } else { report.to_text() })?;
    Ok(if report.has(&choice.modes) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes to standard output. A reader that went away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output cannot be written"),
        Ok(()) | Err(_) => Ok(()),
    }
}
