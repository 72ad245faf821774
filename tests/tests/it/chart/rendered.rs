//! What Helm makes of the chart: the policy of the operator's own pods.

use serde_json::{Value, json};

use crate::helm::{children, matches, one, template};

const ON: &str = "networkPolicy.enabled=true";

/// The labels and the first container of a workload's pods.
fn pods(workload: &Value) -> (&Value, &Value) {
    let template = &workload["spec"]["template"];
    (&template["metadata"]["labels"], &template["spec"]["containers"][0])
}

#[test]
fn the_operators_pods_have_a_policy_where_it_is_asked_for() {
    let is_policy = |object: &Value| object["kind"] == "NetworkPolicy";
    assert!(!template(&[], &[]).unwrap().iter().any(is_policy));
    let objects = template(&[ON], &[]).unwrap();
    let policy = &one(&objects, "NetworkPolicy", "ragline")["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));

    let (labels, container) = pods(one(&objects, "Deployment", "ragline"));
    assert!(matches(&policy["podSelector"], labels));
    assert_eq!(policy["ingress"], json!([{"ports": [{"protocol": "TCP", "port": container["ports"][0]["name"]}]}]));

    let children = children();
    let workloads: Vec<_> = children.iter().filter(|child| child["spec"]["template"].is_object()).collect();
    let rule = policy["egress"].as_array().unwrap().last().unwrap();
    let called: Vec<_> = workloads.iter().filter(|child| matches(&rule["to"][0]["podSelector"], pods(child).0)).collect();
    assert_eq!(called.len(), 1, "the gateways and nobody else");
    let (_, gateway) = pods(called[0]);
    assert_eq!(called[0]["metadata"]["name"], "library-gateway");
    assert_eq!(rule["ports"][0]["port"], gateway["ports"][0]["containerPort"]);
    assert_eq!(rule["to"][0]["namespaceSelector"], json!({}));
    assert!(!workloads.iter().any(|child| matches(&policy["podSelector"], pods(child).0)), "it is the operator's alone");
}

#[test]
fn who_is_called_and_who_may_call_can_be_named() {
    let sets = [
        ON,
        "networkPolicy.apiServerPorts={16443}",
        "networkPolicy.apiServerCidrs={10.0.0.0/16,fd00::/64}",
        "networkPolicy.monitoringFrom[0].namespaceSelector.matchLabels.team=watch",
        "watchNamespaces={a,b}",
    ];
    let objects = template(&sets, &[]).unwrap();
    let policy = &one(&objects, "NetworkPolicy", "ragline")["spec"];
    assert_eq!(policy["ingress"][0]["from"], json!([{"namespaceSelector": {"matchLabels": {"team": "watch"}}}]));
    let api_server = json!({
        "ports": [{"protocol": "TCP", "port": 16_443}],
        "to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}, {"ipBlock": {"cidr": "fd00::/64"}}],
    });
    assert_eq!(policy["egress"][1], api_server);
    let namespaces =
        json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}]});
    assert_eq!(policy["egress"][2]["to"][0]["namespaceSelector"], namespaces);
}

#[test]
fn a_policy_that_would_shut_the_operator_in_is_refused() {
    for set in ["apiServerPorts={}", "apiServerPorts={0}", "apiServerCidrs={everywhere}", "monitoringFrom[0]=a", "port=1"] {
        let set = format!("networkPolicy.{set}");
        let said = template(&[ON, &set], &[]).unwrap_err();
        assert!(said.contains("networkPolicy"), "{set}: {said}");
    }
}
