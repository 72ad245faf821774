//! What helm, promtool and Argo CD's Lua say of the chart's monitoring.

use serde_json::{Value, json};

use super::{dashboard_expressions, list, read, yaml};
use crate::helm::{children, matches, one, program, run, template};

/// What a cluster with the Prometheus operator says that it knows; `helm template` asks none.
const KNOWN: [&str; 4] = [
    "apiregistration.k8s.io/v1",
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
];
const ALL_ON: [&str; 3] =
    ["monitoring.serviceMonitor.enabled=true", "monitoring.prometheusRule.enabled=true", "monitoring.dashboard.enabled=true"];

#[test]
fn nothing_watches_unless_asked_for() {
    let objects = template(&[], &KNOWN).unwrap();
    assert!(objects.iter().all(|object| object["apiVersion"] != "monitoring.coreos.com/v1" && object["kind"] != "ConfigMap"));
}

#[test]
fn all_of_it_is_made_on_a_cluster_that_knows_it_and_by_helm_template_alone() {
    let objects = template(&ALL_ON, &KNOWN).unwrap();
    assert_eq!(objects, template(&ALL_ON, &[]).unwrap());
    assert_eq!(objects.len(), template(&[], &[]).unwrap().len() + 5);
    for object in &objects {
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/instance"], "r", "{}", object["kind"]);
    }
}

fn selected(monitor: &Value, labels: &Value) -> bool {
    matches(&monitor["spec"]["selector"], labels)
}

fn has_port(ports: &[Value]) -> bool {
    ports.iter().any(|port| port["name"] == "http")
}

#[test]
fn the_monitors_find_what_the_operator_makes_and_nothing_else() {
    let objects = template(&ALL_ON, &KNOWN).unwrap();
    let gateways = one(&objects, "ServiceMonitor", "-gateways");
    let workers = one(&objects, "PodMonitor", "-workers");
    let own = one(&objects, "ServiceMonitor", "-operator");
    let children = children();
    let services: Vec<_> = children.iter().filter(|child| child["kind"] == "Service").collect();
    let found: Vec<_> = services.iter().filter(|service| selected(gateways, &service["metadata"]["labels"])).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0]["metadata"]["name"] == "library-gateway" && has_port(list(&found[0]["spec"], "ports")));
    assert!(!services.iter().any(|service| selected(own, &service["metadata"]["labels"])));

    let workloads = children.iter().filter(|child| child["spec"]["template"].is_object());
    let pods = workloads.map(|child| &child["spec"]["template"]);
    let found: Vec<_> = pods.filter(|pod| selected(workers, &pod["metadata"]["labels"])).collect();
    assert_eq!(found.len(), 1);
    assert!(has_port(list(&found[0]["spec"]["containers"][0], "ports")));

    let service = one(&objects, "Service", "-metrics");
    assert!(selected(own, &service["metadata"]["labels"]) && !selected(gateways, &service["metadata"]["labels"]));
    assert!(has_port(list(&service["spec"], "ports")));
}

#[test]
fn pipelines_are_looked_for_where_they_are_served() {
    let selector = |sets: &[&str]| {
        let sets: Vec<_> = ALL_ON.iter().chain(sets).copied().collect();
        let objects = template(&sets, &KNOWN).unwrap();
        let workers = one(&objects, "PodMonitor", "-workers")["spec"]["namespaceSelector"].clone();
        assert_eq!(one(&objects, "ServiceMonitor", "-gateways")["spec"]["namespaceSelector"], workers);
        workers
    };
    assert_eq!(selector(&[]), json!({"any": true}));
    assert_eq!(selector(&["watchNamespaces={a,b}"]), json!({"matchNames": ["a", "b"]}));
    assert_eq!(selector(&["watchNamespaces={a,b}", "monitoring.serviceMonitor.namespaces={b}"]), json!({"matchNames": ["b"]}));
}

#[test]
fn a_cluster_without_the_prometheus_operator_is_told_what_to_do() {
    for (set, kind) in [(ALL_ON[0], "ServiceMonitor"), (ALL_ON[1], "PrometheusRule")] {
        let said = template(&[set], &KNOWN[..1]).unwrap_err();
        assert!(said.contains(kind) && said.contains("install the Prometheus operator's CRDs"), "{said}");
    }
    template(&ALL_ON[2..], &KNOWN[..1]).unwrap();
}

