//! That the settings of the spec reach the configuration of the gateway.

use ragline_crds::RagPipeline;
use serde_json::{Value, json};

use super::*;
use crate::plan::{pipeline::Defaults, validate::validate};

/// A spec that says something other than the default wherever it can.
fn other_than_default() -> Value {
    json!({
        "auth": {"oidc": {"issuer": "https://id.example.com", "audience": "a"}},
        "cache": {
            "external": {"host": "valkey.example.com", "port": 1, "database": 2, "tls": true},
            "vectorSearchTtlSeconds": 1, "embeddingTtlSeconds": 2, "contextTtlSeconds": 3, "similarityTtlSeconds": 4,
            "timeoutMs": 5, "memoryBytes": 6, "similarity": {"enabled": true, "threshold": 0.9}
        },
        "chunking": {"minTokens": 100, "maxTokens": 300, "overlapPercent": 10},
        "embedding": {
            "openAi": {"model": "m", "dimensions": 3}, "batchSize": 1, "concurrentRequests": 2, "retryAttempts": 4,
            "retryDelaySeconds": 5, "timeoutSeconds": 6, "useCache": false
        },
        "generation": {
            "openAi": {"model": "m"}, "temperature": 1.0, "maxTokens": 1, "topP": 0.5, "timeoutSeconds": 2, "retryAttempts": 4,
            "promptTemplate": "{context}{question}", "contextTokens": 100, "modelContextTokens": 2_000,
            "prices": {"m": {"promptUsdPerMillion": 1.0, "completionUsdPerMillion": 2.0}}, "fallbacks": [{"builtin": {}}]
        },
        "index": {
            "mode": "Manual", "exactBelow": 1, "smallBelow": 2, "mediumBelow": 3, "hysteresisPercent": 4, "recallTarget": 0.5,
            "hnsw": {"m": 4, "efConstruction": 8}, "distanceMetric": "L2", "elementType": "Vector", "quantization": "Binary"
        },
        "limits": {
            "fileBytes": 1, "requestBytes": 2, "jsonBytes": 2_000, "concurrentRequests": 3, "requestTimeoutSeconds": 4,
            "filesPerRequest": 5, "extractTimeoutSeconds": 6,
            "rate": {
                "perKey": {"requestsPerMinute": 1, "tokensPerMinute": 2},
                "perWorkspace": {"requestsPerMinute": 3, "tokensPerMinute": 4}
            }
        },
        "logging": {"level": "debug", "queries": false, "queryText": true},
        "postgres": {
            "external": {"secretName": "postgres", "schema": "library", "tlsMode": "VerifyCa"}, "poolSize": 20,
            "statementTimeoutSeconds": 60
        },
        "redaction": {
            "emails": true, "phones": true, "ibans": true, "cards": false, "ipAddresses": true, "nationalIds": true,
            "apiKeys": false
        },
        "rerank": {
            "provider": "TextEmbeddingsInference", "baseUrl": "http://rerank.example.com", "model": "m", "candidates": 1,
            "timeoutSeconds": 2
        },
        "search": {
            "mode": "Vector", "limit": 1, "answerLimit": 2,
            "fusion": {"method": "ReciprocalRank", "vectorWeight": 0.1, "lexicalWeight": 0.2, "k": 3},
            "expansion": {"method": "Feedback", "passages": 1, "terms": 2, "queries": 4}
        },
        "tracing": {"endpoint": "http://collector.example.com:4318", "samplingRatio": 0.5}
    })
}

/// The paths at which both have the same value.
fn same(path: &str, default: &Value, found: &Value) -> Vec<String> {
    match default {
        Value::Object(fields) if !fields.is_empty() => {
            let inner = |(name, value): (&String, &Value)| same(&format!("{path}.{name}"), value, &found[name.as_str()]);
            fields.iter().flat_map(inner).collect()
        }
        _ if default == found => vec![path.trim_start_matches('.').to_owned()],
        _ => Vec::new(),
    }
}

#[test]
fn every_setting_of_the_gateway_can_be_set_by_the_spec() {
    let configured = |spec: Value| {
        let pipeline = RagPipeline::new("a", serde_json::from_value(spec).unwrap());
        serde_json::to_value(validate(&pipeline, &Defaults::of_tests()).unwrap().config).unwrap()
    };
    let default = serde_json::to_value(Config::default()).unwrap();
    let found = configured(other_than_default());
    // Where it listens and who builds the index is the operator's to say; `cache.mode` follows from the section.
    assert_eq!(same("", &default, &found), ["cache.mode", "index.buildInProcess", "server.listen"]);
    assert_eq!(configured(json!({"cache": {"disabled": {}}}))["cache"]["mode"], "disabled");
}
