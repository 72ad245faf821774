//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ragline_config::{SearchMode, env};
use url::Url;

/// Where the gateway is and how to get in.
#[derive(Args, Clone, Debug)]
pub struct ConnectionArgs {
    /// Address of the gateway.
    #[arg(long, env = "RAGLINE_URL", default_value = "http://127.0.0.1:8080")]
    pub url: Url,
    /// File that holds the API key; without it the key is taken from RAGLINE_API_KEY.
    #[arg(long, env = KEY_FILE, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The API key. Only from the environment, so that no list of processes shows it.
    #[arg(skip = std::env::var(env::API_KEY).ok())]
    pub key: Option<String>,
    /// PEM certificates to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// The variable that names the key's file, as for every secret.
const KEY_FILE: &str = "RAGLINE_API_KEY_FILE";

/// Sends files and folders.
#[derive(Args, Clone, Debug)]
pub struct IngestArgs {
    /// Files and folders. A folder is walked in sorted order; hidden files are left out.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Metadata of every document; may be repeated. A value that reads as JSON is one, else it is text.
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
    /// Wait until the files can be searched (the default).
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Return once the files are handed over.
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
    /// Seconds to wait at most.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub timeout: u64,
    /// Print nothing for files that succeed.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Has documents cut anew that were cut with other settings.
#[derive(Args, Clone, Debug)]
pub struct RechunkArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Return once the job is made.
    #[arg(long)]
    pub no_wait: bool,
    /// Seconds to wait at most.
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
    pub timeout: u64,
    /// Print nothing for documents that succeed.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Asks a question.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    /// The question.
    #[arg(required = true, value_name = "QUESTION")]
    pub question: Vec<String>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Passages to answer from, 1 to 20.
    #[arg(long)]
    pub limit: Option<u32>,
    /// Print the gateway's JSON.
    #[arg(long)]
    pub json: bool,
}

/// Searches.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// What to look for.
    #[arg(required = true, value_name = "QUERY")]
    pub query: Vec<String>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Passages wanted, 1 to 100.
    #[arg(long)]
    pub limit: Option<u32>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[arg(long)]
    pub threshold: Option<f32>,
    /// Print the gateway's JSON.
    #[arg(long)]
    pub json: bool,
}

/// Evaluates a collection.
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    /// Folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Address of a gateway to evaluate, with an administrator's key; without it, this process opens the configured database itself,
    /// with DATABASE_URL and DATABASE_OWNER_URL.
    #[arg(long)]
    pub url: Option<Url>,
    /// File that holds the API key; without it the key is taken from RAGLINE_API_KEY.
    #[arg(long, env = KEY_FILE, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The API key, as for the other commands.
    #[arg(skip = std::env::var(env::API_KEY).ok())]
    pub key: Option<String>,
    /// PEM certificates to trust beside the system's.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub ca_file: Option<PathBuf>,
    /// Ways of searching to measure; without it, all that are available.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub modes: Vec<ModeArg>,
    /// The score whose precision and recall as a threshold are told, 0 to 1.
    #[arg(long, default_value_t = 0.7, value_name = "SCORE")]
    pub threshold: f32,
    /// Writes the first ten hits of each question to this file, as JSON Lines with their values and whether they are relevant.
    #[arg(long, value_name = "FILE")]
    pub hits: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A way of searching on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ModeArg {
    Vector,
    Lexical,
    Hybrid,
}

impl EvalArgs {
    /// The ways of searching asked for, each once.
    pub fn modes(&self) -> Vec<SearchMode> {
        let mut modes = Vec::new();
        for mode in &self.modes {
            let mode = match mode {
                ModeArg::Vector => SearchMode::Vector,
                ModeArg::Lexical => SearchMode::Lexical,
                ModeArg::Hybrid => SearchMode::Hybrid,
            };
            if !modes.contains(&mode) {
                modes.push(mode);
            }
        }
        modes
    }
}
