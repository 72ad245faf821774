//! Each variable of the environment has the effect that its documentation promises.

use std::collections::HashMap;

use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let map: HashMap<String, String> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::load(None, |name| map.get(name).cloned())
}

fn secret(secret: &Option<Secret>) -> String {
    secret.as_ref().unwrap().read().unwrap().expose_secret().to_owned()
}

#[test]
fn an_empty_environment_is_the_default() {
    assert_eq!(load(&[]).unwrap().config, Config::default());
}

#[test]
fn the_database_url_gets_the_password_that_it_lacks() {
    let settings = load(&[("DATABASE_URL", "postgresql://app@db:5432/ragline"), ("POSTGRES_PASSWORD", "a b")]).unwrap();
    assert_eq!(settings.database_url().unwrap().expose_secret(), "postgresql://app:a%20b@db:5432/ragline");
    let settings = load(&[("DATABASE_URL", "postgresql://app:own@db/ragline"), ("POSTGRES_PASSWORD", "other")]).unwrap();
    assert_eq!(settings.database_url().unwrap().expose_secret(), "postgresql://app:own@db/ragline");
}

#[test]
fn a_missing_or_wrong_database_url_says_so() {
    assert!(load(&[]).unwrap().database_url().unwrap_err().to_string().contains("DATABASE_URL is not set"));
    let error = load(&[("DATABASE_URL", "mysql://db/x")]).unwrap().database_url().unwrap_err();
    assert!(error.to_string().contains("postgresql://"), "{error}");
}

