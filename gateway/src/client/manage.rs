//! What the administrator's commands are told: `workspaces` and `keys`.

use clap::{Args, Subcommand};

use super::ConnectionArgs;
use crate::{http::ids::KeyId, traits::workspaces::WorkspaceName};

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
    /// Revoke a key; gateways refuse it at once, and after 3 s where the notice of it is lost.
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
