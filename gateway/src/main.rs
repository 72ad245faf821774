//! The program: reads the command line and runs one command. The chain of causes of what went wrong is printed here, once.

use std::process::ExitCode;

use clap::Parser;
use ragline_gateway::cli::Cli;

fn main() -> ExitCode {
    // One TLS stack for PostgreSQL, Valkey and every HTTP client.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return report(&anyhow::anyhow!("a TLS provider is installed already"));
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    match runtime.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command goes to the person who typed it")]
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
