//! The collector of traces, as the spec asks for it.

use ragline_config::Tracing;
use ragline_crds::{RagPipelineSpec, spec};

use super::{Problems, secrets};

pub(super) fn tracing(spec: &RagPipelineSpec, problems: &mut Problems) -> Tracing {
    let default = Tracing::default();
    let Some(tracing) = &spec.tracing else { return default };
    let spec::Tracing { endpoint, sampling_ratio, headers_secret_ref: _, ca_secret_ref } = tracing;
    let endpoint = endpoint.parse().ok();
    problems.require(
        endpoint.is_some(),
        "spec.tracing.endpoint",
        "must be an address, as in http://otel-collector.monitoring:4318",
    );
    Tracing {
        endpoint,
        sampling_ratio: sampling_ratio.unwrap_or(default.sampling_ratio),
        tls_ca_file: ca_secret_ref.as_ref().map(secrets::tracing_ca),
    }
}

#[cfg(test)]
mod tests {
    use ragline_crds::RagPipeline;
    use serde_json::{Value, json};

    use crate::plan::{
        pipeline::{Defaults, Pipeline},
        validate::validate,
    };

    fn checked(tracing: Value) -> Result<Pipeline, String> {
        let pipeline = RagPipeline::new("a", serde_json::from_value(json!({"tracing": tracing})).unwrap());
        validate(&pipeline, &Defaults::of_tests()).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_collector_reaches_the_configuration_with_its_secrets() {
        let pipeline = checked(json!({
            "endpoint": "https://otel:4318",
            "samplingRatio": 0.1,
            "headersSecretRef": {"name": "otel", "key": "headers"},
            "caSecretRef": {"name": "otel-ca", "key": "ca.crt"},
        }))
        .unwrap();
        let tracing = &pipeline.config.tracing;
        assert_eq!((tracing.endpoint.as_ref().unwrap().as_str(), tracing.sampling_ratio), ("https://otel:4318/", 0.1));
        assert_eq!(tracing.tls_ca_file.as_ref().unwrap().to_str(), Some("/etc/ragline/secrets/tracing-ca/ca.crt"));
        let secrets: Vec<_> = pipeline.secrets.iter().map(|named| (named.field.as_str(), named.variable, named.folder)).collect();
        assert_eq!(
            secrets,
            [
                ("spec.tracing.headersSecretRef", Some("OTEL_EXPORTER_OTLP_HEADERS"), "tracing-headers"),
                ("spec.tracing.caSecretRef", None, "tracing-ca"),
            ]
        );
    }

    #[test]
    fn what_is_no_collector_is_named_by_its_field() {
        let cases = [
            (json!({"endpoint": "http://:4318"}), "spec.tracing.endpoint: must be an address"),
            (json!({"endpoint": "grpc://otel:4317"}), "spec.tracing.endpoint: must begin with"),
            (json!({"endpoint": "http://u:p@otel:4318"}), "spec.tracing.endpoint: must not hold a password"),
            (json!({"endpoint": "http://otel:4318", "samplingRatio": 2.0}), "spec.tracing.samplingRatio: must be 0 to 1"),
        ];
        for (spec, words) in cases {
            let refusal = checked(spec.clone()).unwrap_err();
            assert!(refusal.contains(words), "{spec}: {refusal}");
        }
    }
}
