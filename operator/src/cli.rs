//! The commands of `ragline-operator` and their flags. Each flag can be given as an environment variable as well.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ragline_config::ports;

/// Turns RagPipelines into PostgreSQL, Valkey and gateways.
#[derive(Debug, Parser)]
#[command(name = "ragline-operator", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch pipelines and keep them going.
    Run(Run),
    /// Print the definitions of the resources RagPipeline and RagPipelineClass.
    Crd,
    /// Print every object that would be applied for a manifest, without a cluster.
    Render(Render),
}

#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Namespaces to watch, separated by commas; empty: all.
    #[arg(long, env = "RAGLINE_WATCH_NAMESPACES", value_delimiter = ',', default_value = "")]
    pub watch_namespaces: Vec<String>,
    /// Pipelines that are reconciled at once, 1 to 100.
    #[arg(long, env = "RAGLINE_CONCURRENCY", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub concurrency: u16,
    /// Address of the metrics and probes.
    #[arg(long, env = "RAGLINE_LISTEN", default_value_t = format!("0.0.0.0:{}", ports::OPERATOR_HTTP))]
    pub listen: String,
    /// A level, or directives such as info,ragline_operator=debug.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// Work without leader election. For one process that runs alone, as on a developer's machine.
    #[arg(long, env = "RAGLINE_NO_LEADER_ELECTION")]
    pub no_leader_election: bool,
    /// Name of the Lease that leader election uses.
    #[arg(long, env = "RAGLINE_LEASE_NAME", default_value = "ragline-operator")]
    pub lease_name: String,
    /// Namespace of that Lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// How this process is told apart from its peers; must be unique. Default: the host's name.
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,
    #[command(flatten)]
    pub images: Images,
}

/// Images of a pipeline whose spec names none.
#[derive(Clone, Debug, Args)]
pub struct Images {
    /// Gateway.
    #[arg(long, env = "RAGLINE_GATEWAY_IMAGE", default_value = concat!("ghcr.io/ragline/ragline-gateway:", env!("CARGO_PKG_VERSION")))]
    pub gateway_image: String,
    /// PostgreSQL 17 with pgvector.
    #[arg(long, env = "RAGLINE_POSTGRES_IMAGE", default_value = "pgvector/pgvector:pg17")]
    pub postgres_image: String,
    /// Valkey 8.
    #[arg(long, env = "RAGLINE_VALKEY_IMAGE", default_value = "valkey/valkey:8.1")]
    pub valkey_image: String,
}

#[derive(Clone, Debug, Args)]
pub struct Render {
    /// The manifest of one RagPipeline; `-` for standard input.
    #[arg(short, long)]
    pub filename: PathBuf,
    /// Namespace of a manifest that names none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// Namespace of the operator, which the NetworkPolicies let in.
    #[arg(long, env = "POD_NAMESPACE", default_value = "ragline-system")]
    pub operator_namespace: String,
    #[command(flatten)]
    pub images: Images,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