#[test]
fn read_replicas_are_a_list_that_ends() {
    let urls = |text: &str| {
        let settings = load(&[("DATABASE_REPLICA_URLS", text), ("POSTGRES_PASSWORD", "pw")]).unwrap();
        settings.database_replica_urls().map(|urls| urls.iter().map(|url| url.expose_secret().to_owned()).collect::<Vec<_>>())
    };
    assert!(load(&[]).unwrap().database_replica_urls().unwrap().is_empty());
    assert_eq!(
        urls("postgresql://a@one/d, postgresql://a:own@two/d,\n").unwrap(),
        ["postgresql://a:pw@one/d", "postgresql://a:own@two/d"]
    );
    let many = "postgresql://a@b/d,".repeat(9);
    for (text, words) in [("postgresql://a@one/d,two", "DATABASE_REPLICA_URLS is no PostgreSQL URL"), (&many, "8 are the most")] {
        let error = urls(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn pool_size_batch_size_and_time_to_live_are_taken() {
    let config = load(&[("PG_POOL_SIZE", "23"), ("EMBEDDING_BATCH_SIZE", "7"), ("CACHE_TTL", "60")]).unwrap().config;
    assert_eq!((config.database.pool_size, config.embedding.batch_size), (23, 7));
    assert_eq!(config.cache.vector_search_ttl_seconds, Seconds(60));
    assert_eq!(config.cache.embedding_ttl_seconds, Seconds(86_400));
}

#[test]
fn an_impossible_number_names_the_variable() {
    let error = load(&[("PG_POOL_SIZE", "ten")]).unwrap_err();
    assert_eq!(error.to_string(), "environment variable PG_POOL_SIZE is \"ten\"; it must be a whole number");
    let SettingsError::Config(ConfigError::Invalid(problems)) = load(&[("PG_POOL_SIZE", "51")]).unwrap_err() else { panic!() };
    assert_eq!(problems[0].field, "database.poolSize");
}

#[test]
fn valkey_is_found_by_its_variables() {
    let variables = [("VALKEY_HOST", "cache"), ("VALKEY_PORT", "6400"), ("VALKEY_DB", "3"), ("VALKEY_PASSWORD", "pw")];
    let settings = load(&variables).unwrap();
    let cache = &settings.config.cache;
    assert_eq!((cache.host.as_str(), cache.port, cache.database, cache.tls), ("cache", 6_400, 3, false));
    assert_eq!(secret(&settings.secrets.valkey_password), "pw");
}

#[test]
fn the_collector_of_traces_is_found_by_the_standard_variables() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=k"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
    ];
    let settings = load(&variables).unwrap();
    let tracing = &settings.config.tracing;
    assert_eq!((tracing.endpoint.as_ref().unwrap().as_str(), tracing.sampling_ratio), ("http://collector:4318/", 0.5));
    assert_eq!(secret(&settings.secrets.tracing_headers), "authorization=k");
    assert_eq!(load(&[]).unwrap().config.tracing.endpoint, None, "off by default");
    for (name, value) in [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"), ("OTEL_TRACES_SAMPLER_ARG", "half")] {
        let error = load(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn upstash_is_spoken_to_with_tls() {
    let variables = [("UPSTASH_REDIS_REST_URL", "https://eu1-x.upstash.io"), ("UPSTASH_REDIS_REST_TOKEN", "token")];
    let settings = load(&variables).unwrap();
    let cache = &settings.config.cache;
    assert_eq!((cache.host.as_str(), cache.port, cache.tls), ("eu1-x.upstash.io", 6_379, true));
    assert_eq!(secret(&settings.secrets.valkey_password), "token");
}

#[test]
fn the_cache_and_the_query_log_can_be_switched_off() {
    let config = load(&[("ENABLE_VECTOR_CACHE", "false"), ("ENABLE_LOGGING", "false"), ("LOG_LEVEL", "debug")]).unwrap().config;
    assert_eq!(config.cache.mode, CacheMode::Disabled);
    assert!(!config.logging.queries);
    assert_eq!(config.logging.level, "debug");
}

/// The settings of a configuration file.
fn load_file(text: &str, variables: &[(&str, &str)]) -> Settings {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let find = |name: &str| variables.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
    Settings::load(Some(file.path()), find).unwrap()
}

#[test]
fn an_openai_key_serves_both_providers_unless_one_has_its_own() {
    let text = "embedding:\n  provider:\n    openAi: {model: m, dimensions: 3}\n\
                generation:\n  provider:\n    openAiCompatible: {baseUrl: 'http://models/v1', model: m}\n";
    let settings = load_file(text, &[("OPENAI_API_KEY", "sk-1"), ("RAGLINE_GENERATION_API_KEY", "sk-2")]);
    assert_eq!(secret(&settings.secrets.embedding_api_key.secret), "sk-1");
    assert_eq!(secret(&settings.secrets.generation_api_key.secret), "sk-2");
}

#[test]
fn an_openrouter_key_alone_selects_openrouter() {
    let text = "generation:\n  provider:\n    openAiCompatible:\n      baseUrl: https://api.openai.com/v1\n      model: m\n";
    let address = |settings: &Settings| settings.config.generation.provider.base_url().unwrap().to_string();
    let routed = load_file(text, &[("OPENROUTER_API_KEY", "sk-or-1")]);
    assert_eq!(address(&routed), addresses::OPENROUTER);
    assert_eq!(secret(&routed.secrets.generation_api_key.secret), "sk-or-1");
    let direct = load_file(text, &[("OPENROUTER_API_KEY", "sk-or-1"), ("OPENAI_API_KEY", "sk-1")]);
    assert_eq!(address(&direct), addresses::OPENAI);
    assert_eq!(secret(&direct.secrets.generation_api_key.secret), "sk-1");
}

#[test]
fn every_provider_finds_its_own_key_and_a_place_may_have_another() {
    let text = "generation:\n  provider:\n    anthropic: {model: m}\n  fallbacks:\n  - gemini: {model: m}\n  \
                - azureOpenAi: {endpoint: 'https://x', deployment: d}\n  - openAiCompatible: {baseUrl: 'http://models/v1', model: m}\n  \
                shortQuestions: {provider: {openRouter: {model: m}}}\n";
    let variables = [
        ("ANTHROPIC_API_KEY", "a"),
        ("GEMINI_API_KEY", "g"),
        ("AZURE_OPENAI_API_KEY", "z"),
        ("RAGLINE_GENERATION_FALLBACK_2_API_KEY", "z2"),
        ("OPENROUTER_API_KEY", "r"),
        ("OPENAI_API_KEY", "o"),
    ];
    let secrets = load_file(text, &variables).secrets;
    let found = |key: &ProviderKey| key.secret.is_some().then(|| secret(&key.secret));
    assert_eq!(found(&secrets.generation_api_key).as_deref(), Some("a"));
    let others: Vec<_> = secrets.fallback_api_keys.iter().map(found).collect();
    assert_eq!(others, [Some("g".into()), Some("z2".into()), None], "a key meant for OpenAI does not reach the last");
    assert_eq!(found(&secrets.short_api_key).as_deref(), Some("r"));
    assert_eq!(secrets.generation_api_key.variables, ["RAGLINE_GENERATION_API_KEY", "ANTHROPIC_API_KEY"]);
}

#[test]
fn a_secret_in_a_file_is_read_again_when_it_changes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first\n").unwrap();
    let settings = load(&[("RAGLINE_API_KEY_FILE", file.path().to_str().unwrap())]).unwrap();
    assert_eq!(secret(&settings.secrets.api_key), "first");
    std::fs::write(file.path(), "second\n").unwrap();
    assert_eq!(secret(&settings.secrets.api_key), "second");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let settings = load(&[("RAGLINE_API_KEY", "very-secret")]).unwrap();
    assert!(!format!("{settings:?}").contains("very-secret"));
}
