//! The gateway's configuration, as the spec asks for it. What the spec leaves out keeps the default of ragline-config, so
//! that the two cannot part.

use ragline_config::{
    Config, ConfigError, ExpansionMethod, FusionMethod, GenerationProvider, HnswParameters, IndexMode, IvfFlatParameters, Price,
    RateLimit, RerankProvider, SearchMode, Seconds, TlsMode,
    index::{DistanceMetric, ElementType, HNSW_EF_CONSTRUCTION, HNSW_M, Quantization},
};
use ragline_crds::{
    RagPipelineSpec,
    spec::{self, LogLevel},
};

use super::{Problem, Problems, cache, identity, providers, secrets, tracing};
use crate::plan::certificates::{self, CERTIFICATE_KEY, PRIVATE_KEY};

/// Overwrites `$to.$field` where the spec names it.
macro_rules! take {
    ($from:expr => $to:expr; $($field:ident),+) => {
        $(if let Some(value) = $from.$field.clone() { $to.$field = value.into(); })+
    };
}

/// The same for durations.
macro_rules! take_seconds {
    ($from:expr => $to:expr; $($field:ident),+) => {
        $(if let Some(value) = $from.$field { $to.$field = Seconds(value); })+
    };
}

pub(super) fn config(spec: &RagPipelineSpec, name: &str, problems: &mut Problems) -> Config {
    let mut config = Config::default();
    database(spec, &mut config);
    server(spec, &mut config);
    cache::cache(spec, name, &mut config, problems);
    embedding(spec.embedding.as_ref(), &mut config, problems);
    generation(spec.generation.as_ref(), &mut config, problems);
    if let Some(chunking) = &spec.chunking {
        let spec::Chunking { min_tokens: _, max_tokens: _, overlap_percent: _ } = chunking;
        take!(chunking => config.chunking; min_tokens, max_tokens, overlap_percent);
        // Whoever names only the larger one means the smaller one to fit.
        if chunking.min_tokens.is_none() {
            config.chunking.min_tokens = config.chunking.min_tokens.min(config.chunking.max_tokens / 2);
        }
    }
    if let Some(search) = &spec.search {
        let spec::Search { mode, limit: _, answer_limit: _, fusion, expansion } = search;
        take!(search => config.search; limit, answer_limit);
        config.search.mode = mode.map_or(config.search.mode, search_mode);
        fuse(fusion.as_ref(), &mut config);
        expand(expansion.as_ref(), &mut config);
    }
    rerank(spec.rerank.as_ref(), &mut config, problems);
    if let Some(index) = &spec.index {
        let spec::Index {
            mode,
            exact_below: _,
            small_below: _,
            medium_below: _,
            hysteresis_percent: _,
            distance_metric,
            element_type,
            quantization,
            recall_target,
            maintenance_window: _,
            ivf_flat,
            hnsw,
        } = index;
        take!(index => config.index; exact_below, small_below, medium_below, hysteresis_percent);
        config.index.recall_target = recall_target.map_or(config.index.recall_target, narrow);
        config.index.ivf_flat = ivf_flat.as_ref().map(|spec::IvfFlat { lists }| IvfFlatParameters { lists: *lists });
        config.index.hnsw = hnsw.as_ref().map(|spec::Hnsw { m, ef_construction }| HnswParameters {
            m: m.unwrap_or(HNSW_M),
            ef_construction: ef_construction.unwrap_or(HNSW_EF_CONSTRUCTION),
        });
        config.index.mode = match mode.unwrap_or_default() {
            spec::IndexMode::Auto => IndexMode::Auto,
            spec::IndexMode::Manual => IndexMode::Manual,
            spec::IndexMode::None => IndexMode::None,
        };
        config.index.distance_metric = match distance_metric.unwrap_or_default() {
            spec::DistanceMetric::Cosine => DistanceMetric::Cosine,
            spec::DistanceMetric::L2 => DistanceMetric::L2,
            spec::DistanceMetric::InnerProduct => DistanceMetric::InnerProduct,
        };
        config.index.element_type = match element_type.unwrap_or_default() {
            spec::ElementType::Halfvec => ElementType::Halfvec,
            spec::ElementType::Vector => ElementType::Vector,
        };
        config.index.quantization = match quantization.unwrap_or_default() {
            spec::Quantization::None => Quantization::None,
            spec::Quantization::Binary => Quantization::Binary,
        };
    }
    if let Some(limits) = &spec.limits {
        let spec::Limits {
            file_bytes: _,
            request_bytes: _,
            json_bytes: _,
            concurrent_requests: _,
            request_timeout_seconds: _,
            files_per_request: _,
            extract_timeout_seconds: _,
            rate,
        } = limits;
        take!(limits => config.limits; file_bytes, request_bytes, json_bytes, concurrent_requests, files_per_request);
        take_seconds!(limits => config.limits; request_timeout_seconds, extract_timeout_seconds);
        if let Some(spec::Rate { per_key, per_workspace }) = rate {
            share(per_key.as_ref(), &mut config.limits.rate.per_key);
            share(per_workspace.as_ref(), &mut config.limits.rate.per_workspace);
        }
    }
    if let Some(logging) = &spec.logging {
        let spec::Logging { level, queries: _, query_text: _ } = logging;
        take!(logging => config.logging; queries, query_text);
        config.logging.level = level.map_or(config.logging.level, |level| level_name(level).to_owned());
    }
    if let Some(redaction) = &spec.redaction {
        let spec::Redaction { emails: _, phones: _, ibans: _, cards: _, ip_addresses: _, national_ids: _, api_keys: _ } =
            redaction;
        take!(redaction => config.redaction; emails, phones, ibans, cards, ip_addresses, national_ids, api_keys);
    }
    config.auth.oidc = identity::oidc(spec, problems);
    config.tracing = tracing::tracing(spec, problems);
    if let Err(error) = config.check() {
        problems.0.extend(refused(&error));
    }
    config
}

