//! The program `ragline-operator`. Everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use ragline_operator::{
    app,
    cli::{Cli, Command},
    render,
};

fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("no other provider is installed before");
    let result = match Cli::parse().command {
        Command::Run(settings) => match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(app::run(settings)),
            Err(error) => Err(error.into()),
        },
        Command::Crd => render::crd(&mut std::io::stdout()),
        Command::Render(settings) => render::render(&settings, &mut std::io::stdout()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last word of a program that cannot go on")]
            {
                eprintln!("ragline-operator: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
