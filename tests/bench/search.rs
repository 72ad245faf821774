//! The search: through the API with and without a cache, in the database alone, and what the raw parts do.

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use ragline_config::{Config, Database, TlsMode};
use ragline_gateway::{
    backends::{
        builtin::{self, BuiltinEmbedder},
        pgvector::{Store, space::SpaceWanted},
    },
    traits::{
        embedder::Embedder,
        inspect::Inspector,
        search::{Directory, NearestQuery, Searcher, WorkspaceId},
    },
};
use secrecy::SecretString;

use crate::{
    figure::{Bound, Figure},
    load::{self, Rate, Target},
    pgbench,
    surroundings::Surroundings,
    texts,
};

const CLIENTS: [usize; 2] = [1, 8];
const RESULTS: u32 = 5;

/// A size of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    name: &'static str,
}

/// What the documents brought: compared row by row.
pub(crate) const SMALL: Size = Size { name: "of the documents, exact" };
/// With the filling: found by an index.
pub(crate) const LARGE: Size = Size { name: "of documents and filling, by an index" };

/// The store and the model, in this process.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) workspace: WorkspaceId,
}

impl Parts {
    pub(crate) async fn open(around: &Surroundings) -> anyhow::Result<Self> {
        let database = Database { tls_mode: TlsMode::Disable, ..Database::default() };
        let index = Config::default().index;
        let space = SpaceWanted {
            model: builtin::MODEL_NAME.to_owned(),
            dimensions: builtin::DIMENSIONS,
            element_type: index.element_type,
            distance_metric: index.distance_metric,
            quantization: index.quantization,
        };
        let store = Store::connect(&database, &SecretString::from(around.database_url.as_str()), space)?;
        let workspace = store.workspace("default").await?.context("there is no workspace `default`")?;
        let folder = around.model.clone();
        let embedder = tokio::task::spawn_blocking(move || BuiltinEmbedder::load(&folder, None)).await??;
        Ok(Self { store, embedder: Arc::new(embedder), workspace })
    }
}

/// Requests to the API, beside a bare route that answers as many bytes.
pub(crate) async fn measure_api(around: &Surroundings, parts: &Parts) -> anyhow::Result<()> {
    let questions = texts::questions();
    let cached = Target::search(&around.cached_url, &around.api_key, &questions);
    let uncached = Target::search(&around.uncached_url, &around.api_key, &questions);
    cached.warm_up().await?;
    uncached.warm_up().await?;
    let answer = cached.ask(&load::client()?, &cached.bodies[0]).await?;
    let bare = Target::search(&load::bare_route(answer).await?, &around.api_key, &questions);
    for clients in CLIENTS {
        let group = format!("POST /v1/search, {clients} client{}", if clients == 1 { "" } else { "s" });
        let raw = bare.rate(clients, around.lasts).await?;
        let hit = cached.rate(clients, around.lasts).await?;
        let miss = uncached.rate(clients, around.lasts).await?;
        Figure::new(&group, "a bare axum route", raw.per_second, "requests/s").keep(&around.folder)?;
        let described = [(clients == 1).then_some((None, Some(5.0))), (clients == 8).then_some((Some(1_000.0), None))];
        keep(around, &group, "cached", hit, Some(("the bare route", raw)), described.into_iter().flatten().next())?;
        let described = if clients == 1 { (None, Some(100.0)) } else { (Some(50.0), None) };
        keep(around, &group, "not cached (embeds and searches)", miss, Some(("the bare route", raw)), Some(described))?;
    }
    let begin = Instant::now();
    for question in &questions {
        parts.embedder.embed(question).await?;
    }
    let each = begin.elapsed().as_secs_f64() * 1_000.0 / questions.len() as f64;
    Figure::new("Embedding", "one question, built-in model", each, "ms").described(Bound::AtMost(150.0)).keep(&around.folder)
}