fn share(spec: Option<&spec::RateLimit>, share: &mut RateLimit) {
    let Some(limit) = spec else { return };
    let spec::RateLimit { requests_per_minute: _, tokens_per_minute: _ } = limit;
    take!(limit => share; requests_per_minute, tokens_per_minute);
}

fn search_mode(mode: spec::SearchMode) -> SearchMode {
    match mode {
        spec::SearchMode::Vector => SearchMode::Vector,
        spec::SearchMode::Lexical => SearchMode::Lexical,
        spec::SearchMode::Hybrid => SearchMode::Hybrid,
    }
}

fn fuse(spec: Option<&spec::Fusion>, config: &mut Config) {
    let Some(spec::Fusion { method, vector_weight, lexical_weight, k }) = spec else { return };
    let fusion = &mut config.search.fusion;
    fusion.method = match method.unwrap_or_default() {
        spec::FusionMethod::RelativeScore => FusionMethod::RelativeScore,
        spec::FusionMethod::ReciprocalRank => FusionMethod::ReciprocalRank,
    };
    fusion.vector_weight = vector_weight.map_or(fusion.vector_weight, narrow);
    fusion.lexical_weight = lexical_weight.map_or(fusion.lexical_weight, narrow);
    fusion.k = k.unwrap_or(fusion.k);
}

fn expand(spec: Option<&spec::Expansion>, config: &mut Config) {
    let Some(expansion) = spec else { return };
    let spec::Expansion { method, passages: _, terms: _, queries: _ } = expansion;
    take!(expansion => config.search.expansion; passages, terms, queries);
    config.search.expansion.method = match method {
        spec::ExpansionMethod::Feedback => ExpansionMethod::Feedback,
        spec::ExpansionMethod::Generator => ExpansionMethod::Generator,
    };
}

fn rerank(spec: Option<&spec::Rerank>, config: &mut Config, problems: &mut Problems) {
    let Some(rerank) = spec else { return };
    let spec::Rerank { provider, base_url, model, candidates: _, timeout_seconds: _, secret_ref: _ } = rerank;
    take!(rerank => config.rerank; candidates);
    take_seconds!(rerank => config.rerank; timeout_seconds);
    config.rerank.provider = match provider {
        spec::RerankProvider::Cohere => RerankProvider::Cohere,
        spec::RerankProvider::TextEmbeddingsInference => RerankProvider::TextEmbeddingsInference,
    };
    config.rerank.model.clone_from(model);
    match base_url.parse() {
        Ok(base_url) => config.rerank.base_url = Some(base_url),
        Err(_) => problems.require(false, "spec.rerank.baseUrl", "must be an address, as in https://api.cohere.com/v1"),
    }
}

