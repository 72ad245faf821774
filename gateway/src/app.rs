//! Puts the program together: opens what the settings name, hands it to the trips, serves until it is told to stop.

mod api;
mod background;
mod evaluation;
mod models;
mod roles;
mod traced;
mod verification;

use std::sync::Arc;

use anyhow::Context;
use prometheus::Registry;
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, signal::unix};
use tokio_util::sync::CancellationToken;
use tracing::info;
use url::Url;

use self::traced::Traced;
pub use self::{
    models::space_wanted,
    roles::{Role, Roles},
};
use crate::{
    answer::{Answerer, Flights, Retriever},
    backends::{
        cache::{self, Passwords, ValkeyCache},
        limiter::{LocalLimiter, SharedLimiter},
        oidc,
        pgvector::Store,
    },
    http::{
        routes,
        serve::{DRAIN_WITHIN, serve as serve_http},
        tls::Tls,
    },
    ingest::text::TextCutter,
    metrics::Metrics,
    redact::Redactor,
    settings::{Settings, secret::Secret},
    telemetry::traces::Exporter,
    traits::{cache::Cache, embedder::Embedder, limiter::Limiter, tokens::TokenVerifier},
};

/// The parts of a running gateway.
#[derive(Debug)]
pub struct App {
    pub settings: Settings,
    pub registry: Registry,
    pub metrics: Metrics,
    pub store: Store,
    pub cache: Arc<dyn Cache>,
    pub valkey: Option<Arc<ValkeyCache>>,
    pub embedder: Arc<dyn Embedder>,
    pub answerer: Answerer,
    pub limiter: Arc<dyn Limiter>,
    pub tokens: Arc<dyn TokenVerifier>,
}

impl App {
    /// Opens every part. Neither PostgreSQL nor Valkey nor a provider has to answer yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Settings that nothing can be opened with; the message names the one.
    pub fn build(settings: Settings) -> anyhow::Result<Self> {
        Self::build_around(settings, |cache| cache)
    }

    /// What files are cut with.
    fn cutter(&self) -> TextCutter {
        let config = &self.settings.config;
        TextCutter {
            chunking: config.chunking.clone(),
            embedder: Arc::clone(&self.embedder),
            redactor: Redactor::new(&config.redaction),
        }
    }

    /// As [`App::build`], with something put around the cache that every part uses.
    ///
    /// # Errors
    /// As [`App::build`].
    pub fn build_around(settings: Settings, around: impl FnOnce(Arc<dyn Cache>) -> Arc<dyn Cache>) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).context("the metrics cannot be registered")?;
        let config = &settings.config;
        let read = |secret: &Option<Secret>| secret.as_ref().map(Secret::read).transpose();
        let secrets = &settings.secrets;
        let passwords = Passwords { server: read(&secrets.valkey_password)?, sentinel: read(&secrets.valkey_sentinel_password)? };
        let (cache, valkey) = cache::open(&config.cache, &passwords, &metrics)?;
        let cache = around(cache);
        let store = Store::connect_with_replicas(
            &config.database,
            &settings.database_url()?,
            &settings.database_replica_urls()?,
            space_wanted(config),
        )?;
        let embedder = models::embedder(&settings, Arc::clone(&cache))?;
        let generator = models::generator(&settings, Arc::clone(&embedder), &metrics)?;
        let retriever = Retriever {
            embedder: Arc::clone(&embedder),
            searcher: Arc::new(store.clone()),
            rephraser: models::rephraser(&config.search.expansion, Arc::clone(&generator)),
            reranker: models::reranker(&settings)?,
            cache: Arc::clone(&cache),
            search: config.search.clone(),
            flights: Flights::default(),
            least_similarity: config.cache.similarity.least_cosine(&config.embedding.provider),
            metrics: metrics.clone(),
            realm: realm(&settings)?,
            redactor: Redactor::new(&config.redaction),
            generation: config.generation.clone(),
        };
        let answerer = Answerer::new(retriever, generator, config.logging.clone());
        let limiter = limiter(&settings, valkey.clone(), &metrics)?;
        let tokens = oidc::open(&settings.config.auth)?;
        Ok(Self { tokens, limiter, registry, metrics, store, cache, valkey, embedder, answerer, settings })
    }
}

/// Budgets in Valkey, which all gateways share, or without it in each process.
fn limiter(settings: &Settings, valkey: Option<Arc<ValkeyCache>>, metrics: &Metrics) -> anyhow::Result<Arc<dyn Limiter>> {
    Ok(match valkey {
        Some(valkey) => Arc::new(SharedLimiter::new(valkey, realm(settings)?, metrics.clone())),
        None => Arc::new(LocalLimiter::default()),
    })
}

/// The store of the application role.
///
/// # Errors
/// DATABASE_URL is missing or is no URL.
pub fn connect(settings: &Settings) -> anyhow::Result<Store> {
    Ok(Store::connect(&settings.config.database, &settings.database_url()?, space_wanted(&settings.config))?)
}

/// Does its roles, traced where there is an exporter, until SIGTERM or SIGINT, then lets requests and the file under way end. A process that is only a worker answers
/// probes and shows its figures, and nothing else.
///
/// # Errors
/// An address that is taken, or a database that must not be served with, such as one whose role no policy binds.
pub async fn serve(settings: Settings, roles: Roles, exporter: Option<Exporter>) -> anyhow::Result<()> {
    let app = App::build(settings)?;
    let listen = app.settings.config.server.listen.clone();
    let tls = Tls::load(&app.settings.config.server)?;
    let listener = TcpListener::bind(&listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; free the port or set server.listen or RAGLINE_LISTEN"))?;
    let shutdown = CancellationToken::new();
    let mut background = background::start(&app, roles, &shutdown)?;
    let state = api::state(&app, &shutdown);
    let router = if roles.api { routes::router(Arc::clone(&state)) } else { routes::probes(Arc::clone(&state)) };
    let traced = exporter.map(|exporter| Traced::start(exporter, app.metrics.clone()));
    info!(address = %listen, model = app.embedder.model_name(), roles.api, roles.worker, "serving");
    let served = tokio::spawn(serve_http(listener, tls, router, shutdown.clone()));
    let ended = tokio::select! {
        () = stop_signal() => Ok(()),
        failure = background.failure() => failure,
    };
    info!("stopping");
    shutdown.cancel();
    let (served, ()) = tokio::join!(served, state.drain(DRAIN_WITHIN));
    served.context("the server ended abnormally")??;
    background.join().await;
    if let Some(traced) = traced {
        traced.finish().await;
    }
    ended
}

/// Resolves when somebody asks the process to end.
async fn stop_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (unix::signal(unix::SignalKind::terminate()), unix::signal(unix::SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Tells two installations that share a Valkey apart: the database, without its credentials.
fn realm(settings: &Settings) -> anyhow::Result<String> {
    let text = settings.database_url()?;
    let url = Url::parse(text.expose_secret()).context("DATABASE_URL is no URL")?;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(ragline_config::ports::POSTGRES));
    Ok(format!("{host}:{port}{}?{}#{}", url.path(), url.query().unwrap_or_default(), settings.config.database.schema))
}
