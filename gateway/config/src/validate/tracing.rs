//! What must hold of the collector of traces.

use super::is_http;
use crate::Tracing;

pub(super) fn tracing(tracing: &Tracing, require: &mut impl FnMut(bool, &'static str, &str)) {
    let endpoint = tracing.endpoint.as_ref();
    require(endpoint.is_none_or(is_http), "tracing.endpoint", "must begin with http:// or https://");
    let is_open = |url: &url::Url| url.username().is_empty() && url.password().is_none();
    require(
        endpoint.is_none_or(is_open),
        "tracing.endpoint",
        "must not hold a password; give it as a header in OTEL_EXPORTER_OTLP_HEADERS",
    );
    require((0.0..=1.0).contains(&tracing.sampling_ratio), "tracing.samplingRatio", "must be 0 to 1");
}

#[cfg(test)]
mod tests {
    use crate::Config;

    #[test]
    fn a_collector_has_an_address_and_no_password_in_it() {
        let config = Config::from_yaml("tracing:\n  endpoint: http://otel-collector:4318\n  samplingRatio: 0.25\n").unwrap();
        assert_eq!(Config::from_yaml(&config.to_yaml().unwrap()).unwrap().tracing, config.tracing);
        let cases = [
            ("endpoint: grpc://collector:4317", "tracing.endpoint"),
            ("endpoint: https://u:p@collector", "tracing.endpoint"),
            ("samplingRatio: 1.5", "tracing.samplingRatio"),
            ("samplingRatio: -0.1", "tracing.samplingRatio"),
            ("samplingRatio: .nan", "tracing.samplingRatio"),
        ];
        for (line, field) in cases {
            let error = Config::from_yaml(&format!("tracing:\n  {line}\n")).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("u:p"), "{line}: {error}");
        }
    }
}
