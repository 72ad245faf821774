//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ragline_config::env;
use url::Url;

use crate::{http::ids::KeyId, traits::workspaces::WorkspaceName};

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

/// What is said to an administrator's command beside its object.
#[derive(Args, Clone, Debug)]
pub struct ManageArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Print the gateway's JSON.
    #[arg(long)]
    pub json: bool,
}

/// The workspaces of a pipeline. Each command takes the administrator's key.
#[derive(Clone, Debug, Subcommand)]
pub enum WorkspacesCommand {
    /// Make a workspace: documents that no other workspace's keys reach.
    Create {
        /// 1 to 63 characters a-z, 0-9 and -.
        name: WorkspaceName,
        #[command(flatten)]
        manage: ManageArgs,
    },
    /// List the workspaces by name.
    List {
        #[command(flatten)]
        manage: ManageArgs,
    },
    /// Delete a workspace with its documents; its keys end at once.
    Delete {
        name: WorkspaceName,
        #[command(flatten)]
        manage: ManageArgs,
    },
}

/// The keys of workspaces. Each command takes the administrator's key.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, for the only time.
    Create(NewKeyArgs),
    /// List the keys of a workspace, without their secrets.
    List {
        workspace: WorkspaceName,
        #[command(flatten)]
        manage: ManageArgs,
    },
    /// Revoke a key; every gateway refuses it within a second.
    Revoke {
        /// Its id, as `keys list` shows it.
        id: KeyId,
        #[command(flatten)]
        manage: ManageArgs,
    },
}

/// A key to be.
#[derive(Args, Clone, Debug)]
pub struct NewKeyArgs {
    pub workspace: WorkspaceName,
    /// What the key is for.
    #[arg(long)]
    pub name: String,
    /// What it may do: read, write (which may read), admin (of the whole pipeline; in workspace `default` alone).
    #[arg(long, default_value = "read", value_parser = ["read", "write", "admin"])]
    pub scope: String,
    /// Days until it ends by itself.
    #[arg(long, value_name = "DAYS")]
    pub expires_in_days: Option<u32>,
    #[command(flatten)]
    pub manage: ManageArgs,
}
