//! What `bench.sh` has put into the environment.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;

/// Where everything is, and how long to measure.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) folder: PathBuf,
    pub(crate) images: PathBuf,
    pub(crate) pgbench: PathBuf,
    pub(crate) model: PathBuf,
    pub(crate) database_url: String,
    pub(crate) cached_url: String,
    pub(crate) uncached_url: String,
    pub(crate) api_key: String,
    pub(crate) gateway_pid: u32,
    pub(crate) remote_pid: u32,
    /// How long each measurement of a rate lasts.
    pub(crate) lasts: Duration,
    /// Documents that are taken in.
    pub(crate) documents: u32,
}

impl Surroundings {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let text = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set; run tests/bench/bench.sh"));
        let number = |name: &str| anyhow::Ok(text(name)?.parse::<u32>().with_context(|| format!("{name} is no number"))?);
        Ok(Self {
            folder: text("RAGLINE_BENCH_FOLDER")?.into(),
            images: text("RAGLINE_BENCH_IMAGES")?.into(),
            pgbench: text("RAGLINE_BENCH_PGBENCH")?.into(),
            model: text("RAGLINE_MODEL_DIR")?.into(),
            database_url: text("DATABASE_URL")?,
            cached_url: text("RAGLINE_BENCH_CACHED")?,
            uncached_url: text("RAGLINE_BENCH_UNCACHED")?,
            api_key: text("RAGLINE_API_KEY")?,
            gateway_pid: number("RAGLINE_BENCH_GATEWAY_PID")?,
            remote_pid: number("RAGLINE_BENCH_REMOTE_PID")?,
            lasts: Duration::from_secs(number("RAGLINE_BENCH_SECONDS")?.clamp(1, 60).into()),
            documents: number("RAGLINE_BENCH_PAGES")?.clamp(1, 100),
        })
    }
}
