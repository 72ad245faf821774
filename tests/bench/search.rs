//! The search through the API, with and without a cache, beside a bare route.

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use ragline_config::Config;
use ragline_gateway::{
    backends::{
        builtin::{self, BuiltinEmbedder},
        pgvector::{Store, space::SpaceWanted},
    },
    traits::{
        embedder::Embedder,
        search::{Directory, WorkspaceId},
    },
};

use crate::{
    bare::Bare,
    described::{self, goal},
    figure::Figure,
    load::{self, Target},
    surroundings::Surroundings,
    texts,
    vector::{CLIENTS, described_clients, times},
};

/// The store and the model, in this process.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) workspace: WorkspaceId,
}

impl Parts {
    pub(crate) async fn open(around: &Surroundings) -> anyhow::Result<Self> {
        let index = Config::default().index;
        let space = SpaceWanted {
            model: builtin::MODEL_NAME.to_owned(),
            dimensions: builtin::DIMENSIONS,
            element_type: index.element_type,
            distance_metric: index.distance_metric,
            quantization: index.quantization,
        };
        let store = Store::connect(&around.database(), &around.database_urls[2], space)?;
        let workspace = store.workspace("default").await?.context("there is no workspace `default`")?;
        Ok(Self { store, embedder: model(around).await?, workspace })
    }
}

/// The built-in model.
pub(crate) async fn model(around: &Surroundings) -> anyhow::Result<Arc<dyn Embedder>> {
    let folder = around.model.clone();
    Ok(Arc::new(tokio::task::spawn_blocking(move || BuiltinEmbedder::load(&folder, None)).await??))
}

/// Requests to the API, beside a bare route that answers as many bytes.
pub(crate) async fn measure_api(around: &Surroundings, parts: &Parts) -> anyhow::Result<()> {
    let questions = texts::questions();
    let cached = Target::search(&around.cached_url, &around.api_key, &questions);
    let uncached = Target::search(&around.uncached_url, &around.api_key, &questions);
    cached.warm_up().await?;
    uncached.warm_up().await?;
    let answer = cached.ask(&load::client()?, &cached.bodies[0]).await?;
    let route = Bare::answering(&answer).await?;
    let bare = Target::search(&route.url, &around.api_key, &questions);
    for clients in CLIENTS {
        let group = format!("POST /v1/search, {}", described_clients(clients));
        let raw = bare.rate(clients, around.lasts).await?;
        let hit = cached.rate(clients, around.lasts).await?;
        let miss = uncached.rate(clients, around.lasts).await?;
        Figure::new(&group, "a bare axum route", raw.per_second, "requests/s").keep(&around.folder)?;
        let (alone, many) = (clients == 1, clients == 8);
        Figure::new(&group, "cached", hit.per_second, "requests/s")
            .beside("the bare route", raw.per_second)
            .aims_at(many.then_some(goal::CACHED))
            .maybe_described(many.then_some(described::CACHED_A_SECOND))
            .keep(&around.folder)?;
        times(around, &group, "cached", hit, [alone.then_some(described::HIT_MS), None])?;
        let name = "not cached (embeds and searches)";
        Figure::new(&group, name, miss.per_second, "requests/s")
            .beside("the bare route", raw.per_second)
            .maybe_described(many.then_some(described::UNCACHED_A_SECOND))
            .keep(&around.folder)?;
        times(around, &group, name, miss, [alone.then_some(described::MISS_MS), None])?;
    }
    let begin = Instant::now();
    for question in &questions {
        parts.embedder.embed(question).await?;
    }
    let each = begin.elapsed().as_secs_f64() * 1_000.0 / questions.len() as f64;
    Figure::new("Embedding", "one question, built-in model", each, "ms").described(described::EMBEDDING_MS).keep(&around.folder)
}
