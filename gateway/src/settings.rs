//! What the process was told: the configuration file with the environment on top, and where each secret is found. Reading the
//! environment goes through a function that is given, so tests need no process of their own.

use std::path::{Path, PathBuf};

use ragline_config::{CacheMode, Config, ConfigError, EmbeddingProvider, GenerationProvider, Seconds, addresses, env};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::provider_key::ProviderKey;
use self::secret::Secret;

mod provider_key;
pub mod secret;

/// Each replica is watched and has figures of its own.
const MOST_REPLICAS: usize = 8;

/// Everything that a command needs to know about its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: Config,
    pub secrets: Secrets,
}

/// Where the secrets are. Each is read when it is needed, so that a file that changes takes effect.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    pub database_url: Option<Secret>,
    pub database_owner_url: Option<Secret>,
    pub database_bootstrap_url: Option<Secret>,
    pub database_replica_urls: Option<Secret>,
    pub postgres_password: Option<Secret>,
    pub valkey_password: Option<Secret>,
    pub valkey_sentinel_password: Option<Secret>,
    pub embedding_api_key: ProviderKey,
    pub generation_api_key: ProviderKey,
    pub rerank_api_key: Option<Secret>,
    pub api_key: Option<Secret>,
    /// Of the providers that stand in, in their order.
    pub fallback_api_keys: Vec<ProviderKey>,
    pub short_api_key: ProviderKey,
    /// Headers for the collector of traces.
    pub tracing_headers: Option<Secret>,
}

