//! What `bench.sh` has put into the environment.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use ragline_config::{Database, TlsMode};
use secrecy::SecretString;

/// Where everything is, and how long to measure.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) folder: PathBuf,
    pub(crate) images: PathBuf,
    pub(crate) pgbench: PathBuf,
    pub(crate) model: PathBuf,
    /// Real texts: pages and questions.
    pub(crate) pages: PathBuf,
    /// Of the superuser, the owner and the application.
    pub(crate) database_urls: [SecretString; 3],
    pub(crate) valkey_url: String,
    pub(crate) cached_url: String,
    pub(crate) uncached_url: String,
    pub(crate) api_key: String,
    pub(crate) gateway_pid: u32,
    pub(crate) remote_pid: u32,
    /// A gateway whose language model this process plays, on this port of loopback.
    pub(crate) streams_url: String,
    pub(crate) streams_pid: u32,
    pub(crate) provider_port: u16,
    /// How long each measurement of a rate lasts.
    pub(crate) lasts: Duration,
    /// Documents that are taken in.
    pub(crate) documents: u32,
    /// Sizes of the database that is searched, in rising order.
    pub(crate) rows: Vec<usize>,
    /// Real sentences that rows are made of.
    pub(crate) sentences: usize,
    /// Numbers in a vector.
    pub(crate) dimensions: Vec<u32>,
    /// Questions of the replay.
    pub(crate) replayed: usize,
    /// How long `make soak` lasts.
    pub(crate) soaks: Duration,
    /// Rows of `make bench-1m`.
    pub(crate) million: usize,
}

impl Surroundings {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let text = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set; run tests/bench/bench.sh"));
        let number = |name: &str| anyhow::Ok(text(name)?.parse::<u32>().with_context(|| format!("{name} is no number"))?);
        let url = |name: &str| anyhow::Ok(SecretString::from(text(name)?));
        let list = |name: &str| -> anyhow::Result<Vec<u32>> {
            let words = text(name)?;
            let numbers = words.split_whitespace().map(str::parse).collect::<Result<_, _>>();
            numbers.with_context(|| format!("{name} is no list of numbers"))
        };
        let mut rows: Vec<usize> = list("RAGLINE_BENCH_ROWS")?.into_iter().map(|rows| rows as usize).collect();
        rows.sort_unstable();
        Ok(Self {
            folder: text("RAGLINE_BENCH_FOLDER")?.into(),
            images: text("RAGLINE_BENCH_IMAGES")?.into(),
            pgbench: text("RAGLINE_BENCH_PGBENCH")?.into(),
            model: text("RAGLINE_MODEL_DIR")?.into(),
            pages: text("RAGLINE_BENCH_TEXTS")?.into(),
            database_urls: [url("DATABASE_BOOTSTRAP_URL")?, url("DATABASE_OWNER_URL")?, url("DATABASE_URL")?],
            valkey_url: format!("redis://:{}@{}:{}/0", text("VALKEY_PASSWORD")?, text("VALKEY_HOST")?, text("VALKEY_PORT")?),
            // Without gateways, as for `make bench-1m`, these are empty and not asked for.
            cached_url: text("RAGLINE_BENCH_CACHED").unwrap_or_default(),
            uncached_url: text("RAGLINE_BENCH_UNCACHED").unwrap_or_default(),
            api_key: text("RAGLINE_API_KEY").unwrap_or_default(),
            gateway_pid: number("RAGLINE_BENCH_GATEWAY_PID").unwrap_or_default(),
            remote_pid: number("RAGLINE_BENCH_REMOTE_PID").unwrap_or_default(),
            streams_url: text("RAGLINE_BENCH_STREAMS").unwrap_or_default(),
            streams_pid: number("RAGLINE_BENCH_STREAMS_PID").unwrap_or_default(),
            provider_port: number("RAGLINE_BENCH_PROVIDER_PORT").ok().and_then(|port| port.try_into().ok()).unwrap_or_default(),
            lasts: Duration::from_secs(number("RAGLINE_BENCH_SECONDS")?.clamp(1, 60).into()),
            documents: number("RAGLINE_BENCH_PAGES")?.clamp(1, 100),
            rows,
            sentences: number("RAGLINE_BENCH_SENTENCES")?.clamp(2, 2_000) as usize,
            dimensions: list("RAGLINE_BENCH_DIMENSIONS")?,
            replayed: number("RAGLINE_BENCH_REPLAY")?.clamp(10, 1_000_000) as usize,
            soaks: Duration::from_secs(number("RAGLINE_SOAK_SECONDS")?.clamp(10, 86_400).into()),
            million: number("RAGLINE_BENCH_MILLION")?.clamp(1, 10_000_000) as usize,
        })
    }

    /// The settings of the schema that the gateways serve.
    pub(crate) fn database(&self) -> Database {
        Database { tls_mode: TlsMode::Disable, ..Database::default() }
    }
}