/// The search in the database alone: by the gateway's own code, and by pgbench on the same transaction.
pub(crate) async fn measure_database(around: &Surroundings, parts: &Parts, size: Size) -> anyhow::Result<()> {
    let mut vectors = Vec::new();
    for question in texts::questions() {
        vectors.push(parts.embedder.embed(&question).await?);
    }
    let group = format!("Vector search alone, {}", size.name);
    let rows = parts.store.serving(parts.workspace).await?.rows;
    Figure::new(&group, "rows", rows as f64, "vectors").keep(&around.folder)?;
    let query = NearestQuery { workspace: parts.workspace, vector: vectors[0].clone(), limit: RESULTS, filter: None };
    let explained = parts.store.explain(&query).await?;
    for clients in CLIENTS {
        let raw = pgbench::rate(around, &explained, &vectors, clients)?;
        let own = store_rate(around, parts, &vectors, clients).await?;
        let what = format!("{clients} client{}", if clients == 1 { "" } else { "s" });
        keep(around, &group, &format!("pgbench, {what}"), raw, None, None)?;
        let described = (clients == 1).then_some((None, Some(most_ms(rows))));
        keep(around, &group, &format!("the gateway's store, {what}"), own, Some(("pgbench", raw)), described)?;
    }
    Ok(())
}

/// The described bound of a search among so many vectors.
fn most_ms(rows: u64) -> f64 {
    match rows {
        0..1_000 => 5.0,
        1_000..100_000 => 50.0,
        _ => 200.0,
    }
}

async fn store_rate(around: &Surroundings, parts: &Parts, vectors: &[Vec<f32>], clients: usize) -> anyhow::Result<Rate> {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        let (store, workspace, lasts) = (parts.store.clone(), parts.workspace, around.lasts);
        let vectors: Vec<_> = vectors.iter().cycle().skip(client * 7).take(vectors.len()).cloned().collect();
        tasks.spawn(async move {
            let mut times_ms = Vec::new();
            for vector in vectors.iter().cycle() {
                if begin.elapsed() >= lasts {
                    break;
                }
                let asked = Instant::now();
                store.nearest(&NearestQuery { workspace, vector: vector.clone(), limit: RESULTS, filter: None }).await?;
                times_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(times_ms)
        });
    }
    let mut times_ms = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        times_ms.extend(ended??);
    }
    Rate::of(times_ms, begin.elapsed())
}

/// A thousand vectors in one statement, rolled back.
pub(crate) async fn measure_bulk_insert(around: &Surroundings, parts: &Parts) -> anyhow::Result<()> {
    const ROWS: usize = 1_000;
    let dimensions = parts.embedder.dimensions() as usize;
    let vectors: Vec<Vec<f32>> = (0..ROWS).map(|_| (0..dimensions).map(|_| rand::random::<f32>() - 0.5).collect()).collect();
    let query = NearestQuery { workspace: parts.workspace, vector: vectors[0].clone(), limit: 1, filter: None };
    let mut fastest = f64::MAX;
    for _ in 0..3 {
        fastest = fastest.min(parts.store.rehearse(&vectors, &query).await?.insert_ms);
    }
    Figure::new("Ingestion", "bulk insert of 1,000 embeddings", fastest, "ms")
        .described(Bound::AtMost(120.0))
        .keep(&around.folder)?;
    Figure::new("Ingestion", "bulk insert", 60_000.0 * ROWS as f64 / fastest, "a minute")
        .described(Bound::AtLeast(100_000.0))
        .keep(&around.folder)
}

/// Rate, median and 95th percentile; `described` bounds the rate from below and the median from above.
fn keep(
    around: &Surroundings,
    group: &str,
    name: &str,
    rate: Rate,
    raw: Option<(&str, Rate)>,
    described: Option<(Option<f64>, Option<f64>)>,
) -> anyhow::Result<()> {
    let (least, most) = described.unwrap_or_default();
    let mut per_second = Figure::new(group, name, rate.per_second, "requests/s");
    if let Some((to, raw)) = raw {
        per_second = per_second.beside(to, raw.per_second);
    }
    if let Some(least) = least {
        per_second = per_second.described(Bound::AtLeast(least));
    }
    per_second.keep(&around.folder)?;
    let mut p50 = Figure::new(group, format!("{name}, p50"), rate.p50_ms, "ms");
    if let Some(most) = most {
        p50 = p50.described(Bound::AtMost(most));
    }
    p50.keep(&around.folder)?;
    Figure::new(group, format!("{name}, p95"), rate.p95_ms, "ms").keep(&around.folder)
}