#[test]
fn values_that_cannot_work_are_refused() {
    let cases = [
        ("monitoring.serviceMonitor.enabled=yes", "enabled"),
        ("monitoring.serviceMonitor.interval=30", "interval"),
        ("monitoring.serviceMonitor.interval=0s", "interval"),
        ("monitoring.serviceMonitor.namespaces={A}", "namespaces"),
        ("monitoring.serviceMonitor.labels.a=1", "labels"),
        ("monitoring.prometheusRule.disabled={Other}", "disabled"),
        ("monitoring.prometheusRule.spendUsdPerHour=-1", "spendUsdPerHour"),
        ("monitoring.dashboard.namespace=-a", "namespace"),
        ("monitoring.dashboards.enabled=true", "dashboards"),
    ];
    for (set, word) in cases {
        let said = template(&[set], &[]).unwrap_err();
        assert!(said.contains(word), "{set}: {said}");
    }
    let cases = [
        (ALL_ON[0], "service.create=false", "service.create"),
        (ALL_ON[0], "monitoring.serviceMonitor.scrapeTimeout=1m", "scrapeTimeout"),
        (ALL_ON[1], "monitoring.prometheusRule.disabled={RaglineNoSuchAlert}", "RaglineNoSuchAlert"),
    ];
    for (on, set, word) in cases {
        let said = template(&[on, set], &[]).unwrap_err();
        assert!(said.contains(word), "{set}: {said}");
    }
}

#[test]
fn the_rule_and_the_dashboard_are_the_files() {
    let objects = template(&ALL_ON, &[]).unwrap();
    let alerts = yaml("charts/ragline/files/alerts.yaml");
    assert_eq!(one(&objects, "PrometheusRule", "ragline")["spec"], alerts);
    let map = one(&objects, "ConfigMap", "-dashboard");
    assert_eq!(map["data"]["ragline.json"].as_str().unwrap(), read("charts/ragline/files/dashboard.json").trim_end());
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");

    let sets = [
        ALL_ON[1],
        "monitoring.prometheusRule.disabled={RaglineCacheHitRateLow}",
        "monitoring.prometheusRule.labels.release=kps",
    ];
    let objects = template(&sets, &[]).unwrap();
    let rule = one(&objects, "PrometheusRule", "ragline");
    let count = |groups: &Value| list(groups, "groups").iter().map(|group| list(group, "rules").len()).sum::<usize>();
    assert_eq!(count(&rule["spec"]), count(&alerts) - 1);
    assert_eq!(rule["metadata"]["labels"]["release"], "kps");
}

#[test]
fn what_answers_may_cost_is_a_value_and_without_it_there_is_no_such_alert() {
    let sets = |more: &'static str| [ALL_ON[1], "monitoring.prometheusRule.labels.a=b", more];
    let rules = |more: &'static str| one(&template(&sets(more), &[]).unwrap(), "PrometheusRule", "ragline")["spec"].clone();
    let without = rules("monitoring.prometheusRule.spendUsdPerHour=0");
    assert_eq!(without, yaml("charts/ragline/files/alerts.yaml"));
    let with = rules("monitoring.prometheusRule.spendUsdPerHour=12.5");
    let group = list(&with, "groups").last().unwrap();
    assert_eq!(group["rules"][0]["alert"], "RaglineSpendHigh");
    assert_eq!(group["rules"][0]["expr"], "sum by (namespace, pipeline) (increase(rag_llm_cost_usd_total[1h])) > 12.5");
    assert_eq!(list(&with, "groups").len(), list(&without, "groups").len() + 1);
}

#[test]
fn promtool_takes_the_alerts_and_each_fires_and_stays_silent_as_it_should() {
    for file in ["alerts.yaml", "alerts_spend.yaml"] {
        run(program("promtool").args(["check", "rules"]).arg(format!("charts/ragline/files/{file}"))).unwrap();
    }
    for file in ["alerts_test.yaml", "answers_test.yaml"] {
        run(program("promtool").args(["test", "rules"]).arg(format!("tests/monitoring/{file}"))).unwrap();
    }
}

#[test]
fn promtool_takes_every_expression_of_the_dashboard() {
    let rule = |(n, expression): (usize, String)| json!({"record": format!("dashboard:{n}"), "expr": expression.replace("$__rate_interval", "5m")});
    let rules: Vec<_> = dashboard_expressions().into_iter().enumerate().map(rule).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    run(program("promtool").args(["check", "rules"]).arg(path)).unwrap();
}

#[test]
fn argo_cd_judges_pipelines_by_their_conditions() {
    run(program("luahealth").arg("charts/ragline/argocd")).unwrap();
}
