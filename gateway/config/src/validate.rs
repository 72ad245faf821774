//! Reading and checking the configuration file. A problem names the field by its path and says how to mend it.

use crate::{
    Config, ExpansionMethod, IndexMode, RerankProvider,
    index::{ElementType, Quantization},
};

mod cache;
mod providers;
mod tracing;

/// Dimensions of a `vector` that pgvector can index.
const MOST_INDEXED_VECTOR: u32 = 2_000;
/// The most that a rate may allow; budgets are counted in microseconds of a minute.
const MOST_PER_MINUTE: u32 = 60_000_000;
const TRUSTWORTHY: &str = "must begin with https://, or with http:// and a loopback address";
const RATE_BOUNDS: &str = "must be 0 (no limit) to 60000000";
/// No model costs more.
const MOST_USD_PER_MILLION: f64 = 1_000_000.0;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file does not parse")]
    Parse(#[source] Box<serde_saphyr::Error>),
    #[error("the configuration does not write as YAML")]
    Write(#[source] Box<serde_saphyr::SerializeError>),
    #[error("the configuration is not valid: {}", join(.0))]
    Invalid(Vec<Problem>),
}

/// One thing that is wrong, and its mend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Path of the field, as in `chunking.maxTokens`.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>().join("; ")
}

impl Config {
    /// Parses and checks a configuration file. An empty file is the default configuration.
    ///
    /// # Errors
    /// [`ConfigError::Parse`] for a file that is no YAML or has unknown fields, [`ConfigError::Invalid`] with every problem found.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_saphyr::from_str(text).map_err(|error| ConfigError::Parse(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    /// The configuration as a file that [`Config::from_yaml`] reads.
    ///
    /// # Errors
    /// [`ConfigError::Write`] where the serializer refuses; no configuration is known to cause it.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_saphyr::to_string(self).map_err(|error| ConfigError::Write(Box::new(error)))
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem found.
    pub fn check(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut require = |ok: bool, field: &'static str, message: &str| {
            if !ok {
                found.push(Problem { field, message: message.to_owned() });
            }
        };
        let server = &self.server;
        require(
            server.tls_certificate_file.is_some() == server.tls_key_file.is_some(),
            "server.tlsCertificateFile",
            "give certificate and key together, or neither",
        );
        require((1..=50).contains(&self.database.pool_size), "database.poolSize", "must be 1 to 50");
        require(is_identifier(&self.database.schema), "database.schema", "must be lower-case letters, digits and _, at most 63");
        require((1..=10_000).contains(&self.cache.timeout_ms), "cache.timeoutMs", "must be 1 to 10000");
        cache::places(&self.cache, &mut require);
        require((1..=2_048).contains(&self.embedding.batch_size), "embedding.batchSize", "must be 1 to 2048");
        require((1..=64).contains(&self.embedding.concurrent_requests), "embedding.concurrentRequests", "must be 1 to 64");
        require(self.embedding.retry_attempts <= 10, "embedding.retryAttempts", "must be at most 10");
        require((1..=600).contains(&self.embedding.timeout_seconds.0), "embedding.timeoutSeconds", "must be 1 to 600");
        providers::embedding(&self.embedding.provider, &mut require);
        providers::generation(&self.generation, &mut require);
        let chunking = &self.chunking;
        require((64..=8_192).contains(&chunking.max_tokens), "chunking.maxTokens", "must be 64 to 8192");
        require(
            chunking.min_tokens > 0 && chunking.min_tokens.saturating_mul(2) <= chunking.max_tokens,
            "chunking.minTokens",
            "must be at least 1 and at most half of chunking.maxTokens",
        );
        require((10..=20).contains(&chunking.overlap_percent), "chunking.overlapPercent", "must be 10 to 20");
        require((1..=100).contains(&self.search.limit), "search.limit", "must be 1 to 100");
        require((1..=20).contains(&self.search.answer_limit), "search.answerLimit", "must be 1 to 20");
        let fusion = &self.search.fusion;
        require((0.0..=1.0).contains(&fusion.vector_weight), "search.fusion.vectorWeight", "must be 0 to 1");
        require((0.0..=1.0).contains(&fusion.lexical_weight), "search.fusion.lexicalWeight", "must be 0 to 1");
        require(
            fusion.vector_weight + fusion.lexical_weight > 0.0,
            "search.fusion.lexicalWeight",
            "one of the two weights must be above 0",
        );
        require((1..=1_000).contains(&fusion.k), "search.fusion.k", "must be 1 to 1000");
        let expansion = &self.search.expansion;
        require((1..=20).contains(&expansion.passages), "search.expansion.passages", "must be 1 to 20");
        require((1..=50).contains(&expansion.terms), "search.expansion.terms", "must be 1 to 50");
        require((1..=5).contains(&expansion.queries), "search.expansion.queries", "must be 1 to 5");
        require(
            expansion.method != ExpansionMethod::Generator || self.generation.provider.is_language_model(),
            "search.expansion.method",
            "generator needs a language model: set generation.openAiCompatible or another provider",
        );
        let alike = self.cache.similarity.threshold;
        require(alike.is_none_or(|least| (0.8..=1.0).contains(&least)), "cache.similarity.threshold", "must be 0.8 to 1");
        let rerank = &self.rerank;
        let served = rerank.provider != RerankProvider::Disabled;
        require(
            !served || rerank.base_url.as_ref().is_some_and(is_http),
            "rerank.baseUrl",
            "must be given and begin with http:// or https://",
        );
        require(
            rerank.provider != RerankProvider::Cohere || rerank.model.as_ref().is_some_and(|model| !model.is_empty()),
            "rerank.model",
            "must be given",
        );
        require((1..=100).contains(&rerank.candidates), "rerank.candidates", "must be 1 to 100");
        require((1..=60).contains(&rerank.timeout_seconds.0), "rerank.timeoutSeconds", "must be 1 to 60");
        let generation = &self.generation;
        require((0.0..=2.0).contains(&generation.temperature), "generation.temperature", "must be 0 to 2");
        require((0.0..=1.0).contains(&generation.top_p), "generation.topP", "must be 0 to 1");
        require((1..=100_000).contains(&generation.max_tokens), "generation.maxTokens", "must be 1 to 100000");
        require(
            generation.prompt_template.contains("{context}") && generation.prompt_template.contains("{question}"),
            "generation.promptTemplate",
            "must contain {context} and {question}",
        );
        let priced = |usd: f64| (0.0..=MOST_USD_PER_MILLION).contains(&usd);
        require(
            generation.prices.values().all(|p| priced(p.prompt_usd_per_million) && priced(p.completion_usd_per_million)),
            "generation.prices",
            "must be 0 to 1000000 US dollars for a million tokens",
        );
        require(
            generation.model_context_tokens.is_none_or(|tokens| (1_024..=10_000_000).contains(&tokens)),
            "generation.modelContextTokens",
            "must be 1024 to 10000000",
        );
        let index = &self.index;
        require(
            index.exact_below <= index.small_below && index.small_below <= index.medium_below,
            "index.exactBelow",
            "exactBelow, smallBelow and mediumBelow must not decrease",
        );
        let indexed = index.mode != IndexMode::None && index.quantization == Quantization::None;
        let dimensions = self.embedding.provider.dimensions().unwrap_or_default();
        require(
            !(indexed && index.element_type == ElementType::Vector && dimensions > MOST_INDEXED_VECTOR),
            "index.elementType",
            "pgvector indexes vector up to 2000 dimensions: use halfvec, quantization binary, or index.mode none",
        );
        require(
            (index.mode == IndexMode::Manual) == (index.ivf_flat.is_some() != index.hnsw.is_some())
                && (index.mode == IndexMode::Manual || (index.ivf_flat.is_none() && index.hnsw.is_none())),
            "index.mode",
            "mode manual takes ivfFlat or hnsw, one of them; the other modes take neither",
        );
        let lists = index.ivf_flat.is_none_or(|ivf_flat| (1..=32_768).contains(&ivf_flat.lists));
        require(lists, "index.ivfFlat.lists", "must be 1 to 32768");
        if let Some(hnsw) = index.hnsw {
            require((2..=100).contains(&hnsw.m), "index.hnsw.m", "must be 2 to 100");
            require(
                (4..=1_000).contains(&hnsw.ef_construction) && hnsw.ef_construction >= 2 * hnsw.m,
                "index.hnsw.efConstruction",
                "must be 4 to 1000 and at least twice m",
            );
        }
        require(index.hysteresis_percent <= 90, "index.hysteresisPercent", "must be at most 90");
        require((0.5..=1.0).contains(&index.recall_target), "index.recallTarget", "must be 0.5 to 1");
        require(self.limits.file_bytes <= self.limits.request_bytes, "limits.fileBytes", "must be at most limits.requestBytes");
        require(self.limits.concurrent_requests > 0, "limits.concurrentRequests", "must be at least 1");
        tracing::tracing(&self.tracing, &mut require);
        if let Some(oidc) = &self.auth.oidc {
            let trusted = |text: &str| text.parse().is_ok_and(|url| is_trustworthy(&url));
            require(trusted(&oidc.issuer), "auth.oidc.issuer", TRUSTWORTHY);
            require(oidc.jwks_url.as_ref().is_none_or(is_trustworthy), "auth.oidc.jwksUrl", TRUSTWORTHY);
            require(!oidc.audience.is_empty(), "auth.oidc.audience", "must be given; any token of the issuer would be taken");
            require(!oidc.workspace_claim.is_empty(), "auth.oidc.workspaceClaim", "must not be empty");
            require(!oidc.scope_claim.is_empty(), "auth.oidc.scopeClaim", "must not be empty");
            let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
            require(is_word(&oidc.read_scope), "auth.oidc.readScope", "must be one word");
            require(is_word(&oidc.write_scope), "auth.oidc.writeScope", "must be one word");
            require(oidc.admin_scope.as_deref().is_none_or(is_word), "auth.oidc.adminScope", "must be one word, or absent");
            require(oidc.leeway_seconds.0 <= 300, "auth.oidc.leewaySeconds", "must be at most 300");
        }
        let rate = &self.limits.rate;
        let within = |number: u32| number <= MOST_PER_MINUTE;
        require(within(rate.per_key.requests_per_minute), "limits.rate.perKey.requestsPerMinute", RATE_BOUNDS);
        require(within(rate.per_key.tokens_per_minute), "limits.rate.perKey.tokensPerMinute", RATE_BOUNDS);
        require(within(rate.per_workspace.requests_per_minute), "limits.rate.perWorkspace.requestsPerMinute", RATE_BOUNDS);
        require(within(rate.per_workspace.tokens_per_minute), "limits.rate.perWorkspace.tokensPerMinute", RATE_BOUNDS);
        found
    }
}