fn server(spec: &RagPipelineSpec, config: &mut Config) {
    let tls = spec.gateway.as_ref().and_then(|gateway| gateway.tls.as_ref());
    if tls.is_some_and(spec::ManagedTls::is_enabled) {
        config.server.tls_certificate_file = Some(certificates::file(CERTIFICATE_KEY).into());
        config.server.tls_key_file = Some(certificates::file(PRIVATE_KEY).into());
    }
}

fn database(spec: &RagPipelineSpec, config: &mut Config) {
    if let Some(postgres) = &spec.postgres {
        take!(postgres => config.database; pool_size);
        take_seconds!(postgres => config.database; statement_timeout_seconds);
    }
    let spec::Postgres { managed, cloud_native_pg, external, .. } = spec.postgres.clone().unwrap_or_default();
    let over_tls = managed.and_then(|managed| managed.tls).is_some_and(|tls| tls.is_enabled());
    if cloud_native_pg.is_some() || over_tls {
        config.database.tls_mode = TlsMode::VerifyFull;
        config.database.tls_ca_file = Some(secrets::own_database_ca());
        return;
    }
    let Some(external) = external else {
        config.database.tls_mode = TlsMode::Disable;
        return;
    };
    let spec::ExternalPostgres { secret_name: _, port: _, schema, tls_mode, ca_secret_ref } = external;
    if let Some(schema) = schema {
        config.database.schema = schema;
    }
    config.database.tls_mode = match tls_mode.unwrap_or_default() {
        spec::TlsMode::Disable => TlsMode::Disable,
        spec::TlsMode::Require => TlsMode::Require,
        spec::TlsMode::VerifyCa => TlsMode::VerifyCa,
        spec::TlsMode::VerifyFull => TlsMode::VerifyFull,
    };
    config.database.tls_ca_file = ca_secret_ref.as_ref().map(secrets::database_ca);
}

fn embedding(spec: Option<&spec::Embedding>, config: &mut Config, problems: &mut Problems) {
    let Some(embedding) = spec else { return };
    take!(embedding => config.embedding; batch_size, concurrent_requests, retry_attempts, use_cache);
    take_seconds!(embedding => config.embedding; retry_delay_seconds, timeout_seconds);
    config.embedding.provider = providers::embedding(embedding, problems);
}

fn generation(spec: Option<&spec::Generation>, config: &mut Config, problems: &mut Problems) {
    let Some(generation) = spec else {
        config.generation.provider = GenerationProvider::Disabled;
        return;
    };
    take!(generation => config.generation; max_tokens, retry_attempts, prompt_template, context_tokens);
    take_seconds!(generation => config.generation; timeout_seconds);
    config.generation.temperature = generation.temperature.map_or(config.generation.temperature, narrow);
    config.generation.top_p = generation.top_p.map_or(config.generation.top_p, narrow);
    config.generation.provider = providers::generation(generation, problems);
    config.generation.fallbacks = providers::fallbacks(generation, problems);
    config.generation.short_questions = providers::short_questions(generation, problems);
    let prices = generation.prices.iter().flatten();
    config.generation.prices = prices.map(|(model, price)| (model.clone(), self::price(price))).collect();
    config.generation.model_context_tokens = generation.model_context_tokens;
}

fn price(price: &spec::Price) -> Price {
    let spec::Price { prompt_usd_per_million, completion_usd_per_million } = *price;
    Price { prompt_usd_per_million, completion_usd_per_million }
}

#[expect(clippy::cast_possible_truncation, reason = "a number of a few digits; the configuration holds single precision")]
pub(super) fn narrow(number: f64) -> f32 {
    number as f32
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}

/// The gateway's own check names fields as the spec does.
fn refused(error: &ConfigError) -> Vec<Problem> {
    match error {
        ConfigError::Invalid(problems) => {
            problems.iter().map(|problem| Problem { field: path(problem.field), message: problem.message.clone() }).collect()
        }
        ConfigError::Parse(_) | ConfigError::Write(_) => {
            vec![Problem { field: "spec".to_owned(), message: error.to_string() }]
        }
    }
}

/// Where the spec has a field of the gateway's configuration.
fn path(field: &str) -> String {
    match field.strip_prefix("cache.") {
        Some(inner) if ["database", "sentinel", "cluster"].iter().any(|of| inner.starts_with(of)) => {
            format!("spec.cache.external.{inner}")
        }
        None if field == "database.poolSize" => "spec.postgres.poolSize".to_owned(),
        Some(_) | None => format!("spec.{field}"),
    }
}

#[cfg(test)]
mod tests;
