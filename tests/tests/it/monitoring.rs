//! What watches the pipelines: alerts, dashboard and Argo CD's health read what there is. Reads files only; what takes helm,
//! promtool or Lua is in `programs`, behind the feature `programs`.

#[cfg(feature = "programs")]
mod programs;
mod promql;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ragline_crds::{ConditionType, Reason};
use serde_json::Value;

/// Metrics of Prometheus itself, the kubelet and kube-state-metrics.
const FOREIGN_METRICS: [&str; 6] = [
    "up",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kube_job_failed",
    "kube_job_status_active",
    "kube_job_status_start_time",
];
const OPERATOR_PREFIX: &str = "ragline_operator_";
const OWN_METRICS: &str = "operator/src/metrics/pipeline_conditions.rs";
/// Labels of those, of histograms and of targets. The gateway's own `namespace` meets that of the pod and becomes
/// `exported_namespace`.
const FOREIGN_LABELS: [&str; 8] =
    ["namespace", "exported_namespace", "pipeline", "component", "le", "persistentvolumeclaim", "job_name", "condition"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// Literals of a source that look like a name.
fn literals(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let pieces: Vec<&str> = source.split('"').collect();
    let named = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let pairs: Vec<_> =
        pieces.chunks_exact(2).map(|pair| (pair[0].trim_end(), pair[1])).filter(|(_, text)| named(text)).collect();
    pairs.into_iter()
}

/// A source without its tests.
fn product(path: &str) -> String {
    let mut source = read(path);
    source.truncate(source.find("#[cfg(test)]").unwrap_or(source.len()));
    source
}

/// The names that a source registers: literals that are a function's first argument. The prefix goes before each.
fn registered(path: &str, prefix: &str) -> BTreeSet<String> {
    let source = product(path);
    literals(&source).filter(|(before, _)| before.ends_with('(')).map(|(_, name)| format!("{prefix}{name}")).collect()
}

fn gateway_metrics() -> BTreeSet<String> {
    registered("gateway/src/metrics.rs", "")
}

fn operator_metrics() -> BTreeSet<String> {
    let mut metrics = registered("operator/src/metrics.rs", OPERATOR_PREFIX);
    // What is written without the library has its whole name.
    let own = product(OWN_METRICS);
    metrics.extend(literals(&own).map(|(_, name)| name).filter(|name| name.starts_with(OPERATOR_PREFIX)).map(str::to_owned));
    metrics
}

/// Every alert that the chart can make.
fn alerts() -> Vec<Value> {
    let files = ["alerts.yaml", "alerts_spend.yaml"].map(|file| yaml(&format!("charts/ragline/files/{file}")));
    files.iter().flat_map(|file| list(file, "groups")).flat_map(|group| list(group, "rules")).cloned().collect()
}

/// Every expression of the alerts and of the dashboard.
fn expressions() -> Vec<String> {
    let mut found: Vec<_> = alerts().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    assert!(found.len() > 10, "{} alerts only: this test looks at nothing", found.len());
    found.extend(dashboard_expressions());
    found
}

fn dashboard_expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("charts/ragline/files/dashboard.json")).unwrap();
    let targets = list(&dashboard, "panels").iter().flat_map(|panel| list(panel, "targets"));
    let found: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(found.len() > 30, "{} expressions only: this test looks at nothing", found.len());
    found
}

