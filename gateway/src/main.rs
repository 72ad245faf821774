//! The program: reads the command line and runs one command. The chain of causes of what went wrong is printed here, once.

use std::{io::Write, process::ExitCode};

use anstyle::AnsiColor;
use clap::Parser;
use ragline_gateway::{cli::Cli, client};

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

/// The last word of a command goes to the person who typed it; where even that cannot be said, the status says it.
fn report(error: &anyhow::Error) -> ExitCode {
    let style = AnsiColor::Red.on_default().bold();
    let text = format!("{error:#}").chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect::<String>();
    let _ = writeln!(anstream::stderr().lock(), "{style}error:{style:#} {text}");
    client::exit_code(error)
}
