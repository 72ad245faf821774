//! The measuring part of `make bench`: `bench.sh` starts the servers and gateways and runs this. Each measurement is appended to a
//! file at once; `report` prints them all. Sends requests to loopback alone, for a bounded time.
#![expect(clippy::print_stdout, reason = "a command that prints a table")]

mod figure;
mod ingest;
mod load;
mod pgbench;
mod search;
mod surroundings;
mod texts;
mod weights;

use anyhow::bail;

use self::surroundings::Surroundings;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let around = Surroundings::from_environment()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["measure", "small"] => measure_small(&around).await,
        ["measure", "large"] => measure_large(&around).await,
        ["report"] => figure::report(&around.folder),
        _ => bail!("usage: ragline-bench measure small | measure large | report"),
    }
}

/// Ingestion, then everything on the few rows that it brought.
async fn measure_small(around: &Surroundings) -> anyhow::Result<()> {
    let parts = search::Parts::open(around).await?;
    ingest::measure(around, &parts).await?;
    search::measure_api(around, &parts).await?;
    search::measure_database(around, &parts, search::SMALL).await?;
    search::measure_bulk_insert(around, &parts).await?;
    weights::measure(around)
}

/// The search again, on rows that have an index.
async fn measure_large(around: &Surroundings) -> anyhow::Result<()> {
    let parts = search::Parts::open(around).await?;
    search::measure_database(around, &parts, search::LARGE).await
}