#[test]
fn the_gateways_readme_lists_every_metric() {
    let readme = read("gateway/README.md");
    let (_, section) = readme.split_once("\n## Metrics\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| line.split(" |").next());
    let listed: BTreeSet<_> = names.flat_map(|names| names.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect();
    assert_eq!(gateway_metrics(), listed);
}

#[test]
fn alerts_and_dashboard_read_metrics_and_labels_that_exist() {
    let mut metrics = gateway_metrics();
    metrics.extend(operator_metrics());
    assert!(metrics.contains("ragline_operator_leader") && metrics.contains("rag_total_latency_seconds"), "{metrics:?}");
    metrics.extend(FOREIGN_METRICS.map(str::to_owned));
    let sources = ["gateway/src/metrics.rs", "operator/src/metrics.rs", OWN_METRICS].map(product);
    let mut labels: BTreeSet<&str> = sources.iter().flat_map(|source| literals(source)).map(|(_, text)| text).collect();
    labels.extend(FOREIGN_LABELS);

    let parts = ["_bucket", "_count", "_sum"];
    let known = |name: &str| {
        metrics.contains(name) || parts.iter().any(|part| name.strip_suffix(part).is_some_and(|base| metrics.contains(base)))
    };
    let mut complaints = Vec::new();
    for expression in expressions() {
        let names = promql::names(&expression);
        let strange = names.metrics.iter().filter(|name| !known(name));
        complaints.extend(strange.map(|name| format!("no metric {name}: {expression}")));
        let strange = names.labels.iter().filter(|name| !labels.contains(name.as_str()));
        complaints.extend(strange.map(|name| format!("no label {name}: {expression}")));
        if names.metrics.is_empty() {
            complaints.push(format!("reads no metric: {expression}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_dashboard_shows_every_metric() {
    let read: BTreeSet<_> = dashboard_expressions().iter().flat_map(|expression| promql::names(expression).metrics).collect();
    let shown = |name: &String| read.contains(name) || read.contains(&format!("{name}_bucket"));
    let missing: Vec<_> = gateway_metrics().into_iter().chain(operator_metrics()).filter(|name| !shown(name)).collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
}

#[test]
fn every_alert_says_how_grave_it_is_and_what_to_do_and_is_tested() {
    let tests = ["alerts_test.yaml", "answers_test.yaml"].map(|file| read(&format!("tests/monitoring/{file}"))).concat();
    let mut complaints = Vec::new();
    for rule in alerts() {
        let name = rule["alert"].as_str().unwrap();
        if !["critical", "warning", "info"].iter().any(|severity| rule["labels"]["severity"] == *severity) {
            complaints.push(format!("{name} has no severity"));
        }
        for text in ["summary", "description"] {
            if rule["annotations"][text].as_str().is_none_or(|text| text.len() < 20) {
                complaints.push(format!("{name} has no {text}"));
            }
        }
        if !tests.contains(&format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}}")) {
            complaints.push(format!("{name} has no test"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_charts_readme_lists_every_alert() {
    let readme = read("charts/ragline/README.md");
    let rows = readme.lines().filter(|line| line.starts_with("| `Ragline")).filter_map(|line| line.split('|').nth(1));
    let listed: BTreeSet<_> =
        rows.flat_map(|names| names.split(", ")).map(|name| name.trim().trim_matches('`').to_owned()).collect();
    assert_eq!(listed, alerts().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect());
}

/// What platform teams are told of: a metric of answers, of rates or of costs that no alert reads would go by unseen.
#[test]
fn what_befalls_answers_is_alerted_on() {
    let read: BTreeSet<_> = alerts().iter().flat_map(|rule| promql::names(rule["expr"].as_str().unwrap()).metrics).collect();
    let told = |name: &String| {
        ["_failures_total", "_dropped_total", "_limited_total", "_usd_total"].iter().any(|end| name.ends_with(end))
    };
    let missing: Vec<_> = gateway_metrics().into_iter().filter(|name| told(name) && !read.contains(name)).collect();
    assert!(missing.is_empty(), "no alert reads {missing:?}");
}

#[test]
fn the_objects_that_argos_health_is_tested_on_speak_the_operators_words() {
    let tests = yaml("charts/ragline/argocd/health_test.yaml");
    let mut types = BTreeSet::new();
    for test in list(&tests, "tests") {
        let path = format!("charts/ragline/argocd/{}", test["inputPath"].as_str().unwrap());
        let object = yaml(&path);
        for condition in list(&object["status"], "conditions") {
            let word = |field: &str| condition[field].as_str().unwrap();
            let type_ = ConditionType::ALL.into_iter().find(|type_| type_.as_str() == word("type"));
            let type_ = type_.unwrap_or_else(|| panic!("{path}: no condition {}", word("type")));
            let reason = Reason::ALL.iter().find(|reason| reason.as_str() == word("reason"));
            let reason = reason.unwrap_or_else(|| panic!("{path}: no reason {}", word("reason")));
            assert!(reason.conditions().contains(&type_), "{path}: {type_} is never {reason}");
            types.insert(type_.as_str());
        }
    }
    assert_eq!(types.len(), ConditionType::ALL.len(), "{types:?}");
}

#[test]
fn datadog_is_told_a_name_for_every_metric_of_the_gateway() {
    let golden = read("operator/src/plan/golden/quickstart.yaml");
    let services =
        golden.split("---\n").filter(|text| !text.trim().is_empty()).map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let service = services.into_iter().find(|one| one["kind"] == "Service" && one["metadata"]["name"] == "quickstart-gateway");
    let annotations = service.unwrap()["metadata"]["annotations"].clone();
    let instances = annotations["ad.datadoghq.com/endpoints.instances"].as_str().unwrap();
    let instances: Value = serde_json::from_str(instances).unwrap();
    let names = instances[0]["metrics"][0].as_object().unwrap();
    let told: BTreeSet<String> = names.keys().cloned().collect();
    // The Agent takes the ending of counters away before it looks a name up.
    let plain = |name: String| name.strip_suffix("_total").map_or(name.clone(), str::to_owned);
    assert_eq!(told, gateway_metrics().into_iter().map(plain).collect());
    assert!(names.values().all(|dotted| dotted.as_str().unwrap().contains('.')));
}