/// Whether what is read there may decide who is let in: nobody on the way can have changed it.
pub fn is_trustworthy(url: &url::Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

fn is_http(url: &url::Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// What PostgreSQL takes without quotes.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.len() <= 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_a_round_trip() {
        let config = Config::default();
        config.check().unwrap();
        assert_eq!(Config::from_yaml(&config.to_yaml().unwrap()).unwrap(), config);
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::from_yaml("  \n").unwrap(), Config::default());
    }

    #[test]
    fn a_remote_provider_survives_a_round_trip() {
        let text = "embedding:\n  provider:\n    openAiCompatible:\n      baseUrl: https://api.openai.com/v1\n      \
                    model: text-embedding-3-small\n      dimensions: 1536\n";
        let config = Config::from_yaml(text).unwrap();
        assert_eq!(Config::from_yaml(&config.to_yaml().unwrap()).unwrap(), config);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = Config::from_yaml("chunking:\n  maxTokenz: 3\n").unwrap_err();
        let ConfigError::Parse(source) = error else { panic!("{error}") };
        assert!(source.to_string().contains("maxTokenz"), "{source}");
    }

    #[test]
    fn every_problem_is_named_by_its_path() {
        let error = Config::from_yaml("database:\n  poolSize: 0\nchunking:\n  overlapPercent: 50\n").unwrap_err();
        let ConfigError::Invalid(problems) = error else { panic!("{error}") };
        let fields: Vec<_> = problems.iter().map(|p| p.field).collect();
        assert_eq!(fields, ["database.poolSize", "chunking.overlapPercent"]);
    }

    #[test]
    fn an_index_that_pgvector_cannot_build_is_refused_with_the_ways_out() {
        let yaml = |more: &str| {
            format!(
                "embedding:\n  provider:\n    openAiCompatible:\n      baseUrl: http://models/v1\n      model: m\n      dimensions: 3000\n\
                 index:\n  elementType: vector\n{more}"
            )
        };
        let error = Config::from_yaml(&yaml("")).unwrap_err().to_string();
        assert!(error.contains("index.elementType") && error.contains("halfvec"), "{error}");
        Config::from_yaml(&yaml("  quantization: binary\n")).unwrap();
        Config::from_yaml(&yaml("  mode: none\n")).unwrap();
    }

    #[test]
    fn a_provider_of_identities_is_read_where_nobody_can_change_it() {
        let yaml = |issuer: &str, more: &str| format!("auth:\n  oidc:\n    issuer: {issuer}\n    audience: ragline\n{more}");
        for good in ["https://id.example.com/realms/staff", "http://127.0.0.1:8080", "http://localhost/realm", "http://[::1]:1"] {
            let config = Config::from_yaml(&yaml(good, "")).unwrap();
            assert_eq!(Config::from_yaml(&config.to_yaml().unwrap()).unwrap(), config);
            assert_eq!(config.auth.oidc.unwrap().issuer, good, "to the letter");
        }
        for bad in ["http://id.example.com", "http://127.0.0.1.example.com", "id.example.com", "ftp://localhost"] {
            let error = Config::from_yaml(&yaml(bad, "")).unwrap_err().to_string();
            assert!(error.contains("auth.oidc.issuer") && error.contains("https://"), "{bad}: {error}");
        }
        let error =
            Config::from_yaml(&yaml("https://id", "    adminScope: ''\n    leewaySeconds: 900\n")).unwrap_err().to_string();
        assert!(error.contains("auth.oidc.adminScope") && error.contains("auth.oidc.leewaySeconds"), "{error}");
    }

    #[test]
    fn a_rate_of_nothing_is_no_limit_and_what_is_left_out_keeps_its_default() {
        let config = Config::from_yaml("limits:\n  rate:\n    perKey: {requestsPerMinute: 0}\n").unwrap();
        let defaults = Config::default().limits.rate;
        assert_eq!(config.limits.rate.per_key.requests_per_minute, 0);
        assert_eq!(config.limits.rate.per_key.tokens_per_minute, defaults.per_key.tokens_per_minute);
        assert_eq!(config.limits.rate.per_workspace, defaults.per_workspace);
        let error = Config::from_yaml("limits:\n  rate:\n    perWorkspace: {requestsPerMinute: 60000001}\n").unwrap_err();
        assert!(error.to_string().contains("limits.rate.perWorkspace.requestsPerMinute"), "{error}");
    }

    #[test]
    fn other_wordings_need_a_language_model() {
        let error = Config::from_yaml("search:\n  expansion:\n    method: generator\n").unwrap_err().to_string();
        assert!(error.contains("search.expansion.method") && error.contains("openAiCompatible"), "{error}");
        Config::from_yaml("search:\n  expansion:\n    method: feedback\n").unwrap();
    }
}