/// Why the settings cannot be used. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the configuration file {path} cannot be read")]
    ReadConfig {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration is not usable")]
    Config(#[source] ConfigError),
    #[error("environment variable {name} is {value:?}; {expected}")]
    Variable { name: &'static str, value: String, expected: &'static str },
    #[error("environment variable {name} is not set; {mend}")]
    Missing { name: &'static str, mend: &'static str },
    #[error("the secret {name} cannot be read from {path}")]
    ReadSecret {
        name: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{name} is no PostgreSQL URL; it must look like postgresql://user:password@host:5432/database")]
    DatabaseUrl { name: &'static str },
    #[error("{name} names {count} replicas; {MOST_REPLICAS} are the most")]
    TooManyReplicas { name: &'static str, count: usize },
}

impl Settings {
    /// Reads the file that `path` or RAGLINE_CONFIG names (neither: the defaults) and lays the environment over it.
    ///
    /// # Errors
    /// A file that cannot be read or is not valid, or a variable with an impossible value.
    pub fn load(path: Option<&Path>, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = path.map(Path::to_owned).or_else(|| lookup(env::CONFIG).map(PathBuf::from));
        let mut config = match path {
            None => Config::default(),
            Some(path) => {
                let text =
                    std::fs::read_to_string(&path).map_err(|source| SettingsError::ReadConfig { path: path.clone(), source })?;
                Config::from_yaml(&text).map_err(SettingsError::Config)?
            }
        };
        overlay(&mut config, &lookup)?;
        config.check().map_err(SettingsError::Config)?;
        let secrets = Secrets::find(&config, &lookup);
        Ok(Self { config, secrets })
    }

    /// The application role's URL, with POSTGRES_PASSWORD filled in where it carries no password.
    ///
    /// # Errors
    /// The variable is missing, its file cannot be read, or it is no URL.
    pub fn database_url(&self) -> Result<SecretString, SettingsError> {
        self.url_of(&self.secrets.database_url, env::DATABASE_URL, "give the URL of the application role")
    }

    /// The owner role's URL.
    ///
    /// # Errors
    /// As [`Settings::database_url`].
    pub fn database_owner_url(&self) -> Result<SecretString, SettingsError> {
        self.url_of(&self.secrets.database_owner_url, env::DATABASE_OWNER_URL, "give the URL of the role that owns the tables")
    }

    /// The superuser's URL, `None` where the database was prepared by somebody else.
    ///
    /// # Errors
    /// As [`Settings::database_url`], but for a missing variable.
    pub fn database_bootstrap_url(&self) -> Result<Option<SecretString>, SettingsError> {
        let Some(_) = self.secrets.database_bootstrap_url else { return Ok(None) };
        self.url_of(&self.secrets.database_bootstrap_url, env::DATABASE_BOOTSTRAP_URL, "").map(Some)
    }

    /// The URLs of the read replicas, none where there are no replicas.
    ///
    /// # Errors
    /// The file cannot be read, one is no URL, or there are more than eight.
    pub fn database_replica_urls(&self) -> Result<Vec<SecretString>, SettingsError> {
        let name = env::DATABASE_REPLICA_URLS;
        let Some(secret) = &self.secrets.database_replica_urls else { return Ok(Vec::new()) };
        let text = secret.read()?;
        let urls: Vec<_> = text.expose_secret().split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
        if urls.len() > MOST_REPLICAS {
            return Err(SettingsError::TooManyReplicas { name, count: urls.len() });
        }
        urls.into_iter().map(|url| self.url(url, name)).collect()
    }

    fn url_of(&self, secret: &Option<Secret>, name: &'static str, mend: &'static str) -> Result<SecretString, SettingsError> {
        let Some(secret) = secret else { return Err(SettingsError::Missing { name, mend }) };
        self.url(secret.read()?.expose_secret().trim(), name)
    }

    fn url(&self, text: &str, name: &'static str) -> Result<SecretString, SettingsError> {
        let mut url = Url::parse(text).map_err(|_| SettingsError::DatabaseUrl { name })?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.host_str().is_none_or(str::is_empty) && url.query().is_none()
        {
            return Err(SettingsError::DatabaseUrl { name });
        }
        if let (None, Some(password)) = (url.password(), &self.secrets.postgres_password) {
            let password = password.read()?;
            url.set_password(Some(password.expose_secret().trim())).map_err(|()| SettingsError::DatabaseUrl { name })?;
        }
        Ok(SecretString::from(url.to_string()))
    }
}

impl Secrets {
    fn find(config: &Config, lookup: &impl Fn(&str) -> Option<String>) -> Self {
        let find = |name: &str| Secret::find(name, lookup);
        let generation = &config.generation;
        let own = env::GENERATION_FALLBACK_API_KEYS;
        let fallbacks = own.into_iter().zip(&generation.fallbacks);
        let short = generation.short_questions.as_ref();
        Self {
            database_url: find(env::DATABASE_URL),
            database_owner_url: find(env::DATABASE_OWNER_URL),
            database_bootstrap_url: find(env::DATABASE_BOOTSTRAP_URL),
            database_replica_urls: find(env::DATABASE_REPLICA_URLS),
            postgres_password: find(env::POSTGRES_PASSWORD),
            valkey_password: find(env::VALKEY_PASSWORD).or_else(|| find(env::UPSTASH_REDIS_REST_TOKEN)),
            valkey_sentinel_password: find(env::VALKEY_SENTINEL_PASSWORD),
            embedding_api_key: ProviderKey::of_embedding(&config.embedding.provider, lookup),
            generation_api_key: ProviderKey::of_generation(env::GENERATION_API_KEY, &generation.provider, lookup),
            rerank_api_key: find(env::RERANK_API_KEY),
            api_key: find(env::API_KEY),
            fallback_api_keys: fallbacks.map(|(own, provider)| ProviderKey::of_generation(own, provider, lookup)).collect(),
            short_api_key: short.map_or_else(ProviderKey::default, |short| {
                ProviderKey::of_generation(env::GENERATION_SHORT_API_KEY, &short.provider, lookup)
            }),
            tracing_headers: find(env::OTEL_EXPORTER_OTLP_HEADERS),
        }
    }
}

/// Lays the environment over the configuration file.
fn overlay(config: &mut Config, lookup: &impl Fn(&str) -> Option<String>) -> Result<(), SettingsError> {
    if let Some(listen) = lookup(env::LISTEN) {
        config.server.listen = listen;
    }
    if let Some(size) = number(lookup, env::PG_POOL_SIZE)? {
        config.database.pool_size = size;
    }
    if let Some(size) = number(lookup, env::EMBEDDING_BATCH_SIZE)? {
        config.embedding.batch_size = size;
    }
    if let Some(seconds) = number(lookup, env::CACHE_TTL)? {
        config.cache.vector_search_ttl_seconds = Seconds(seconds);
    }
    if let Some(level) = lookup(env::LOG_LEVEL) {
        config.logging.level = level;
    }
    if let Some(on) = switch(lookup, env::ENABLE_LOGGING)? {
        config.logging.queries = on;
    }
    if switch(lookup, env::ENABLE_VECTOR_CACHE)? == Some(false) {
        config.cache.mode = CacheMode::Disabled;
    }
    overlay_valkey(config, lookup)?;
    overlay_tracing(config, lookup)?;
    if let (Some(directory), EmbeddingProvider::Builtin { model_directory }) =
        (lookup(env::MODEL_DIR), &mut config.embedding.provider)
    {
        *model_directory = Some(directory.into());
    }
    let only_openrouter =
        Secret::find(env::OPENROUTER_API_KEY, lookup).is_some() && Secret::find(env::OPENAI_API_KEY, lookup).is_none();
    if only_openrouter {
        if let EmbeddingProvider::OpenAiCompatible(server) = &mut config.embedding.provider {
            route(&mut server.base_url);
        }
        let generation = &mut config.generation;
        let short = generation.short_questions.as_mut().map(|short| &mut short.provider);
        for provider in std::iter::once(&mut generation.provider).chain(&mut generation.fallbacks).chain(short) {
            if let GenerationProvider::OpenAiCompatible(server) = provider {
                route(&mut server.base_url);
            }
        }
    }
    Ok(())
}

fn overlay_valkey(config: &mut Config, lookup: &impl Fn(&str) -> Option<String>) -> Result<(), SettingsError> {
    if let Some(text) = lookup(env::UPSTASH_REDIS_REST_URL) {
        let expected = "it must be an address such as https://name.upstash.io";
        let refuse = || SettingsError::Variable { name: env::UPSTASH_REDIS_REST_URL, value: text.clone(), expected };
        let url = Url::parse(&text).map_err(|_| refuse())?;
        one_server(config, url.host_str().ok_or_else(refuse)?.to_owned());
        // The REST port is not the one of the Redis protocol, unless it is named.
        config.cache.port = url.port().unwrap_or(ragline_config::ports::VALKEY);
        config.cache.tls = true;
    }
    if let Some(host) = lookup(env::VALKEY_HOST) {
        one_server(config, host);
    }
    if let Some(port) = number(lookup, env::VALKEY_PORT)? {
        config.cache.port = port;
    }
    if let Some(database) = number(lookup, env::VALKEY_DB)? {
        config.cache.database = database;
    }
    Ok(())
}

/// The standard variables of OpenTelemetry that have a field in the file.
fn overlay_tracing(config: &mut Config, lookup: &impl Fn(&str) -> Option<String>) -> Result<(), SettingsError> {
    if let Some(text) = lookup(env::OTEL_EXPORTER_OTLP_ENDPOINT) {
        let expected = "it must be an address such as http://otel-collector:4318";
        let name = env::OTEL_EXPORTER_OTLP_ENDPOINT;
        config.tracing.endpoint = Some(Url::parse(&text).map_err(|_| SettingsError::Variable { name, value: text, expected })?);
    }
    if let Some(text) = lookup(env::OTEL_TRACES_SAMPLER_ARG) {
        let refuse = |_| SettingsError::Variable {
            name: env::OTEL_TRACES_SAMPLER_ARG,
            value: text.clone(),
            expected: "it must be a number from 0 to 1",
        };
        config.tracing.sampling_ratio = text.trim().parse().map_err(refuse)?;
    }
    Ok(())
}

/// A host in the environment stands for all that the file says of where Valkey is.
fn one_server(config: &mut Config, host: String) {
    (config.cache.host, config.cache.sentinel, config.cache.cluster) = (host, None, None);
}

/// Sends requests that would go to OpenAI to OpenRouter.
fn route(base_url: &mut Url) {
    if base_url.as_str().trim_end_matches('/') == addresses::OPENAI {
        *base_url = Url::parse(addresses::OPENROUTER).expect("the constant is a URL");
    }
}

fn number<T: std::str::FromStr>(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<Option<T>, SettingsError> {
    let Some(value) = lookup(name) else { return Ok(None) };
    match value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(SettingsError::Variable { name, value, expected: "it must be a whole number" }),
    }
}

fn switch(lookup: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<Option<bool>, SettingsError> {
    let Some(value) = lookup(name) else { return Ok(None) };
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(Some(true)),
        "false" | "0" | "no" | "off" => Ok(Some(false)),
        _ => Err(SettingsError::Variable { name, value, expected: "it must be true or false" }),
    }
}

#[cfg(test)]
mod tests;
