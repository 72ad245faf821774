//! The measuring part of `make bench`: `bench.sh` starts the servers and gateways and runs this. Each measurement is appended to a
//! file at once; `report` prints them all. Sends requests to loopback alone, for a bounded time.
#![expect(clippy::print_stdout, reason = "a command that prints a table")]

mod bare;
mod clients;
mod described;
mod figure;
mod hybrid;
mod ingest;
mod load;
mod million;
mod pgbench;
mod provider;
mod replay;
mod rows;
mod search;
mod sentences;
mod soak;
mod stored;
mod stream;
mod surroundings;
mod texts;
mod vector;
mod weights;

use anyhow::bail;

use self::{rows::Rows, sentences::Sentences, surroundings::Surroundings};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bare", "answer", bytes] => return bare::answer(bytes.parse()?).await,
        ["bare", "relay", to] => return bare::relay(to).await,
        _ => {}
    }
    let around = Surroundings::from_environment()?;
    match arguments[..] {
        ["measure", "api"] => measure_api(&around).await,
        ["measure", "rows"] => measure_rows(&around).await,
        ["measure", "million"] => measure_million(&around).await,
        ["soak"] => soak::run(&around).await,
        ["report"] => figure::report(&around.folder),
        _ => bail!("usage: ragline-bench measure api | measure rows | measure million | soak | report"),
    }
}

/// Ingestion, then what the API does on the few rows that it brought.
async fn measure_api(around: &Surroundings) -> anyhow::Result<()> {
    let parts = search::Parts::open(around).await?;
    ingest::measure(around, &parts).await?;
    search::measure_api(around, &parts).await?;
    replay::measure(around).await?;
    stream::measure_embeddings(around, &parts).await?;
    stream::measure(around).await?;
    weights::measure(around)
}

/// The database alone, at each size in each number of dimensions.
async fn measure_rows(around: &Surroundings) -> anyhow::Result<()> {
    let model = search::model(around).await?;
    let sentences = Sentences::load(around, model.as_ref()).await?;
    for &dimensions in &around.dimensions {
        let mut rows = Rows::open(around, sentences.clone(), dimensions).await?;
        for &size in &around.rows {
            rows.fill(size).await?;
            rows.index().await?;
            vector::measure(around, &rows).await?;
            hybrid::measure(around, &rows, &model).await?;
            stored::measure(around, &mut rows).await?;
        }
    }
    Ok(())
}

async fn measure_million(around: &Surroundings) -> anyhow::Result<()> {
    let model = search::model(around).await?;
    let sentences = Sentences::load(around, model.as_ref()).await?;
    million::measure(around, sentences, &model).await
}
