//! Ingestion through the API beside the embedding engine alone, on the same texts.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ragline_config::{Chunking, Redaction};
use ragline_gateway::{
    ingest::{cut::Cutter, text::TextCutter},
    redact::Redactor,
    traits::inspect::Inspector,
};
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use crate::{
    described::{self, goal},
    figure::Figure,
    load,
    search::Parts,
    surroundings::Surroundings,
    texts,
};

const GROUP: &str = "Ingestion";
/// Everything must be taken in within this time.
const PATIENCE: Duration = Duration::from_secs(1_800);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Takes the documents in, then embeds their windows without anything around the model.
pub(crate) async fn measure(around: &Surroundings, parts: &Parts) -> anyhow::Result<()> {
    let documents: Vec<String> = (0..around.documents).map(|n| texts::document(n.into())).collect();
    let took = take_in(around, &documents).await?;
    let tally = parts.store.tally(parts.workspace).await?;
    let (chunks, windows) = (tally.chunks as f64, tally.embeddings as f64);

    let redactor = Redactor::new(&Redaction::default());
    let cutter = TextCutter { chunking: Chunking::default(), embedder: parts.embedder.clone(), redactor };
    let cut: Vec<_> =
        documents.iter().map(|text| cutter.cut(text.clone().into_bytes(), "report.md", None)).collect::<Result<_, _>>()?;
    let alone: Vec<String> = cut.into_iter().flat_map(|cut| cut.chunks).flat_map(|chunk| chunk.windows).collect();
    ensure!(alone.len() as f64 == windows, "{} windows were cut here, {windows} are stored", alone.len());
    let begin = Instant::now();
    parts.embedder.embed_batch(&alone).await?;
    let engine = begin.elapsed();

    let per = |count: f64, time: Duration| count / time.as_secs_f64();
    Figure::new(GROUP, "chunks through the API", per(chunks, took), "chunks/s")
        .beside("the engine alone", per(chunks, engine))
        .aims_at(Some(goal::INGESTED))
        .keep(&around.folder)?;
    Figure::new(GROUP, "chunks, embedding engine alone", per(chunks, engine), "chunks/s").keep(&around.folder)?;
    Figure::new(GROUP, "embeddings through the API", 60.0 * per(windows, took), "a minute")
        .described(described::EMBEDDINGS_A_MINUTE)
        .keep(&around.folder)
}

/// Uploads the documents in one request and waits until all can be searched.
async fn take_in(around: &Surroundings, documents: &[String]) -> anyhow::Result<Duration> {
    let client = load::client()?;
    let mut form = Form::new();
    for (n, text) in documents.iter().enumerate() {
        form = form.part("file", Part::text(text.clone()).file_name(format!("report{n}.md")).mime_str("text/markdown")?);
    }
    let begin = Instant::now();
    let url = format!("{}/v1/documents", around.cached_url);
    let response = client.post(&url).bearer_auth(&around.api_key).multipart(form).send().await?.error_for_status()?;
    let accepted: Value = response.json().await?;
    let id = accepted["job"]["id"].as_str().context("the upload was answered without a job")?.to_owned();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while begin.elapsed() < PATIENCE {
        ticks.tick().await;
        let url = format!("{}/v1/jobs/{id}", around.cached_url);
        let job: Value = client.get(&url).bearer_auth(&around.api_key).send().await?.error_for_status()?.json().await?;
        match (job["status"].as_str(), job["failed"].as_u64()) {
            (Some("queued" | "running"), _) => {}
            (Some("completed"), Some(0)) => return Ok(begin.elapsed()),
            _ => bail!("the ingestion ended badly: {job}"),
        }
    }
    bail!("{} documents were not taken in within {} s", documents.len(), PATIENCE.as_secs())
}
